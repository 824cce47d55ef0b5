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
