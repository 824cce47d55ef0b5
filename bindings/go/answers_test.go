//go:build cgo

package bregman

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"testing"
)

// logSoftmax is the definition.
func logSoftmax(row []float32) []float64 {
	total, top := 0.0, float64(slices.Max(row))
	for _, v := range row {
		total += math.Exp(float64(v) - top)
	}
	logprobs := make([]float64, len(row))
	for i, v := range row {
		logprobs[i] = float64(v) - top - math.Log(total)
	}
	return logprobs
}

// ranked are the tokens in descending order, ties by ascending id.
func ranked(values []float64) []int32 {
	ids := make([]int32, len(values))
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortStableFunc(ids, func(a, b int32) int { return cmp.Compare(values[b], values[a]) })
	return ids
}

func near(a float32, b float64) bool { return math.Abs(float64(a)-b) <= 1e-5*max(1, math.Abs(b)) }

func TestTopLogprobsOfModelAreLogSoftmax(t *testing.T) {
	logits := rows(11, 1, 800)
	want := logSoftmax(logits)
	order := ranked(want)
	s := newSampler(t, chains[0], 3)
	ids, logprobs := make([]int32, 30), make([]float32, 30)
	if n := must[int](t)(s.TopLogprobs(logits, OfModel, ids, logprobs)); n != 30 || !slices.Equal(ids, order[:30]) {
		t.Fatalf("%d: %v, expected %v", n, ids, order[:30])
	}
	for i, id := range ids {
		if !near(logprobs[i], want[id]) {
			t.Errorf("token %d: %v, expected %v", id, logprobs[i], want[id])
		}
	}
	if n := must[int](t)(s.TopLogprobs(logits, OfModel, nil, nil)); n != 0 {
		t.Errorf("none were requested, %d returned", n)
	}
}

func TestTopLogprobsOfDecodedEqualTheDistribution(t *testing.T) {
	logits := rows(12, 1, 800)
	s := newSampler(t, "top_k(7) | bregman(alpha=1.5, k=5)", 3)
	ids, probs := make([]int32, 800), make([]float32, 800)
	n := must[int](t)(s.Distribution(logits, ids, probs))
	topIDs, logprobs := make([]int32, n+2), make([]float32, n+2)
	if top := must[int](t)(s.TopLogprobs(logits, OfDecoded, topIDs, logprobs)); n != 5 || top != n {
		t.Fatalf("%d of %d tokens", top, n)
	}
	for i := range n {
		if topIDs[i] != ids[i] || !near(logprobs[i], math.Log(float64(probs[i]))) {
			t.Errorf("rank %d: %d with %v, expected %d with ln %v", i, topIDs[i], logprobs[i], ids[i], probs[i])
		}
	}
	for i := n; i < n+2; i++ {
		if topIDs[i] != -1 || logprobs[i] != -inf {
			t.Errorf("beyond the support: %d with %v", topIDs[i], logprobs[i])
		}
	}
}

func TestDrawManyDrawsWithoutReplacement(t *testing.T) {
	logits := rows(13, 1, 600)
	const chain = "temperature(0.9) | top_k(12) | "
	many, more, one := newSampler(t, chain+"draw", 8), newSampler(t, chain+"draw", 8), newSampler(t, chain+"gumbel", 8)
	kept, probs := make([]int32, 12), make([]float32, 12)
	must[int](t)(many.Distribution(logits, kept, probs))
	for step := range 20 {
		ids, logprobs, scores := make([]int32, 15), make([]float32, 15), make([]float32, 15)
		if n := must[int](t)(many.DrawMany(logits, ids, logprobs, scores)); n != 12 {
			t.Fatalf("step %d: %d of 12 tokens", step, n)
		}
		ids, scores = ids[:12], scores[:12]
		if !slices.IsSortedFunc(scores, func(a, b float32) int { return cmp.Compare(b, a) }) {
			t.Errorf("step %d: the scores are %v", step, scores)
		}
		for i, id := range ids {
			at := slices.Index(kept, id)
			if at < 0 || slices.Contains(ids[:i], id) || !near(logprobs[i], math.Log(float64(probs[at]))) {
				t.Errorf("step %d: draw %d is %d with %v", step, i, id, logprobs[i])
			}
		}
		few := make([]int32, 3)
		must[int](t)(more.DrawMany(logits, few, make([]float32, 3), nil))
		if r := must[Result](t)(one.Decode(logits)); !slices.Equal(few, ids[:3]) || r.Token != ids[0] {
			t.Errorf("step %d: three are %v, one is %d, all are %v", step, few, r.Token, ids)
		}
	}
}

func TestMaskHoldsUntilItIsRemoved(t *testing.T) {
	logits := []float32{1, 5, 4, 3, 2}
	s := newSampler(t, "greedy", 0)
	check := func(want int32) {
		t.Helper()
		if got := must[Result](t)(s.Decode(logits)).Token; got != want {
			t.Errorf("token %d, expected %d", got, want)
		}
	}
	set := func(words ...uint32) {
		t.Helper()
		if err := s.SetMask(words); err != nil {
			t.Fatal(err)
		}
	}
	check(1)
	set(0b11001)
	check(3)
	check(3)
	clone := must[*Sampler](t)(s.Clone())
	defer clone.Close()
	if r := must[Result](t)(clone.Decode(logits)); r.Token != 3 {
		t.Errorf("the clone: token %d", r.Token)
	}
	// The mask of a batch applies, too.
	results := make([]Result, 1)
	if err := DecodeBatch([]*Sampler{s}, &Batch{F32: logits, Vocab: 5, Mask: []uint32{0b10111}}, results); err != nil {
		t.Fatal(err)
	}
	if results[0].Token != 4 {
		t.Errorf("both masks: token %d", results[0].Token)
	}
	// A mask that is refused leaves the old one.
	if err := s.SetMask([]uint32{}); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("an empty mask: %v", err)
	}
	check(3)
	set(0)
	if _, err := s.Decode(logits); !errors.Is(err, ErrEmptySupport) {
		t.Errorf("nothing is allowed: %v", err)
	}
	set()
	check(1)
}

func TestSetPromptLengthSeparatesPromptAndOutput(t *testing.T) {
	logits := []float32{1, 5, 4}
	s := newSampler(t, "penalties(repeat=10, scope=output) | greedy", 0)
	check := func(want int32) {
		t.Helper()
		if got := must[Result](t)(s.Decode(logits)).Token; got != want {
			t.Errorf("token %d, expected %d", got, want)
		}
	}
	if err := s.Accept(1, 2, 1); err != nil {
		t.Fatal(err)
	}
	check(1)
	for n, want := range map[int]int32{3: 1, 2: 2, 0: 0, 1: 0} {
		if err := s.SetPromptLength(n); err != nil {
			t.Fatal(err)
		}
		check(want)
	}
	if err := s.SetPromptLength(4); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("a prompt longer than the history: %v", err)
	}
}
