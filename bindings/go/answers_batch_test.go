//go:build cgo

package bregman

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// answersFor has room for all answers, with gaps between the rows.
func answersFor(source Source, n, words int) *Answers {
	a := &Answers{
		Source: source, Logprobs: make([]float32, n), Ranks: make([]uint32, n),
		Top: 4, TopStride: 6, TopIDs: slices.Repeat([]int32{-7}, 6*n), TopLogprobs: slices.Repeat([]float32{7}, 6*n),
		Kept: 10, KeptStride: 11, KeptIDs: slices.Repeat([]int32{-7}, 11*n),
		KeptMask: make([]uint32, words*n), KeptMaskStride: words,
	}
	return a
}

func TestAnswersEqualThoseOfSingleRows(t *testing.T) {
	const n, vocab, words = 10, 300, 11
	logits := rows(21, n, vocab)
	plain := decodeBatch(t, samplersFor(t, n), &Batch{F32: logits, Vocab: vocab})
	for _, source := range []Source{OfModel, OfDecoded} {
		for _, threads := range []int{1, 3} {
			samplers, results, answers := samplersFor(t, n), make([]Result, n), answersFor(source, n, words)
			batch := &Batch{F32: logits, Vocab: vocab, Threads: threads}
			if err := DecodeBatchAnswers(samplers, batch, results, answers); err != nil {
				t.Fatal(err)
			}
			if got := asBits(results); !slices.Equal(got, plain) {
				t.Errorf("with answers: %v, without: %v", got, plain)
			}
			for r, result := range results {
				checkAnswers(t, samplers[r], logits[r*vocab:][:vocab], r, &result, answers)
			}
		}
	}
}

// checkAnswers compares row r with the same sampler's answers about the row alone.
func checkAnswers(t *testing.T, s *Sampler, row []float32, r int, result *Result, a *Answers) {
	t.Helper()
	ids, logprobs := make([]int32, len(row)), make([]float32, len(row))
	n := must[int](t)(s.TopLogprobs(row, a.Source, ids, logprobs))
	at := slices.Index(ids[:n], result.Token)
	if at < 0 || !near(a.Logprobs[r], float64(logprobs[at])) || int(a.Ranks[r]) != at+1 {
		t.Errorf("row %d: token %d has %v and rank %d; alone place %d of %d", r, result.Token, a.Logprobs[r], a.Ranks[r], at, n)
	}
	top := a.TopIDs[r*a.TopStride:][:a.TopStride]
	if !slices.Equal(top[:a.Top], ids[:a.Top]) || top[a.Top] != -7 {
		t.Errorf("row %d: the top is %v, alone %v", r, top, ids[:a.Top])
	}
	for i, v := range a.TopLogprobs[r*a.TopStride:][:a.Top] {
		if v != logprobs[i] && !near(v, float64(logprobs[i])) {
			t.Errorf("row %d: place %d has %v, alone %v", r, i, v, logprobs[i])
		}
	}
	support := int(result.Support)
	decoded := make([]int32, len(row))
	must[int](t)(s.TopLogprobs(row, OfDecoded, decoded, logprobs))
	want := slices.Concat(decoded[:min(support, a.Kept)], slices.Repeat([]int32{-1}, max(0, a.Kept-support)), []int32{-7})
	if kept := a.KeptIDs[r*a.KeptStride:][:a.KeptStride]; !slices.Equal(kept, want) {
		t.Errorf("row %d: kept %v, expected %v", r, kept, want)
	}
	mask := make([]uint32, a.KeptMaskStride)
	for _, id := range decoded[:support] {
		mask[id/32] |= 1 << (id % 32)
	}
	if got := a.KeptMask[r*a.KeptMaskStride:][:a.KeptMaskStride]; !slices.Equal(got, mask) {
		t.Errorf("row %d: the kept mask is %x, expected %x", r, got, mask)
	}
}

func TestAnswersOfAFailedRowAreNotWritten(t *testing.T) {
	const n, vocab, words = 3, 40, 2
	logits := rows(22, n, vocab)
	logits[vocab+1] = nan
	results, answers := make([]Result, n), answersFor(OfDecoded, n, words)
	answers.Logprobs[1], answers.Ranks[1], answers.KeptMask[words] = 3, 99, 5
	err := DecodeBatchAnswers(samplersFor(t, n), &Batch{F32: logits, Vocab: vocab}, results, answers)
	if !errors.Is(RowErr(err, 1), ErrInvalidLogits) || RowErr(err, 0) != nil || RowErr(err, 2) != nil {
		t.Errorf("the error of the batch is %v", err)
	}
	if answers.Logprobs[1] != 3 || answers.Ranks[1] != 99 || answers.KeptMask[words] != 5 || answers.TopIDs[6] != -7 ||
		answers.KeptIDs[11] != -7 {
		t.Errorf("the failed row has answers: %+v", answers)
	}
	if answers.Ranks[0] == 0 || answers.Ranks[2] == 0 {
		t.Errorf("the others have none: %+v", answers)
	}
}

func TestAnswersMayBePartialWithDefaultStrides(t *testing.T) {
	const n, vocab = 4, 70
	logits := rows(23, n, vocab)
	batch, results := &Batch{F32: logits, Vocab: vocab}, make([]Result, n)
	answers := &Answers{Logprobs: make([]float32, n)}
	batch.Flags = WantModelLogprob
	if err := DecodeBatchAnswers(samplersFor(t, n), batch, results, answers); err != nil {
		t.Fatal(err)
	}
	for r := range results {
		if !near(answers.Logprobs[r], float64(results[r].ModelLogprob)) {
			t.Errorf("row %d: %v, expected %v", r, answers.Logprobs[r], results[r].ModelLogprob)
		}
	}
	answers = &Answers{Top: 2, TopIDs: make([]int32, 2*n), Kept: 1, KeptIDs: make([]int32, n), KeptMask: make([]uint32, 3*n)}
	if err := DecodeBatchAnswers(samplersFor(t, n), batch, results, answers); err != nil {
		t.Fatal(err)
	}
	for r := range results {
		order, kept := ranked(logSoftmax(logits[r*vocab:][:vocab])), results[r].Token
		if !slices.Equal(answers.TopIDs[2*r:][:2], order[:2]) || answers.KeptIDs[r] != order[0] ||
			answers.KeptMask[3*r+int(kept)/32]>>(kept%32)&1 != 1 {
			t.Errorf("row %d: %+v, expected %v", r, answers, order[:2])
		}
	}
}

func TestDecodeBatchRefusesInvalidAnswers(t *testing.T) {
	six, five := make([]float32, 6), make([]int32, 5)
	for name, a := range map[string]*Answers{
		"unknown source":       {Source: 2},
		"few logprobs":         {Logprobs: six[:1]},
		"empty logprobs":       {Logprobs: six[:0]},
		"few ranks":            {Ranks: make([]uint32, 1)},
		"few top ids":          {Top: 3, TopIDs: five},
		"few top logprobs":     {Top: 4, TopLogprobs: six},
		"negative top":         {Top: -1, TopIDs: five},
		"top stride too small": {Top: 2, TopStride: 1, TopIDs: five},
		"negative top stride":  {Top: 1, TopStride: -4, TopIDs: five},
		"huge top stride":      {Top: 1, TopStride: math.MaxInt, TopIDs: five},
		"huge top":             {Top: math.MaxInt, TopIDs: five},
		"few kept ids":         {Kept: 3, KeptIDs: five},
		"kept stride beyond":   {Kept: 1, KeptStride: 5, KeptIDs: five},
		"few words":            {KeptMask: make([]uint32, 1)},
		"words beyond":         {KeptMask: make([]uint32, 3), KeptMaskStride: 2},
		"negative words":       {KeptMask: make([]uint32, 3), KeptMaskStride: -1},
	} {
		results := make([]Result, 2)
		err := DecodeBatchAnswers(samplersFor(t, 2), &Batch{F32: six, Vocab: 3}, results, a)
		if !errors.Is(err, ErrInvalidArgument) || results[0].Token != -1 || results[1].Status != ErrInvalidArgument {
			t.Errorf("%s: %v, %+v", name, err, results)
		}
	}
	if err := DecodeBatchAnswers(nil, &Batch{F32: six, Vocab: 3}, nil, &Answers{Top: 9, TopIDs: five}); err != nil {
		t.Errorf("no rows: %v", err)
	}
}
