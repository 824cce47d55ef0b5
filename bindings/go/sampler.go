package bregman

import (
	"math"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Sampler is a chain and the state of one sequence: seed, random position, history, logit bias, mask. [New] and
// [Sampler.Clone] make one; a nil or zero Sampler is a closed one.
type Sampler struct {
	handle  uintptr
	cleanup runtime.Cleanup
	// user is idle, closed, or the ticket of the call that is inside.
	user atomic.Uint64
}

const (
	idle   = 0
	single = 1 // the ticket of all calls on one sampler
	closed = math.MaxUint64
)

// New makes a sampler from a chain such as "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", at position 0 of
// the random numbers of seed. There is no seed that means "random".
//
// Errors: [ErrInvalidChain] (the message names stage, parameter and range), [ErrUnsupported], and why there is no native
// library ([ErrNoCgo], [ErrNoLibrary], [ErrWrongLibrary]). Safe for concurrent use.
func New(chain string, seed uint64) (*Sampler, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	if strings.IndexByte(chain, 0) >= 0 {
		return nil, invalid("the chain has a NUL byte")
	}
	handle, status, message := native.New(append([]byte(chain), 0), seed)
	if status != uint32(OK) {
		return nil, &Error{Status(status), message}
	}
	return adopt(handle), nil
}

// adopt makes a sampler of a handle that nobody else has.
func adopt(handle uintptr) *Sampler {
	s := &Sampler{handle: handle}
	s.cleanup = runtime.AddCleanup(s, native.Free, handle)
	return s
}

// enter keeps other calls out until leave.
func (s *Sampler) enter(ticket uint64) error {
	if s == nil || s.handle == 0 {
		return ErrClosed
	}
	if s.user.CompareAndSwap(idle, ticket) {
		return nil
	}
	if s.user.Load() == closed {
		return ErrClosed
	}
	return ErrInUse
}

func (s *Sampler) leave() { s.user.Store(idle) }

// check turns a status into an error, with the message that the library left on the handle. Before leave.
func (s *Sampler) check(status uint32) error {
	if status == uint32(OK) {
		return nil
	}
	return &Error{Status(status), native.Error(s.handle)}
}

// Clone makes an independent sampler in the same state: chain, seed, position, history, logit bias and mask
// included.
func (s *Sampler) Clone() (*Sampler, error) {
	if err := s.enter(single); err != nil {
		return nil, err
	}
	defer s.leave()
	handle, status := native.Clone(s.handle)
	if err := s.check(status); err != nil {
		return nil, err
	}
	return adopt(handle), nil
}

// Close gives the native memory back. Closing again, or closing nil, does nothing. If another goroutine is calling the
// sampler, Close fails with [ErrInUse] and the sampler stays open.
func (s *Sampler) Close() error {
	if s == nil || s.handle == 0 {
		return nil
	}
	if !s.user.CompareAndSwap(idle, closed) {
		if s.user.Load() == closed {
			return nil
		}
		return ErrInUse
	}
	s.cleanup.Stop()
	native.Free(s.handle)
	// Until here the sampler is reachable, so the cleanup was not on its way when it was stopped.
	runtime.KeepAlive(s)
	return nil
}

// Reset brings the sampler back to as created: the seed of creation, position 0, no history, no logit bias, no
// mask.
func (s *Sampler) Reset() error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	return s.check(native.Reset(s.handle))
}

// Reseed continues with the random numbers of seed at position. The position counts the rows that the sampler decoded or
// applied: the number of tokens so far resumes a sequence, on any machine.
func (s *Sampler) Reseed(seed, position uint64) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	return s.check(native.Reseed(s.handle, seed, position))
}

// Accept appends tokens to the history that stages about repetition look at: the prompt's, and each token that the
// sequence went on with ([AcceptTokens] does that in a batch). If one is negative none is taken: [ErrInvalidArgument].
// What is accepted before the first row is the prompt: [Sampler.SetPromptLength].
func (s *Sampler) Accept(tokens ...int32) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	return s.check(native.Accept(s.handle, tokens))
}

// SetLogitBias replaces the logit bias: bias[i] is added to the logit of token ids[i] before any stage; -infinity bans
// the token. Without ids there is no bias any more. Ids beyond a row's vocabulary are ignored there.
//
// [ErrInvalidArgument]: lengths that differ, an id that is negative or named twice, a bias that is NaN or +infinity; then
// the old bias stays.
func (s *Sampler) SetLogitBias(ids []int32, bias []float32) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	if len(ids) != len(bias) {
		return invalid("there are %d ids and %d biases", len(ids), len(bias))
	}
	return s.check(native.SetLogitBias(s.handle, ids, bias))
}

// SetMask allows only the tokens whose bit is set, in every row and candidate array from now on: token t is bit t % 32 of
// word t / 32 (the layout of llguidance and xgrammar), tokens beyond the words are banned. A mask that a batch gives holds
// as well. The words are copied; nil allows all tokens again.
//
// [ErrInvalidArgument]: words that are empty but not nil; then the old mask stays.
func (s *Sampler) SetMask(words []uint32) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	return s.check(native.SetMask(s.handle, words))
}

// SetPromptLength says that the first n tokens of the history are the prompt and the others output, for a sequence that is
// resumed. Stages with scope=output look at the output only. Without this call the prompt is what was accepted before the
// first row that was decoded, applied, processed or looked at.
//
// [ErrInvalidArgument]: n is negative, or the history has not so many tokens.
func (s *Sampler) SetPromptLength(n int) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	if n < 0 {
		return invalid("the prompt's length is %d", n)
	}
	return s.check(native.SetPromptLength(s.handle, n))
}

// Describe is the chain in its canonical form, which New takes again.
func (s *Sampler) Describe() (string, error) {
	if err := s.enter(single); err != nil {
		return "", err
	}
	defer s.leave()
	return native.Describe(s.handle), nil
}
