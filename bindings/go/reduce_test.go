//go:build cgo

package bregman

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// Lists of two shards, one behind the other.
func joined(a, b *Reduced, rows, n int) *Batch {
	batch := &Batch{Vocab: 2 * n}
	for r := range rows {
		for _, shard := range []*Reduced{a, b} {
			batch.IDs = append(batch.IDs, shard.IDs[r*n:][:n]...)
			batch.F32 = append(batch.F32, shard.Logits[r*n:][:n]...)
		}
		batch.LogRest = append(batch.LogRest, math.Log(math.Exp(a.LogRest[r])+math.Exp(b.LogRest[r])))
		batch.Bound = append(batch.Bound, max(a.Bound[r], b.Bound[r]))
	}
	return batch
}

func reduced(t *testing.T, batch *Batch, rows int, first int32, n int) *Reduced {
	t.Helper()
	into := &Reduced{}
	if err := Reduce(batch, rows, first, n, 0, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func TestSparseRowsOfTwoShardsDecodeAsWholeRows(t *testing.T) {
	const many, vocab, half, n = 4, 1000, 500, 64
	logits := rows(7, many, vocab)
	make4 := func(chain string) []*Sampler {
		samplers := make([]*Sampler, many)
		for r := range samplers {
			samplers[r] = newSampler(t, chain, uint64(r))
		}
		return samplers
	}
	a := reduced(t, &Batch{F32: logits, Vocab: half, Stride: vocab}, many, 0, n)
	b := reduced(t, &Batch{F32: logits[half:], Vocab: half, Stride: vocab}, many, half, n)
	sparse := joined(a, b, many, n)
	const chain = "top_k(20) | temperature(0.8) | draw"
	want := decodeBatch(t, make4(chain), &Batch{F32: logits, Vocab: vocab})
	if got := decodeBatch(t, make4(chain), sparse); !slices.Equal(got, want) {
		t.Errorf("sparse %v, dense %v", got, want)
	}
	// Shorter lists, with a mask by token that bans nothing of them.
	sparse.Lengths = slices.Repeat([]uint32{2 * n}, many)
	sparse.Mask, sparse.MaskStride = slices.Repeat([]uint32{math.MaxUint32}, many*32), 32
	if got := decodeBatch(t, make4(chain), sparse); !slices.Equal(got, want) {
		t.Errorf("masked %v, dense %v", got, want)
	}
	results := make([]Result, many)
	err := DecodeBatch(make4("typical(0.9) | draw"), sparse, results)
	if !errors.Is(err, ErrIncomplete) || results[0].Token != -1 {
		t.Errorf("typical needs whole rows: %v, %v", err, results[0])
	}
}

func TestReduceAndSparseRowsRefuseShortSlices(t *testing.T) {
	logits := rows(8, 2, 100)
	into := reduced(t, &Batch{F32: logits, Vocab: 100}, 2, 0, 10)
	batch := func() *Batch {
		return &Batch{F32: into.Logits, IDs: into.IDs, LogRest: into.LogRest, Bound: into.Bound, Vocab: 10}
	}
	for name, change := range map[string]func(*Batch){
		"IDs":     func(b *Batch) { b.IDs = b.IDs[:19] },
		"Lengths": func(b *Batch) { b.Lengths = make([]uint32, 1) },
		"LogRest": func(b *Batch) { b.LogRest = b.LogRest[:1] },
		"Bound":   func(b *Batch) { b.Bound = b.Bound[:1] },
		"Mask":    func(b *Batch) { b.Mask = make([]uint32, 2) },
		"mask":    func(b *Batch) { b.Mask, b.MaskStride = make([]uint32, 7), 4 },
	} {
		wrong := batch()
		change(wrong)
		if err := DecodeBatch(samplersFor(t, 2), wrong, make([]Result, 2)); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, got := range map[string]error{
		"n":    Reduce(&Batch{F32: logits, Vocab: 100}, 2, 0, 0, 0, into),
		"rows": Reduce(&Batch{F32: logits, Vocab: 100}, 3, 0, 5, 0, into),
		"flag": Reduce(&Batch{F32: logits, Vocab: 100, Flags: AcceptTokens}, 2, 0, 5, 0, into),
		"id":   Reduce(&Batch{F32: logits, Vocab: 100}, 2, -1, 5, 0, into),
	} {
		if !errors.Is(got, ErrInvalidArgument) {
			t.Errorf("%s: %v", name, got)
		}
	}
	logits[3] = float32(math.NaN())
	if err := Reduce(&Batch{F32: logits, Vocab: 100}, 2, 0, 5, 0, into); !errors.Is(err, ErrInvalidLogits) ||
		into.IDs[0] != -1 || !math.IsNaN(into.LogRest[0]) || into.IDs[5] < 0 {
		t.Errorf("a row with NaN: %v, %v", err, into)
	}
}

// Every call on rows takes sparse ones, with samplers that share a row.
func TestSparseRowsInTheOtherCalls(t *testing.T) {
	const many, vocab, half, n = 3, 1000, 500, 64
	logits := rows(9, many, vocab)
	a := reduced(t, &Batch{F32: logits, Vocab: half, Stride: vocab}, many, 0, n)
	b := reduced(t, &Batch{F32: logits[half:], Vocab: half, Stride: vocab}, many, half, n)
	sparse, dense := joined(a, b, many, n), &Batch{F32: logits, Vocab: vocab}
	make3 := func(chain string) []*Sampler {
		return []*Sampler{newSampler(t, chain, 0), newSampler(t, chain, 1), newSampler(t, chain, 2)}
	}
	for _, index := range [][]int{nil, {2, 0, 2}} {
		sparse.RowIndex, dense.RowIndex = index, index
		var ours, theirs Distributions
		if err := errors.Join(DistributionBatch(make3("top_k(9) | draw"), sparse, &ours),
			DistributionBatch(make3("top_k(9) | draw"), dense, &theirs)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ours.IDs, theirs.IDs) || !slices.Equal(ours.Offsets, theirs.Offsets) ||
			!slices.EqualFunc(ours.Probs, theirs.Probs, func(a, b float32) bool { return near(a, float64(b)) }) {
			t.Errorf("distributions %v, of whole rows %v", ours, theirs)
		}
		told := func(batch *Batch) *Answers {
			answers := &Answers{
				Top: 2, TopIDs: make([]int32, 2*many), Given: 1, GivenIDs: []int32{theirs.IDs[0], theirs.IDs[9], -1},
				GivenLogprobs: make([]float32, many), GivenRanks: make([]uint32, many),
			}
			if err := ModelAnswers(batch, many, answers); err != nil {
				t.Fatal(err)
			}
			return answers
		}
		some, all := told(sparse), told(dense)
		if !slices.Equal(some.TopIDs, all.TopIDs) || !slices.Equal(some.GivenRanks, all.GivenRanks) ||
			!near(some.GivenLogprobs[0], float64(all.GivenLogprobs[0])) || !math.IsNaN(float64(some.GivenLogprobs[2])) {
			t.Errorf("answers %+v, of whole rows %+v", some, all)
		}
	}
	sparse.RowIndex, dense.RowIndex = nil, nil
	verify := func(rule Rule, batch *Batch) (uint32, []Result, error) {
		first := must[Result](t)(newSampler(t, "top_k(9) | draw", 0).Decode(logits[:vocab])).Token
		accepted, results := make([]uint32, 1), make([]Result, many)
		err := Verify([]*Sampler{newSampler(t, "top_k(9) | draw", 0)}, []Draft{{Rule: rule, Tokens: []int32{first, 7}}}, batch,
			accepted, nil, results)
		return accepted[0], results, err
	}
	got, ours, err := verify(RuleMatch, sparse)
	want, theirs, other := verify(RuleMatch, dense)
	if err != nil || other != nil || got < 1 || got != want || ours[1].Token != theirs[1].Token {
		t.Errorf("%d accepted, %v (%v); of whole rows %d, %v (%v)", got, ours, err, want, theirs, other)
	}
	if _, results, err := verify(RuleBlock, sparse); !errors.Is(err, ErrUnsupported) || results[0].Token != -1 {
		t.Errorf("the block rule on sparse rows: %v, %v", err, results)
	}
}
