package main

import (
	hexadecimal "encoding/hex"
	"fmt"
	"strings"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
)

// save SAMPLER
func (d *driver) save(name string) {
	state, err := d.sampler(name).MarshalBinary()
	if err != nil {
		d.say(outcome(err))
		return
	}
	d.say("ok " + hexadecimal.EncodeToString(state))
}

// where SAMPLER
func (d *driver) where(name string) {
	at, err := d.sampler(name).Where()
	history, missing := d.sampler(name).History()
	if err != nil || missing != nil {
		panic(fmt.Sprint(err, missing))
	}
	text := fmt.Sprintf("ok %d %d %d", at.Seed, at.Position, at.Prompt)
	for _, token := range history {
		text += fmt.Sprintf(" %d", token)
	}
	d.say(text)
}

var rules = map[string]bregman.Rule{"match": bregman.RuleMatch, "token": bregman.RuleToken, "block": bregman.RuleBlock}

// verify FLAGS THREADS SET FIRST VOCAB DRAFT...
func (d *driver) verify(rest []string) {
	from, first := d.sets[rest[2]], number(rest[3])
	batch := bregman.Batch{
		Vocab: number(rest[4]), Stride: from.width, Flags: bregman.Flag(number(rest[0])), Threads: number(rest[1]),
	}
	from.into(&batch, first)
	var samplers []*bregman.Sampler
	var drafts []bregman.Draft
	rows := 0
	for _, word := range rest[5:] {
		parts := strings.Split(word, "/")
		draft := bregman.Draft{Rule: rules[parts[1]], Tokens: tokens(parts[2]), Parents: tokens(parts[3])}
		if parts[4] != "-" {
			draft.Laws = laws(parts[4])
		}
		samplers, drafts = append(samplers, d.sampler(parts[0])), append(drafts, draft)
		rows += len(draft.Tokens) + 1
	}
	accepted, path, results := make([]uint32, len(drafts)), make([]int32, rows), make([]bregman.Result, rows)
	err := bregman.Verify(samplers, drafts, &batch, accepted, path, results)
	row := 0
	for s, draft := range drafts {
		if failure := bregman.RowErr(err, s); failure != nil {
			d.say(fmt.Sprintf("%d %s", s, outcome(failure)))
		} else {
			text := fmt.Sprintf("%d ok %d", s, accepted[s])
			for _, place := range path[row:][:accepted[s]] {
				text += fmt.Sprintf(" %d", place)
			}
			d.say(text)
			for i := range results[row:][:accepted[s]+1] {
				d.answer(s, &results[row+i], nil)
			}
		}
		row += len(draft.Tokens) + 1
	}
}

// tokens are separated by commas; - stands for none.
func tokens(word string) []int32 {
	if word == "-" {
		return nil
	}
	var all []int32
	for _, token := range strings.Split(word, ",") {
		all = append(all, int32(number(token)))
	}
	return all
}

// laws are separated by semicolons, and their entries ID:HEX by commas.
func laws(word string) *bregman.Distributions {
	all := &bregman.Distributions{Offsets: []int{0}}
	for _, law := range strings.Split(word, ";") {
		for _, entry := range strings.Split(law, ",") {
			id, p, _ := strings.Cut(entry, ":")
			all.IDs, all.Probs = append(all.IDs, int32(number(id))), append(all.Probs, fromBits(hex(p)))
		}
		all.Offsets = append(all.Offsets, len(all.IDs))
	}
	return all
}
