package bregman

import (
	"math"
	"unsafe"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Result of one row, with the layout of the library's bregman_result.
type Result struct {
	Token   int32   // the token, from 0 to vocab - 1; -1 unless Status is OK
	Status  Status  // OK, or why this row has no token
	Support uint32  // number of tokens with positive probability under the decoded distribution; 0 without a token
	P       float32 // probability of the token under the decoded distribution, in (0, 1]; NaN without a token
	// KeptMass is the probability mass of the support before truncation, in (0, 1]: under the distribution that the
	// first truncating stage received, after mask, bias and temperature. 1 if no token was dropped. NaN unless
	// WantKeptMass.
	KeptMass float32
	// ModelLogprob is ln of the token's probability under the untouched logits (no mask, no bias, no stage, temperature
	// 1). NaN unless WantModelLogprob, or if an untouched logit is NaN or +infinity.
	ModelLogprob float32
	Entropy      float32 // of the decoded distribution, in nats; NaN unless WantEntropy
	// LnKeptMass is ln of the model's probability mass on the support, at most 0 and exact near it: under the untouched
	// logits at the temperature that the first truncating stage received. NaN unless WantLnKept, or if an untouched logit
	// is NaN or +infinity.
	LnKeptMass float32
}

func failed(status Status) Result {
	nan := float32(math.NaN())
	return Result{Token: -1, Status: status, P: nan, KeptMass: nan, ModelLogprob: nan, Entropy: nan,
		LnKeptMass: nan}
}

// checkRow refuses a row as the library does, whose message for an empty one is about NULL.
func checkRow(logits []float32) error {
	if len(logits) == 0 || len(logits) > math.MaxInt32 {
		return invalid("vocab is %d: a row has 1 to %d logits", len(logits), math.MaxInt32)
	}
	return nil
}

// Decode decodes one row, in which index i is the logit of token i, into a token, and advances the random position by
// one. The token is not added to the history: call [Sampler.Accept]. The logits are only read. On an error the result
// has token -1 and the status.
//
// Errors: [ErrInvalidArgument] (no logits), [ErrInvalidLogits] (a logit that is not masked is NaN or +infinity),
// [ErrEmptySupport] (every logit is masked or -infinity), [ErrUnsupported] (the chain does not end with a drawing
// stage).
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

// Distribution writes the decoded distribution of a row to ids and probs, in descending order of probability (ties:
// ascending id), and returns its number of entries. It is what a drawing stage at the end of the chain draws from.
// Draws nothing and advances nothing. If the chain drops no token, every token has an entry.
//
// If ids or probs are shorter, nothing is written and the required number is returned with [ErrBufferTooSmall]. Other
// errors are those of [Sampler.Decode], with number 0; the chain needs no drawing stage. Not for chains with a stage
// that learns ([Stage.Learns]), which does not learn from tokens that the host draws.
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

// TopLogprobs writes the most likely tokens of a row and their ln p to ids and logprobs, in descending order (ties:
// ascending id). It returns their number: len(ids), or the number of tokens with positive probability if that is
// smaller;
// -1 and -infinity fill the rest. Draws nothing and advances nothing. [OfModel] does not use the chain.
//
// Errors: [ErrInvalidArgument] (ids and logprobs have different lengths, unknown source); others as [Sampler.Decode],
// but the chain needs no drawing stage.
func (s *Sampler) TopLogprobs(logits []float32, source Source, ids []int32, logprobs []float32) (int, error) {
	if err := s.enter(single); err != nil {
		return 0, err
	}
	defer s.leave()
	if err := checkRow(logits); err != nil {
		return 0, err
	}
	if len(ids) != len(logprobs) {
		return 0, invalid("ids and logprobs have %d and %d elements, but must have the same number", len(ids), len(logprobs))
	}
	n, status := native.TopLogprobs(s.handle, logits, uint32(source), ids, logprobs)
	return n, s.check(status)
}

// DrawMany draws len(ids) different tokens from the decoded distribution of a row, without replacement: each in
// proportion to its probability among the tokens not drawn yet. It returns their number, which is the size of the
// support if that is smaller, and advances the random position by one. Adds nothing to the history. For best-of-n,
// sampled beams, or several children of a search node.
//
// ids and logprobs receive the tokens in the order of the draw and their ln p under the decoded distribution; scores,
// if not nil, logprobs plus the Gumbel noise of each token, in descending order. The noise depends only on seed,
// position and token: the first token is the one that the chain with gumbel as its drawing stage decodes, and more room
// appends tokens to the same ones. A drawing stage at the end of the chain draws nothing here; greedy leaves one token.
//
// Errors: [ErrInvalidArgument] (no elements, different lengths); others as [Sampler.Decode], but the chain needs no
// drawing stage.
func (s *Sampler) DrawMany(logits []float32, ids []int32, logprobs, scores []float32) (int, error) {
	if err := s.enter(single); err != nil {
		return 0, err
	}
	defer s.leave()
	if err := checkRow(logits); err != nil {
		return 0, err
	}
	if len(ids) == 0 || len(ids) != len(logprobs) || (scores != nil && len(scores) != len(ids)) {
		return 0, invalid("ids, logprobs and scores have %d, %d and %d elements, but must have the same number, at least 1",
			len(ids), len(logprobs), len(scores))
	}
	n, status := native.DrawMany(s.handle, logits, ids, logprobs, scores)
	return n, s.check(status)
}

// Process replaces the logits of a row by ln p of the decoded distribution, -infinity off its support, for hosts that
// draw themselves. Draws nothing and advances nothing. On an error the logits are unchanged. Errors are those of
// [Sampler.Decode], but the chain needs no drawing stage. Not for chains with a stage that learns ([Stage.Learns]),
// which does not learn from tokens that the host draws.
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
