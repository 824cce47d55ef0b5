//go:build cgo

package bregman

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// samplersFor makes n samplers, with the chains in turn.
func samplersFor(t testing.TB, n int) []*Sampler {
	samplers := make([]*Sampler, n)
	for r := range samplers {
		samplers[r] = newSampler(t, chains[r%len(chains)], uint64(r))
	}
	return samplers
}

// asBits makes results comparable, NaN included.
func asBits(results []Result) []string {
	said := make([]string, len(results))
	for i, r := range results {
		said[i] = fmt.Sprintf("%d %d %d %x %x %x %x", r.Token, r.Status, r.Support, math.Float32bits(r.P),
			math.Float32bits(r.KeptMass), math.Float32bits(r.ModelLogprob), math.Float32bits(r.Entropy))
	}
	return said
}

func decodeBatch(t testing.TB, samplers []*Sampler, batch *Batch) []string {
	t.Helper()
	results := make([]Result, len(samplers))
	if err := DecodeBatch(samplers, batch, results); err != nil {
		t.Fatal(err)
	}
	return asBits(results)
}

func TestBatchEqualsSingleRows(t *testing.T) {
	const n, vocab, stride = 33, 1000, 1040
	logits := rows(1, n, stride)
	alone := make([]Result, n)
	for r, s := range samplersFor(t, n) {
		alone[r] = must[Result](t)(s.Decode(logits[r*stride:][:vocab]))
	}
	for _, threads := range []int{0, 1, 2, 5} {
		batch := &Batch{F32: logits, Vocab: vocab, Stride: stride, Threads: threads}
		if got, want := decodeBatch(t, samplersFor(t, n), batch), asBits(alone); !slices.Equal(got, want) {
			t.Errorf("%d threads: %v, alone %v", threads, got, want)
		}
		// The storage may end with the last logit.
		batch.F32 = logits[:(n-1)*stride+vocab]
		decodeBatch(t, samplersFor(t, n), batch)
	}
}

// halfBits is an f16 for multiples of 1/8 below 128: few enough bits to be exact.
func halfBits(v float32) uint16 {
	bits := math.Float32bits(v)
	if v == 0 {
		return 0
	}
	exponent := int(bits>>23&0xff) - 127 + 15
	return uint16(bits>>16&0x8000) | uint16(exponent<<10) | uint16(bits>>13&0x3ff)
}

func TestF16AndBF16DecodeAsF32(t *testing.T) {
	const n, vocab = 5, 2000
	logits := rows(2, n, vocab)
	f16, bf16 := make([]uint16, len(logits)), make([]uint16, len(logits))
	for i, v := range logits {
		// Exact in all three formats: multiples of 1/8 below 32.
		logits[i] = float32(math.Trunc(float64(max(-15, min(15, v)))*8) / 8)
		f16[i], bf16[i] = halfBits(logits[i]), uint16(math.Float32bits(logits[i])>>16)
	}
	flags := WantKeptMass | WantModelLogprob | WantEntropy
	want := decodeBatch(t, samplersFor(t, n), &Batch{F32: logits, Vocab: vocab, Flags: flags})
	if got := decodeBatch(t, samplersFor(t, n), &Batch{F16: f16, Vocab: vocab, Flags: flags}); !slices.Equal(got, want) {
		t.Errorf("f16: %v, f32: %v", got, want)
	}
	if got := decodeBatch(t, samplersFor(t, n), &Batch{BF16: bf16, Vocab: vocab, Flags: flags}); !slices.Equal(got, want) {
		t.Errorf("bf16: %v, f32: %v", got, want)
	}
}

func TestMaskEqualsLogitsOfMinusInfinity(t *testing.T) {
	const n, vocab, words = 6, 1000, 40
	logits := rows(3, n, vocab)
	mask := make([]uint32, n*words)
	masked := slices.Clone(logits)
	for i := range masked {
		row, token := i/vocab, i%vocab
		if token%(row+2) == 0 {
			mask[row*words+token/32] |= 1 << (token % 32)
		} else {
			masked[i] = -inf
		}
	}
	want := decodeBatch(t, samplersFor(t, n), &Batch{F32: masked, Vocab: vocab})
	batch := &Batch{F32: logits, Vocab: vocab, Mask: mask, MaskStride: words}
	if got := decodeBatch(t, samplersFor(t, n), batch); !slices.Equal(got, want) {
		t.Errorf("mask: %v, -infinity: %v", got, want)
	}
	// Tokens beyond the last word of a mask are banned.
	for i := range masked {
		masked[i] = logits[i]
		if i%vocab >= 64 {
			masked[i] = -inf
		}
	}
	short := slices.Repeat([]uint32{0xffffffff}, 2*n)
	want = decodeBatch(t, samplersFor(t, n), &Batch{F32: masked, Vocab: vocab})
	batch = &Batch{F32: logits, Vocab: vocab, Mask: short, MaskStride: 2}
	if got := decodeBatch(t, samplersFor(t, n), batch); !slices.Equal(got, want) {
		t.Errorf("short mask: %v, -infinity: %v", got, want)
	}
}

func TestFlagsFillTheirFields(t *testing.T) {
	logits := rows(4, 1, 100)
	results := make([]Result, 1)
	figures := func(r Result) [3]bool {
		return [3]bool{r.KeptMass == r.KeptMass, r.ModelLogprob == r.ModelLogprob, r.Entropy == r.Entropy}
	}
	for flags, want := range map[Flag][3]bool{
		0: {}, WantKeptMass: {true}, WantModelLogprob: {1: true}, WantEntropy: {2: true}, AcceptTokens: {},
		WantKeptMass | WantModelLogprob | WantEntropy | AcceptTokens: {true, true, true},
	} {
		if err := DecodeBatch(samplersFor(t, 1), &Batch{F32: logits, Vocab: 100, Flags: flags}, results); err != nil {
			t.Fatal(err)
		}
		if got := figures(results[0]); got != want {
			t.Errorf("flags %d fill %v, expected %v", flags, got, want)
		}
	}
}

func TestFailedRowLeavesOthersDecoded(t *testing.T) {
	const n, vocab = 7, 50
	logits := rows(5, n, vocab)
	want := decodeBatch(t, samplersFor(t, n), &Batch{F32: logits, Vocab: vocab})
	samplers, results := samplersFor(t, n), make([]Result, n)
	logits[1*vocab+3] = nan
	for i := range vocab {
		logits[4*vocab+i] = -inf
	}
	samplers[5] = samplers[0]
	samplers[6] = nil
	err := DecodeBatch(samplers, &Batch{F32: logits, Vocab: vocab, Threads: 3}, results)
	got := asBits(results)
	for _, r := range []int{0, 2, 3} {
		if got[r] != want[r] || RowErr(err, r) != nil {
			t.Errorf("row %d: %s with %v, alone %s", r, got[r], RowErr(err, r), want[r])
		}
	}
	for r, status := range map[int]Status{
		1: ErrInvalidLogits, 4: ErrEmptySupport, 5: ErrInvalidArgument, 6: ErrInvalidArgument,
	} {
		if !errors.Is(RowErr(err, r), status) || results[r].Status != status || results[r].Token != -1 {
			t.Errorf("row %d: %+v with %v", r, results[r], RowErr(err, r))
		}
	}
	var all *BatchError
	if !errors.As(err, &all) || len(all.Rows) != 4 || !errors.Is(err, ErrEmptySupport) || !errors.Is(err, ErrClosed) {
		t.Errorf("the error of the batch is %v", err)
	}
	if err.Error() != "row 1: bregman: logit 3 is NaN: logits must be finite or -infinity (and 3 more rows)" {
		t.Errorf("the message of the batch is %q", err)
	}
}
