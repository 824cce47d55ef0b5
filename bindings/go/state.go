package bregman

import (
	"runtime"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// MarshalBinary returns the sampler as bytes, of which [Restore] makes one that goes on as this one would: in another
// process, language or machine. They have the chain, the seeds, the position, the history, the length of the prompt, the
// logit bias, the mask, and what the chain has learnt. The same state gives the same bytes everywhere; docs/state.md
// describes them. The keys of watermarks are in them.
//
// It implements [encoding.BinaryMarshaler], so that a *Sampler can be sent with encoding/gob.
func (s *Sampler) MarshalBinary() ([]byte, error) {
	if err := s.enter(single); err != nil {
		return nil, err
	}
	defer s.leave()
	n, _ := native.Save(s.handle, nil)
	state := make([]byte, n)
	_, status := native.Save(s.handle, state)
	return state, s.check(status)
}

// Restore makes a sampler from the bytes of [Sampler.MarshalBinary], or of the library's other bindings, of this or an
// earlier version. Bytes may come from anywhere: those that are not a state are [ErrInvalidArgument], as is a state whose
// chain names generators, which Go does not have. Their checksum does not prove who wrote them. Other errors are those of
// [New]. Safe for concurrent use.
func Restore(state []byte) (*Sampler, error) {
	handle, err := load(state)
	if err != nil {
		return nil, err
	}
	return adopt(handle), nil
}

// UnmarshalBinary makes a zero Sampler the one that the bytes of [Sampler.MarshalBinary] describe; see [Restore]. A
// sampler that is not zero is [ErrInvalidArgument] and stays as it is. It implements [encoding.BinaryUnmarshaler].
func (s *Sampler) UnmarshalBinary(state []byte) error {
	if s == nil || s.handle != 0 {
		return invalid("a state can only be read into a zero Sampler: use Restore")
	}
	handle, err := load(state)
	if err != nil {
		return err
	}
	s.handle = handle
	s.cleanup = runtime.AddCleanup(s, native.Free, handle)
	return nil
}

func load(state []byte) (uintptr, error) {
	if err := Load(""); err != nil {
		return 0, err
	}
	handle, status, message := native.Load(state)
	if status != uint32(OK) {
		return 0, &Error{Status(status), message}
	}
	return handle, nil
}

// Rewind takes the last n tokens of the history back: the sampler is as it was when they had not been decoded yet. That is
// the history, the random position, which goes back by the rows that those tokens took and by rows decoded since, and
// what the chain has learnt. The same logits then give the same tokens. Seed, logit bias and mask stay. For exact steps
// accept each token before the next row.
//
// If the prompt is cut, or all output is taken back, tokens accepted before the next row are prompt again.
// [ErrInvalidArgument]: n is negative, or above the length of the history; nothing is changed.
func (s *Sampler) Rewind(n int) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	if n < 0 {
		return invalid("n is %d: a number of tokens is not negative", n)
	}
	return s.check(native.Rewind(s.handle, n))
}

// A Place is where a sampler is.
type Place struct {
	Seed, Position uint64 // of the next row's random numbers
	History        int    // number of tokens of the history
	Prompt         int    // how many of them are the prompt: all of them before the first row
}

// Where returns where the sampler is.
func (s *Sampler) Where() (Place, error) {
	if err := s.enter(single); err != nil {
		return Place{}, err
	}
	defer s.leave()
	seed, position, history, prompt, status := native.Where(s.handle)
	return Place{seed, position, history, prompt}, s.check(status)
}

// History returns a copy of the history, prompt first.
func (s *Sampler) History() ([]int32, error) {
	if err := s.enter(single); err != nil {
		return nil, err
	}
	defer s.leave()
	n, _ := native.History(s.handle, nil)
	tokens := make([]int32, n)
	_, status := native.History(s.handle, tokens)
	return tokens, s.check(status)
}
