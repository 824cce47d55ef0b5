package bregman

import (
	"math"
	"unsafe"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Candidate is a token in an engine's own array, laid out as llama.cpp's llama_token_data.
type Candidate struct {
	ID    int32
	Logit float32
	P     float32 // probability; only written, never read
}

// Candidates are an engine's array of candidates.
type Candidates struct {
	Data     []Candidate
	Selected int  // position in Data of the token that was taken; -1 for none
	Sorted   bool // whether Data is in descending order of logit; never trusted
}

// Apply applies the chain to candidates in place, as one stage of an engine's own chain, and advances the random
// position by one.
//
// The candidates may be in any order and any subset of the vocabulary. If the chain drops tokens, the kept ones move to
// the front in descending order with P filled in, and Data becomes shorter; else the array keeps its order. Logits stay
// the engine's own, divided by the temperature; after a bregman stage with alpha other than 1 they are ln p. If the chain
// ends with a drawing stage, Selected is the position of its token and every P is filled in.
//
// A failed call changes nothing: [ErrInvalidArgument] (nil), [ErrEmptySupport] (no candidates, all -infinity),
// [ErrInvalidLogits].
func (s *Sampler) Apply(c *Candidates) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	if c == nil || len(c.Data) > math.MaxInt32 {
		return invalid("the candidates are nil, or more than %d", math.MaxInt32)
	}
	if len(c.Data) == 0 {
		return &Error{ErrEmptySupport, "there are no candidates"}
	}
	size, selected, sorted, status := native.Apply(s.handle, unsafe.Pointer(unsafe.SliceData(c.Data)), len(c.Data), c.Sorted)
	if err := s.check(status); err != nil {
		return err
	}
	c.Data, c.Selected, c.Sorted = c.Data[:size], int(selected), sorted
	return nil
}
