//go:build cgo

package bregman

import "testing"

// Calls that succeed allocate no Go memory.
func TestCallsAllocateNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const vocab = 4096
	logits := rows(1, 8, vocab)
	half := make([]uint16, len(logits))
	row, scratch := logits[:vocab], make([]float32, vocab)
	ids, probs := make([]int32, vocab), make([]float32, vocab)
	candidates := make([]Candidate, vocab)
	s, samplers, results := newSampler(t, chains[0], 1), samplersFor(t, 8), make([]Result, 8)
	mask := make([]uint32, 8*vocab/32)
	for i := range mask {
		mask[i] = 0xffffffff
	}
	answers := &Answers{
		Source: OfDecoded, Logprobs: make([]float32, 8), Ranks: make([]uint32, 8), Top: 5, TopIDs: make([]int32, 40),
		TopLogprobs: make([]float32, 40), Kept: 9, KeptIDs: make([]int32, 72), KeptMask: make([]uint32, len(mask)),
	}
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range map[string]func(){
		"Decode":       func() { _, err := s.Decode(row); check(err) },
		"Distribution": func() { _, err := s.Distribution(row, ids, probs); check(err) },
		"Process":      func() { copy(scratch, row); check(s.Process(scratch)) },
		"Apply": func() {
			for i := range candidates {
				candidates[i] = Candidate{ID: int32(i), Logit: row[i]}
			}
			check(s.Apply(&Candidates{Data: candidates, Selected: -1}))
		},
		"Accept":          func() { check(s.Accept(17)) },
		"Reset":           func() { check(s.Reset()) },
		"Reseed":          func() { check(s.Reseed(1, 2)) },
		"SetMask":         func() { check(s.SetMask(mask[:vocab/32])) },
		"SetPromptLength": func() { check(s.SetPromptLength(0)) },
		"TopLogprobs":     func() { _, err := s.TopLogprobs(row, OfDecoded, ids[:20], probs[:20]); check(err) },
		"DrawMany":        func() { _, err := s.DrawMany(row, ids[:20], probs[:20], scratch[:20]); check(err) },
		"DecodeBatchAnswers": func() {
			check(DecodeBatchAnswers(samplers, &Batch{F32: logits, Vocab: vocab, Mask: mask}, results, answers))
		},
		"SetLogitBias": func() { check(s.SetLogitBias(ids[:1], probs[:1])) },
		"DecodeBatch":  func() { check(DecodeBatch(samplers, &Batch{F32: logits, Vocab: vocab, Mask: mask}, results)) },
		"DecodeBatch of halves on two threads": func() {
			check(DecodeBatch(samplers, &Batch{BF16: half, Vocab: vocab, Threads: 2, Flags: WantEntropy}, results))
		},
	} {
		if allocations := testing.AllocsPerRun(300, call); allocations != 0 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}
