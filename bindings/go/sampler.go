package bregman

import (
	"math"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Sampler is a chain and the state of one sequence: seed and position of its random numbers, history, logit bias,
// mask, and what stages that learn have learnt. [New] and [Sampler.Clone] make one; a nil or zero Sampler is closed.
type Sampler struct {
	handle  uintptr
	cleanup runtime.Cleanup
	// user is idle, closed, or the ticket of the call that uses the sampler.
	user atomic.Uint64
}

const (
	idle   = 0
	single = 1 // the ticket of calls on a single sampler
	closed = math.MaxUint64
)

// New makes a sampler from the text of a chain such as "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", of
// at most 65 536 bytes and 64 stages, at position 0 of the random numbers of seed. Every seed is reproducible; none
// means "random".
//
// Errors: [ErrInvalidChain] (the message names the stage, the parameter and its range), [ErrUnsupported], [ErrNoCgo],
// [ErrNoLibrary], [ErrWrongLibrary]. Safe for concurrent use.
func New(chain string, seed uint64) (*Sampler, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	if strings.IndexByte(chain, 0) >= 0 {
		return nil, invalid("the chain contains a NUL")
	}
	handle, status, message := native.New(append([]byte(chain), 0), seed)
	if status != uint32(OK) {
		return nil, &Error{Status(status), message}
	}
	return adopt(handle), nil
}

// adopt makes a sampler that owns the handle.
func adopt(handle uintptr) *Sampler {
	s := &Sampler{handle: handle}
	s.cleanup = runtime.AddCleanup(s, native.Free, handle)
	return s
}

// enter excludes other calls until leave.
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

// check turns a status into an error with the message on the handle; to be called before leave.
func (s *Sampler) check(status uint32) error {
	if status == uint32(OK) {
		return nil
	}
	return &Error{Status(status), native.Error(s.handle)}
}

// Clone makes an independent sampler in the same state: chain, seed, position, history, logit bias, mask, and what
// stages that learn have learnt.
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

// Close frees the native memory. Closing again, or closing nil, does nothing. If another goroutine is using the
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
	// Keeps the sampler reachable until here, so that the cleanup cannot run before it is stopped.
	runtime.KeepAlive(s)
	return nil
}

// Reset starts another sequence: the seed of creation, position 0, no history, and nothing learnt. The logit bias and
// the mask stay.
func (s *Sampler) Reset() error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	return s.check(native.Reset(s.handle))
}

// Reseed continues with the random numbers of seed at position. The position starts at 0, and every successful Decode,
// Apply, DrawMany and row of a batch advances it by one.
//
// To resume a sequence elsewhere, use a saved state: [Sampler.MarshalBinary] and [Restore]. Seed, position and history
// alone do not restore what a stage that learns ([Stage.Learns]: mirostat, mirostat_v2, adaptive_p) has learnt.
func (s *Sampler) Reseed(seed, position uint64) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	return s.check(native.Reseed(s.handle, seed, position))
}

// Accept appends tokens to the history that stages such as penalties and dry look at: those of the prompt, and each
// token with which the sequence continued. [AcceptTokens] does this for the tokens of a batch. Tokens accepted before
// the first row are the prompt: [Sampler.SetPromptLength]. If a token is negative, none is accepted:
// [ErrInvalidArgument].
func (s *Sampler) Accept(tokens ...int32) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	return s.check(native.Accept(s.handle, tokens))
}

// SetLogitBias replaces the logit bias: bias[i] is added to the logit of token ids[i] before any stage, and -infinity
// bans the token. Empty slices remove the bias. Ids that are not in the vocabulary of a row have no effect on it. The
// slices are copied.
//
// [ErrInvalidArgument] (different lengths, an id that is negative or repeated, a bias that is NaN or +infinity) leaves
// the old bias.
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

// SetMask sets the mask of the sampler, which holds for every row and candidate array from now on: token t is allowed
// if bit t % 32 of word t / 32 is set (the layout of llguidance and xgrammar), and tokens beyond the last word are
// banned. If a batch has a mask too, a token must be allowed by both. The words are copied; nil removes the mask.
//
// [ErrInvalidArgument] (words are empty but not nil) leaves the old mask.
func (s *Sampler) SetMask(words []uint32) error {
	if err := s.enter(single); err != nil {
		return err
	}
	defer s.leave()
	return s.check(native.SetMask(s.handle, words))
}

// SetPromptLength sets the length of the prompt: the first n tokens of the history are the prompt, the others output.
// Stages with scope=output look at the output only. For sequences that are resumed without a saved state. Without this
// call the prompt ends at the first successful Decode, Apply, Process, Distribution, DrawMany, TopLogprobs with [OfDecoded], or row of a
// batch.
//
// [ErrInvalidArgument]: n is negative, or above the length of the history.
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

// Describe returns the chain in its canonical form, which New accepts and which has stages in the place of macros.
func (s *Sampler) Describe() (string, error) {
	if err := s.enter(single); err != nil {
		return "", err
	}
	defer s.leave()
	return native.Describe(s.handle), nil
}
