// Command agreement is the Go driver of the cross-language agreement test (tests/agreement/README.md).
//
// usage: agreement CASES
package main

import (
	"bufio"
	hexadecimal "encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
)

// driver has the sets, masks and samplers so far.
type driver struct {
	dir      string
	sets     map[string]*set
	masks    map[string]mask
	samplers map[string]*bregman.Sampler
	lists    *lists
	number   int
	out      *bufio.Writer
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: agreement CASES")
		os.Exit(2)
	}
	if err := bregman.Load(""); err != nil {
		fail(err)
	}
	cases, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	d := &driver{
		dir:      filepath.Dir(os.Args[1]),
		sets:     map[string]*set{},
		masks:    map[string]mask{},
		samplers: map[string]*bregman.Sampler{},
		lists:    newLists(),
		out:      bufio.NewWriter(os.Stdout),
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(cases), "\n"), "\n") {
		d.number++
		if line != "" && line[0] != '#' {
			d.run(line)
		}
	}
	if err := d.out.Flush(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func (d *driver) run(line string) {
	words := strings.Split(line, " ")
	command, rest := words[0], words[1:]
	if text, writes, known, err := d.lists.run(command, rest); known {
		if err != nil {
			d.say(outcome(err))
		} else if writes {
			d.say("ok" + text)
		}
		return
	}
	switch command {
	case "rows", "random", "same", "upper", "set":
		d.data(command, rest)
	case "mask":
		d.masks[rest[0]] = newMask(number(rest[1]), number(rest[2]), rest[3:])
	case "new":
		parts := strings.SplitN(line, " ", 4)
		s, err := bregman.New(strings.Join(parts[3:], ""), seed(rest[1]))
		if err == nil {
			d.adopt(rest[0], s)
		}
		d.say(outcome(err))
	case "clone":
		s, err := d.sampler(rest[1]).Clone()
		if err == nil {
			d.adopt(rest[0], s)
		}
		d.say(outcome(err))
	case "free":
		d.say(outcome(d.sampler(rest[0]).Close()))
		delete(d.samplers, rest[0])
	case "score":
		d.score(rest)
	case "decode":
		d.decode(rest)
	case "batch":
		d.batch(rest)
	case "reduced":
		d.reduced(rest)
	case "distribution":
		d.distribution(rest)
	case "process":
		d.process(rest)
	case "load":
		state, err := hexadecimal.DecodeString(rest[1])
		if err != nil {
			panic(err)
		}
		s, err := bregman.Restore(state)
		if err == nil {
			d.adopt(rest[0], s)
		}
		d.say(outcome(err))
	case "save":
		d.save(rest[0])
	case "where":
		d.where(rest[0])
	case "verify":
		d.verify(rest)
	default:
		d.state(command, rest)
	}
}

// say writes one line of output.
func (d *driver) say(text string) { fmt.Fprintf(d.out, "%d %s\n", d.number, text) }

func (d *driver) sampler(name string) *bregman.Sampler {
	s, ok := d.samplers[name]
	if !ok {
		panic(fmt.Sprintf("line %d: no sampler %q", d.number, name))
	}
	return s
}

// adopt gives a sampler a name, and closes the one that had it.
func (d *driver) adopt(name string, s *bregman.Sampler) {
	if err := d.samplers[name].Close(); err != nil {
		panic(err)
	}
	d.samplers[name] = s
}

// score is `score N TOKEN... STAGE`.
func (d *driver) score(rest []string) {
	n := number(rest[0])
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(number(rest[1+i]))
	}
	score, err := bregman.WatermarkScore(strings.Join(rest[1+n:], " "), tokens)
	if err != nil {
		d.say(outcome(err))
		return
	}
	d.say(fmt.Sprintf("ok %d %016x %016x", score.Counted, math.Float64bits(score.Score), math.Float64bits(score.PValue)))
}

// state runs the commands on one sampler that take no row.
func (d *driver) state(command string, rest []string) {
	s := d.sampler(rest[0])
	var err error
	switch command {
	case "describe":
		text, err := s.Describe()
		if err == nil {
			d.say("ok " + text)
		} else {
			d.say(outcome(err))
		}
		return
	case "rewind":
		err = s.Rewind(number(rest[1]))
	case "reset":
		err = s.Reset()
	case "reseed":
		err = s.Reseed(seed(rest[1]), seed(rest[2]))
	case "accept":
		tokens := make([]int32, 0, len(rest))
		for _, word := range rest[1:] {
			tokens = append(tokens, int32(number(word)))
		}
		err = s.Accept(tokens...)
	case "bias":
		var ids []int32
		var values []float32
		for _, word := range rest[1:] {
			id, value, _ := strings.Cut(word, "=")
			ids = append(ids, int32(number(id)))
			values = append(values, fromBits(hex(value)))
		}
		err = s.SetLogitBias(ids, values)
	default:
		panic(fmt.Sprintf("line %d: no command %q", d.number, command))
	}
	d.say(outcome(err))
}

// decode SAMPLER SET FIRST COUNT VOCAB
func (d *driver) decode(rest []string) {
	first, count, vocab := number(rest[2]), number(rest[3]), number(rest[4])
	for row := first; row < first+count; row++ {
		result, err := d.sampler(rest[0]).Decode(d.sets[rest[1]].row(row, vocab))
		d.answer(row, &result, err)
	}
}

// batch FLAGS THREADS MASK SET FIRST STEP VOCAB SAMPLER...
func (d *driver) batch(rest []string) {
	from, first, step := d.sets[rest[3]], number(rest[4]), number(rest[5])
	batch := bregman.Batch{
		Vocab:   number(rest[6]),
		Stride:  step * from.width,
		Flags:   bregman.Flag(number(rest[0])),
		Threads: number(rest[1]),
	}
	from.into(&batch, first)
	if rest[2] != "-" {
		m := d.masks[rest[2]]
		batch.Mask, batch.MaskStride = m.bits, m.words
	}
	samplers := make([]*bregman.Sampler, 0, len(rest))
	for _, name := range rest[7:] {
		samplers = append(samplers, d.sampler(name))
	}
	results := make([]bregman.Result, len(samplers))
	err := bregman.DecodeBatch(samplers, &batch, results)
	for r := range results {
		d.answer(first+r*step, &results[r], bregman.RowErr(err, r))
	}
}

// reduced N T FLAGS THREADS SET FIRST VOCAB SAMPLER...
func (d *driver) reduced(rest []string) {
	n, temperature, from, first := number(rest[0]), fromBits(hex(rest[1])), d.sets[rest[4]], number(rest[5])
	batch := bregman.Batch{Vocab: number(rest[6]), Stride: from.width, Threads: number(rest[3])}
	from.into(&batch, first)
	var lists bregman.Reduced
	if err := bregman.Reduce(&batch, len(rest)-7, 0, n, temperature, &lists); err != nil {
		panic(err)
	}
	batch = bregman.Batch{
		F32: lists.Logits, IDs: lists.IDs, LogRest: lists.LogRest, Bound: lists.Bound, RestTemperature: temperature,
		Vocab: n, Flags: bregman.Flag(number(rest[2])), Threads: number(rest[3]),
	}
	samplers := make([]*bregman.Sampler, 0, len(rest))
	for _, name := range rest[7:] {
		samplers = append(samplers, d.sampler(name))
	}
	results := make([]bregman.Result, len(samplers))
	err := bregman.DecodeBatch(samplers, &batch, results)
	for r := range results {
		d.answer(first+r, &results[r], bregman.RowErr(err, r))
	}
}

// distribution SAMPLER SET ROW VOCAB
func (d *driver) distribution(rest []string) {
	logits := d.sets[rest[1]].row(number(rest[2]), number(rest[3]))
	ids, probs := make([]int32, len(logits)), make([]float32, len(logits))
	n, err := d.sampler(rest[0]).Distribution(logits, ids, probs)
	if err != nil {
		d.say(outcome(err))
		return
	}
	text := fmt.Sprintf("ok %d", n)
	for i := range n {
		text += fmt.Sprintf(" %d:%s", ids[i], bits(probs[i]))
	}
	d.say(text)
}

// process SAMPLER SET ROW VOCAB
func (d *driver) process(rest []string) {
	logits := append([]float32(nil), d.sets[rest[1]].row(number(rest[2]), number(rest[3]))...)
	d.say(outcome(d.sampler(rest[0]).Process(logits)))
	kept, hash := summary(logits)
	d.say(fmt.Sprintf("row %d %016x", kept, hash))
}

func (d *driver) answer(row int, r *bregman.Result, err error) {
	if err != nil {
		d.say(fmt.Sprintf("%d %s", row, outcome(err)))
		return
	}
	d.say(fmt.Sprintf("%d ok %d %d %s %s %s %s %s", row, r.Token, r.Support, bits(r.P), bits(r.KeptMass),
		bits(r.ModelLogprob), bits(r.Entropy), bits(r.LnKeptMass)))
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	var failure *bregman.Error
	if !errors.As(err, &failure) {
		panic(err)
	}
	return fmt.Sprintf("error %d %s", uint32(failure.Status), failure.Message)
}
