package bregman

import (
	"math"
	"unsafe"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Result is one row's answer, laid out as the library's bregman_result.
type Result struct {
	Token        int32   // the token's id; -1 unless Status is OK
	Status       Status  // OK, or why this row has no token
	Support      uint32  // tokens with positive probability under the decoded distribution; 0 without a token
	P            float32 // the token's probability under the decoded distribution, in (0, 1]; NaN without a token
	KeptMass     float32 // the model's mass on the support, at its first truncation; NaN unless WantKeptMass
	ModelLogprob float32 // ln of the token's probability under the untouched logits; NaN unless WantModelLogprob
	Entropy      float32 // of the decoded distribution, in nats; NaN unless WantEntropy
	reserved     uint32
}

func failed(status Status) Result {
	nan := float32(math.NaN())
	return Result{Token: -1, Status: status, P: nan, KeptMass: nan, ModelLogprob: nan, Entropy: nan}
}

// checkRow refuses what the library would, but with a row that Go calls empty and C calls NULL.
func checkRow(logits []float32) error {
	if len(logits) == 0 || len(logits) > math.MaxInt32 {
		return invalid("vocab is %d: a row has 1 to %d logits", len(logits), math.MaxInt32)
	}
	return nil
}

// Decode decodes one row, in which index i belongs to token i, and advances the random position by one; nothing is
// accepted into the history. The logits are only read. On an error the result has token -1 and the status.
//
// Errors: [ErrInvalidArgument] (no logits), [ErrInvalidLogits] (NaN, +infinity), [ErrEmptySupport] (all -infinity),
// [ErrUnsupported] (the chain has no drawing stage).
func (s *Sampler) Decode(logits []float32) (Result, error) {
	if err := s.enter(single); err != nil {
		return failed(ErrInvalidArgument), err
	}
	defer s.leave()
	if err := checkRow(logits); err != nil {
		return failed(ErrInvalidArgument), err
	}
	var result Result
	status := native.Decode(s.handle, logits, unsafe.Pointer(&result))
	return result, s.check(status)
}

// Distribution writes the decoded distribution of a row into ids and probs, in descending order of probability (ties:
// ascending id), and returns its number of entries: what a drawing stage at the chain's end would draw from. It draws
// nothing and advances nothing. A chain that drops no token has as many entries as the row.
//
// If ids or probs are shorter than that, the number is returned with [ErrBufferTooSmall] and nothing is written. Other
// errors are as for [Sampler.Decode]; then the number is 0. A chain without a drawing stage has a distribution too.
func (s *Sampler) Distribution(logits []float32, ids []int32, probs []float32) (int, error) {
	if err := s.enter(single); err != nil {
		return 0, err
	}
	defer s.leave()
	if err := checkRow(logits); err != nil {
		return 0, err
	}
	capacity := min(len(ids), len(probs))
	n, status := native.Distribution(s.handle, logits, ids[:capacity], probs[:capacity])
	return n, s.check(status)
}

// TopLogprobs writes the most likely tokens of a row and the logarithms of their probabilities into ids and logprobs, in
// descending order (ties: ascending id), and returns how many there are: as many as there is room for, or the tokens with
// positive probability if those are fewer; -1 and -infinity fill the rest. It draws nothing and advances nothing. With
// [OfModel] the chain is not asked.
//
// [ErrInvalidArgument]: ids and logprobs differ in length, or source is neither. Other errors are as for
// [Sampler.Decode], but a chain without a drawing stage has log-probabilities too.
func (s *Sampler) TopLogprobs(logits []float32, source Source, ids []int32, logprobs []float32) (int, error) {
	if err := s.enter(single); err != nil {
		return 0, err
	}
	defer s.leave()
	if err := checkRow(logits); err != nil {
		return 0, err
	}
	if len(ids) != len(logprobs) {
		return 0, invalid("there is room for %d ids and %d logprobs", len(ids), len(logprobs))
	}
	n, status := native.TopLogprobs(s.handle, logits, uint32(source), ids, logprobs)
	return n, s.check(status)
}

// DrawMany draws len(ids) different tokens from the decoded distribution of a row, without replacement: each in proportion
// to its probability among those that are left. It returns how many it drew, the support if that is smaller, and advances
// the random position by one; nothing is accepted. For best-of-n, sampled beams, several children of a node.
//
// ids and logprobs receive them in the order in which they were drawn, with ln p under the decoded distribution. scores
// may be nil; else it receives these with the token's Gumbel noise added, by which the draw is ordered. The noise depends
// on seed, position and token alone: the first token is what the same chain with gumbel at its end decodes, and more room
// appends. A drawing stage at the chain's end is not asked for a token (greedy leaves one token, though).
//
// [ErrInvalidArgument]: no room, or lengths that differ. Other errors are as for [Sampler.Decode], but a chain without a
// drawing stage draws too.
func (s *Sampler) DrawMany(logits []float32, ids []int32, logprobs, scores []float32) (int, error) {
	if err := s.enter(single); err != nil {
		return 0, err
	}
	defer s.leave()
	if err := checkRow(logits); err != nil {
		return 0, err
	}
	if len(ids) == 0 || len(ids) != len(logprobs) || (scores != nil && len(scores) != len(ids)) {
		return 0, invalid("there is room for %d ids, %d logprobs and %d scores", len(ids), len(logprobs), len(scores))
	}
	n, status := native.DrawMany(s.handle, logits, ids, logprobs, scores)
	return n, s.check(status)
}

// Process replaces a row's logits by ln p of the decoded distribution, -infinity off the support: for hosts that draw
// for themselves. It draws nothing and advances nothing; on an error the logits are as they were. Errors are as for
// [Sampler.Decode], but a chain without a drawing stage processes too.
func (s *Sampler) Process(logits []float32) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	if err := checkRow(logits); err != nil {
		return err
	}
	return s.check(native.Process(s.handle, logits))
}
