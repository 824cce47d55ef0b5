// Package llama makes a bregman chain a stage of llama.cpp's own sampler chain, for programs that call llama.cpp
// without cgo and have its objects as numbers, such as those that use yzma. It imports none of them: a stage is a
// uintptr, and the host provides the address of its llama_sampler_init.
//
// With yzma:
//
//	lib, err := ffi.Load(loader.GetLibraryFilename(path, "llama")) // github.com/jupiterrider/ffi, yzma's pkg/loader
//	if err != nil {
//		return err
//	}
//	init, err := lib.Get("llama_sampler_init")
//	if err != nil {
//		return err
//	}
//	stage, err := bregman.New(init, "bregman(alpha=1.5, floor=0.02)", 42) // this package
//	if err != nil {
//		return err
//	}
//	llama.SamplerChainAdd(chain, llama.Sampler(stage.Pointer())) // yzma's pkg/llama; the chain owns it now
//
// A stage changes the candidates in place, as [bregman.Sampler.Apply] does. A chain that ends with a drawing stage
// selects a token, and must be the last stage. Accept, reset and clone include its whole state. Works with llama.cpp
// from 2025-02 on.
package llama

import (
	"strings"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Stage is a bregman chain in a llama_sampler. llama.cpp owns it, and frees it with llama_sampler_free or with the
// chain that it was added to. It must not be used after that, or while llama.cpp uses it on another thread.
type Stage struct {
	pointer uintptr
}

// New makes a stage. llamaSamplerInit must be the address of llama_sampler_init in the host's libllama. The caller
// frees the stage, or adds it to a chain, which then frees it.
//
// Errors are those of [bregman.New], and [bregman.ErrInternal] if llama_sampler_init fails.
func New(llamaSamplerInit uintptr, chain string, seed uint64) (Stage, error) {
	if err := bregman.Load(""); err != nil {
		return Stage{}, err
	}
	if llamaSamplerInit == 0 {
		return Stage{}, &bregman.Error{Status: bregman.ErrInvalidArgument, Message: "the address of llama_sampler_init is 0"}
	}
	if strings.IndexByte(chain, 0) >= 0 {
		return Stage{}, &bregman.Error{Status: bregman.ErrInvalidArgument, Message: "the chain has a NUL byte"}
	}
	handle, status, message := native.New(append([]byte(chain), 0), seed)
	if status != uint32(bregman.OK) {
		return Stage{}, &bregman.Error{Status: bregman.Status(status), Message: message}
	}
	pointer, status := native.LlamaAttach(llamaSamplerInit, handle)
	if status != uint32(bregman.OK) {
		native.Free(handle)
		return Stage{}, &bregman.Error{Status: bregman.Status(status), Message: "llama_sampler_init made no sampler"}
	}
	return Stage{pointer}, nil
}

// From returns the stage of a llama_sampler, such as a clone that llama.cpp made; not ok if it is not a bregman stage.
func From(llamaSampler uintptr) (stage Stage, ok bool) {
	if llamaSampler == 0 || bregman.Load("") != nil || native.LlamaSampler(llamaSampler) == 0 {
		return Stage{}, false
	}
	return Stage{llamaSampler}, true
}

// Iface returns the address of the table of callbacks, a llama_sampler_i, which is the same for all stages.
func Iface() (uintptr, error) {
	if err := bregman.Load(""); err != nil {
		return 0, err
	}
	return native.LlamaIface(), nil
}

// OnFailure is what a stage does when llama_sampler_apply fails, which cannot report it.
type OnFailure uint32

const (
	// Abort leaves the candidates unchanged; llama_sampler_sample then aborts the process if the stage was to select a
	// token. The default.
	Abort OnFailure = native.LlamaAbort
	// Fallback keeps the most likely candidate that mask and bias allow, and selects it if the chain draws.
	Fallback OnFailure = native.LlamaFallback
)

// SetOnFailure chooses what a failed apply does, on this stage and on later clones of it. Errors:
// [bregman.ErrInvalidArgument] for another number, [bregman.ErrClosed].
func (s Stage) SetOnFailure(choice OnFailure) error {
	handle, err := s.handle()
	if err != nil {
		return err
	}
	return check(handle, native.LlamaSetOnFailure(s.pointer, uint32(choice)))
}

// Failures returns how many applies have failed, of this stage and its clones. It may be called while llama.cpp uses the
// stage on another thread.
func (s Stage) Failures() (uint64, error) {
	if s.pointer == 0 {
		return 0, bregman.ErrClosed
	}
	n, status := native.LlamaFailures(s.pointer)
	if status != uint32(bregman.OK) {
		return 0, bregman.ErrClosed
	}
	return n, nil
}

// Pointer returns the llama_sampler, for functions such as llama_sampler_chain_add.
func (s Stage) Pointer() uintptr { return s.pointer }

// LastError returns the message of the last call on the stage that failed, "" if none has. llama_sampler_apply cannot
// report an error: if it fails, the candidates are unchanged (but see [Stage.SetOnFailure]), and this is its message.
func (s Stage) LastError() string {
	handle, err := s.handle()
	if err != nil {
		return err.Error()
	}
	return native.Error(handle)
}

// Reseed does what [bregman.Sampler.Reseed] does.
func (s Stage) Reseed(seed, position uint64) error {
	handle, err := s.handle()
	if err != nil {
		return err
	}
	return check(handle, native.Reseed(handle, seed, position))
}

// SetLogitBias does what [bregman.Sampler.SetLogitBias] does.
func (s Stage) SetLogitBias(ids []int32, bias []float32) error {
	handle, err := s.handle()
	if err != nil {
		return err
	}
	if len(ids) != len(bias) {
		return &bregman.Error{Status: bregman.ErrInvalidArgument, Message: "ids and bias differ in length"}
	}
	return check(handle, native.SetLogitBias(handle, ids, bias))
}

// Describe returns the chain in its canonical form.
func (s Stage) Describe() (string, error) {
	handle, err := s.handle()
	if err != nil {
		return "", err
	}
	return native.Describe(handle), nil
}

// handle returns the sampler of the stage, which owns it.
func (s Stage) handle() (uintptr, error) {
	if s.pointer == 0 {
		return 0, bregman.ErrClosed
	}
	if handle := native.LlamaSampler(s.pointer); handle != 0 {
		return handle, nil
	}
	return 0, bregman.ErrClosed
}

func check(handle uintptr, status uint32) error {
	if status == uint32(bregman.OK) {
		return nil
	}
	return &bregman.Error{Status: bregman.Status(status), Message: native.Error(handle)}
}
