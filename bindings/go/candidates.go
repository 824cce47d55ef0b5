package bregman

import (
	"math"
	"unsafe"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Candidate of an engine's own array, with the layout of llama.cpp's llama_token_data.
type Candidate struct {
	ID    int32
	Logit float32
	P     float32 // probability; written only
}

// Candidates are the candidate array of an engine.
type Candidates struct {
	Data     []Candidate
	Selected int  // position in Data of the selected token, -1 for none; written only
	Sorted   bool // whether Data is in descending order of logit; written only
}

// Apply applies the chain to the candidates in place, as one stage of an engine's own chain, and advances the random
// position by one.
//
// The candidates may be any subset of the vocabulary, in any order. A truncating stage moves the kept candidates to the
// front in descending order of logit: Data is then shorter, P is their probability, Sorted is true and Selected -1.
// (xtc without another truncation keeps their order, and leaves P unchanged.)
// Without a truncating stage Data keeps its length and order, and P and Selected are unchanged; Sorted becomes false if
// a mask, a bias or a stage may have changed which logits are larger; masked tokens have logit -infinity, and those
// that a leading xtc drops are removed, with Selected -1. If the chain ends with a drawing stage, Selected is the
// position of the token that it drew, and P is written in either case.
//
// Logits are those of the stages' definitions, ln p after a bregman stage with alpha other than 1: their softmax is the
// decoded distribution. If the largest is beyond ±1024, all are taken relative to it.
//
// A call that fails changes nothing: [ErrInvalidArgument] (nil), [ErrEmptySupport] (no candidates, or every logit is
// masked or -infinity), [ErrInvalidLogits] (NaN, +infinity).
func (s *Sampler) Apply(c *Candidates) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	if c == nil || len(c.Data) > math.MaxInt32 {
		return invalid("the candidates are nil or more than %d", math.MaxInt32)
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
