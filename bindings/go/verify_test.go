//go:build cgo

package bregman

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
)

const drafted = "penalties(presence=0.5) | top_k(20) | draw"

func gather(logits []float32, numbers ...int) []float32 {
	var all []float32
	for _, n := range numbers {
		all = append(all, logits[n*200:][:200]...)
	}
	return all
}

func plain(t *testing.T, logits []float32, numbers ...int) []int32 {
	t.Helper()
	s := newSampler(t, drafted, 5)
	var tokens []int32
	for _, n := range numbers {
		tokens = append(tokens, step(t, s, logits[n*200:][:200]))
	}
	return tokens
}

func TestMatchGivesTheTokensOfPlainDecoding(t *testing.T) {
	logits := rows(5, 5, 200)
	expected := plain(t, logits, 0, 1, 2, 3)
	for right := range 4 {
		tokens := slices.Clone(expected[:3])
		for i := right; i < 3; i++ {
			tokens[i] = (tokens[i] + 1) % 200
		}
		s := newSampler(t, drafted, 5)
		accepted, path, results := make([]uint32, 1), make([]int32, 4), make([]Result, 4)
		batch := &Batch{F32: logits[:800], Vocab: 200, Flags: AcceptTokens, Threads: right}
		if err := Verify([]*Sampler{s}, []Draft{{Tokens: tokens}}, batch, accepted, path, results); err != nil {
			t.Fatal(err)
		}
		history := must[[]int32](t)(s.History())
		if int(accepted[0]) != right || !slices.Equal(history, expected[:right+1]) {
			t.Errorf("accepted %d of %d, history %v, not %v", accepted[0], right, history, expected)
		}
		for i, r := range results {
			token, place := int32(-1), int32(-1)
			if i <= right {
				token = expected[i]
			}
			if i < right {
				place = int32(i)
			}
			if r.Token != token || r.Status != OK || path[i] != place {
				t.Errorf("row %d: %+v, path %d", i, r, path[i])
			}
		}
	}
	// A tree.
	expected = plain(t, logits, 0, 2, 4)
	tree := Draft{Tokens: []int32{(expected[0] + 1) % 200, expected[0], (expected[1] + 1) % 200, expected[1]},
		Parents: []int32{-1, -1, 1, 1}}
	s := newSampler(t, drafted, 5)
	accepted, path, results := make([]uint32, 1), make([]int32, 5), make([]Result, 5)
	err := Verify([]*Sampler{s}, []Draft{tree}, &Batch{F32: logits, Vocab: 200}, accepted, path, results)
	if err != nil || accepted[0] != 2 || !slices.Equal(path, []int32{1, 3, -1, -1, -1}) || results[2].Token != expected[2] {
		t.Errorf("the tree: %v, %d, %v, %+v", err, accepted[0], path, results)
	}
}

func TestTheTextHasTheTargetsDistribution(t *testing.T) {
	const n = 4000
	p, q := []float64{.5, .3, .15, .05}, []float32{.2, .2, .2, .4}
	var logits []float32
	for range 2 {
		for _, x := range p {
			logits = append(logits, float32(math.Log(x)))
		}
	}
	var draftLogits []float32
	for _, x := range q {
		draftLogits = append(draftLogits, float32(math.Log(float64(x))))
	}
	for _, rule := range []Rule{RuleToken, RuleBlock} {
		var counts [4]float64
		total := 0.0
		drafting, s := newSampler(t, "draw", 99), newSampler(t, "draw", 7)
		var laws Distributions
		for i := range n {
			if i%500 == 0 {
				runtime.GC() // moves nothing that a draft points to
			}
			token := must[Result](t)(drafting.Decode(draftLogits)).Token
			if err := DistributionBatch([]*Sampler{drafting}, &Batch{F32: draftLogits, Vocab: 4}, &laws); err != nil {
				t.Fatal(err)
			}
			drafts := []Draft{{Rule: rule, Tokens: []int32{token}, Laws: &laws}}
			accepted, results := make([]uint32, 1), make([]Result, 2)
			if err := Verify([]*Sampler{s}, drafts, &Batch{F32: logits, Vocab: 4}, accepted, nil, results); err != nil {
				t.Fatal(err)
			}
			counts[results[0].Token]++
			total += float64(accepted[0])
		}
		chi := 0.0
		for i, count := range counts {
			chi += (count - p[i]*n) * (count - p[i]*n) / (p[i] * n)
		}
		// 3 degrees of freedom: p is 1e-6. The acceptance rate is the sum of min(p, q), .6.
		if chi > 30 || math.Abs(total-.6*n) > 5*math.Sqrt(.24*n) {
			t.Errorf("rule %d: chi-square %.1f, %v accepted", rule, chi, total)
		}
	}
}

func TestAFailedSequenceFailsNoOther(t *testing.T) {
	logits := rows(6, 4, 200)
	a, b := newSampler(t, drafted, 1), newSampler(t, drafted, 2)
	before := must[[]byte](t)(b.MarshalBinary())
	law := &Distributions{[]int{0, 2}, []int32{1, 2}, []float32{.5, .5}}
	drafts := []Draft{{Tokens: []int32{3}}, {Rule: RuleToken, Tokens: []int32{7}, Laws: law}}
	accepted, results := make([]uint32, 2), make([]Result, 4)
	err := Verify([]*Sampler{a, b}, drafts, &Batch{F32: logits, Vocab: 200}, accepted, nil, results)
	if RowErr(err, 0) != nil || !errors.Is(RowErr(err, 1), ErrInvalidArgument) || results[0].Token < 0 || accepted[1] != 0 {
		t.Errorf("%v, %+v", err, results)
	}
	if !slices.Equal(must[[]byte](t)(b.MarshalBinary()), before) {
		t.Error("the failed sequence changed")
	}
	learns := newSampler(t, "mirostat(tau=3)", 1)
	err = Verify([]*Sampler{learns}, []Draft{{Rule: RuleToken, Tokens: []int32{7}}}, &Batch{F32: logits, Vocab: 200}, accepted[:1], nil, results[:2])
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("a chain that learns: %v", err)
	}
}

func TestVerifyRefusesLengthsThatDoNotFit(t *testing.T) {
	s := newSampler(t, drafted, 1)
	one := []int32{3}
	laws := func(offsets ...int) Draft {
		return Draft{Rule: RuleToken, Tokens: one, Laws: &Distributions{offsets, []int32{1, 3}, []float32{.5, .5}}}
	}
	for name, c := range map[string]struct {
		draft                   Draft
		accepted, path, results int
		logits                  int
	}{
		"accepted":     {Draft{Tokens: one}, 2, 2, 2, 400},
		"path":         {Draft{Tokens: one}, 1, 1, 2, 400},
		"results":      {Draft{Tokens: one}, 1, 2, 3, 400},
		"logits":       {Draft{Tokens: one}, 1, 2, 2, 399},
		"parents":      {Draft{Tokens: one, Parents: []int32{-1, 0}}, 1, 2, 2, 400},
		"no offsets":   {laws(), 1, 2, 2, 400},
		"more offsets": {laws(0, 1, 2), 1, 2, 2, 400},
		"far offset":   {laws(0, 3), 1, 2, 2, 400},
		"from 1":       {laws(1, 2), 1, 2, 2, 400},
		"descending":   {laws(0, -1), 1, 2, 2, 400},
		"token":        {Draft{Tokens: []int32{-1}}, 1, 2, 2, 400},
		"rule":         {Draft{Rule: 3, Tokens: one}, 1, 2, 2, 400},
		"cycle":        {Draft{Tokens: one, Parents: []int32{0}}, 1, 2, 2, 400},
	} {
		results := make([]Result, c.results)
		err := Verify([]*Sampler{s}, []Draft{c.draft}, &Batch{F32: make([]float32, c.logits), Vocab: 200},
			make([]uint32, c.accepted), make([]int32, c.path), results)
		if !errors.Is(err, ErrInvalidArgument) || results[0].Status != ErrInvalidArgument {
			t.Errorf("%s: %v, %+v", name, err, results[0])
		}
	}
	if at := must[Place](t)(s.Where()); at.Position != 0 || at.History != 0 {
		t.Errorf("the sampler is at %+v", at)
	}
}

func TestRowsAreShared(t *testing.T) {
	logits := rows(7, 3, 200)
	index := []int{2, 2, 0}
	var samplers, others []*Sampler
	for i := range index {
		samplers, others = append(samplers, newSampler(t, "draw", uint64(i))), append(others, newSampler(t, "draw", uint64(i)))
	}
	got, want := make([]Result, 3), make([]Result, 3)
	given := []int32{1, -1, 2, 3, 4, 5}
	answers := &Answers{Source: OfDecoded, Given: 2, GivenIDs: given, GivenLogprobs: make([]float32, 6), Kept: 3,
		KeptIDs: make([]int32, 9), KeptOffsets: make([]int, 4), Logprobs: make([]float32, 3),
		OtherLogprobs: make([]float32, 3)}
	err := DecodeBatchAnswers(samplers, &Batch{F32: logits, Vocab: 200, RowIndex: index}, got, answers)
	if err := errors.Join(err, DecodeBatch(others, &Batch{F32: gather(logits, index...), Vocab: 200}, want)); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].Token != want[i].Token {
			t.Errorf("row %d: token %d, not %d", i, got[i].Token, want[i].Token)
		}
		// A chain of one drawing stage draws from the model's distribution.
		if math.Abs(float64(answers.Logprobs[i]-answers.OtherLogprobs[i])) > 1e-5 {
			t.Errorf("row %d: ln p is %v and %v", i, answers.Logprobs[i], answers.OtherLogprobs[i])
		}
	}
	if !slices.Equal(answers.KeptOffsets, []int{0, 3, 6, 9}) || !math.IsNaN(float64(answers.GivenLogprobs[1])) {
		t.Errorf("offsets %v, given %v", answers.KeptOffsets, answers.GivenLogprobs)
	}
	model := &Answers{Given: 2, GivenIDs: given, GivenLogprobs: make([]float32, 6)}
	if err := ModelAnswers(&Batch{F32: logits, Vocab: 200, RowIndex: index}, 3, model); err != nil {
		t.Fatal(err)
	}
	for i, x := range model.GivenLogprobs {
		if i != 1 && math.Abs(float64(x-answers.GivenLogprobs[i])) > 1e-5 {
			t.Errorf("given %d: %v, not %v", i, x, answers.GivenLogprobs[i])
		}
	}
	for _, wrong := range [][]int{{0, 1}, {0, 1, 3}, {0, -1, 1}} {
		err := DecodeBatch(samplers, &Batch{F32: logits, Vocab: 200, RowIndex: wrong}, got)
		if !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("indices %v: %v", wrong, err)
		}
	}
}
