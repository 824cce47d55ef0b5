// Package llama makes a bregman chain a stage of llama.cpp's own sampler chain, for programs that call llama.cpp
// without cgo and know its objects as numbers, such as those on yzma. It imports none of them: a stage goes in and out
// as a uintptr, and the only thing asked of the host is the address of its llama_sampler_init.
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
// A stage works on the candidates in place, as [bregman.Sampler.Apply] does; a chain that ends with a drawing stage
// selects a token and stands last. It takes part in accept, reset and clone with all its state. Any llama.cpp since
// 2025-02 will do.
package llama

import (
	"strings"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Stage is a bregman chain inside a llama_sampler. It does not own that: llama.cpp does, and frees it with
// llama_sampler_free or with the chain that it was added to. It must not be used afterwards, nor while llama.cpp works
// with it on another goroutine's thread.
type Stage struct {
	pointer uintptr
}

// New makes a stage. llamaSamplerInit is the address of the function of this name in the host's libllama; anything else
// crashes. Who calls New has to free the stage, or to add it to a chain, which then frees it.
//
// Errors are as for [bregman.New]; [bregman.ErrInternal] if llama_sampler_init refused.
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

// From finds the stage in a llama_sampler that is one, such as a clone that llama.cpp made; not ok for any other.
func From(llamaSampler uintptr) (stage Stage, ok bool) {
	if llamaSampler == 0 || bregman.Load("") != nil || native.LlamaSampler(llamaSampler) == 0 {
		return Stage{}, false
	}
	return Stage{llamaSampler}, true
}

// Iface is the address of the stage's table of callbacks, a llama_sampler_i: the same for all stages.
func Iface() (uintptr, error) {
	if err := bregman.Load(""); err != nil {
		return 0, err
	}
	return native.LlamaIface(), nil
}

// Pointer is the llama_sampler, for llama_sampler_chain_add and its like.
func (s Stage) Pointer() uintptr { return s.pointer }

// LastError is the message of the stage's last failure, "" if there was none. llama_sampler_apply cannot report one: a
// failed apply leaves the candidates as they were, and its message is here.
func (s Stage) LastError() string {
	handle, err := s.handle()
	if err != nil {
		return err.Error()
	}
	return native.Error(handle)
}

// Reseed is as [bregman.Sampler.Reseed].
func (s Stage) Reseed(seed, position uint64) error {
	handle, err := s.handle()
	if err != nil {
		return err
	}
	return check(handle, native.Reseed(handle, seed, position))
}

// SetLogitBias is as [bregman.Sampler.SetLogitBias].
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

// Describe is the chain in its canonical form.
func (s Stage) Describe() (string, error) {
	handle, err := s.handle()
	if err != nil {
		return "", err
	}
	return native.Describe(handle), nil
}

// handle is the sampler inside, which the stage owns.
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
