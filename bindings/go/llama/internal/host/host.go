//go:build cgo && linux

// Package host is a llama.cpp host for the tests: it loads libllama with dlopen, without its headers, and has its
// objects as numbers.
package host

/*
#cgo LDFLAGS: -ldl
#include "host.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// A Candidate is a llama_token_data.
type Candidate struct {
	ID       int32
	Logit, P float32
}

// Open loads libllama from a path.
func Open(path string) error {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	if why := C.host_open(text); why != nil {
		return fmt.Errorf("%s", C.GoString(why))
	}
	return nil
}

// SamplerInit is the address of llama_sampler_init.
func SamplerInit() uintptr { return uintptr(C.host_init()) }

// Chain makes an empty chain.
func Chain() uintptr { return uintptr(C.host_chain()) }

// Add adds a stage to a chain, which then owns it.
func Add(chain, stage uintptr) { C.host_add(C.uintptr_t(chain), C.uintptr_t(stage)) }

// TopK, MinP and Dist are llama.cpp's own stages.
func TopK(k int) uintptr            { return uintptr(C.host_top_k(C.int32_t(k))) }
func MinP(p float32) uintptr        { return uintptr(C.host_min_p(C.float(p))) }
func Dist(seed uint32) uintptr      { return uintptr(C.host_dist(C.uint32_t(seed))) }
func Free(sampler uintptr)          { C.host_free(C.uintptr_t(sampler)) }
func Clone(sampler uintptr) uintptr { return uintptr(C.host_clone(C.uintptr_t(sampler))) }
func Reset(sampler uintptr)         { C.host_reset(C.uintptr_t(sampler)) }

// Name returns the name of a sampler.
func Name(sampler uintptr) string { return C.GoString(C.host_name(C.uintptr_t(sampler))) }

// Accept accepts a token into a sampler.
func Accept(sampler uintptr, token int32) { C.host_accept(C.uintptr_t(sampler), C.int32_t(token)) }

// Apply applies a sampler, and returns the kept candidates and the position of the selected one (-1 for none).
func Apply(sampler uintptr, candidates []Candidate) (kept []Candidate, selected int) {
	size, at := C.size_t(len(candidates)), C.int64_t(-1)
	C.host_apply(C.uintptr_t(sampler), unsafe.Pointer(unsafe.SliceData(candidates)), &size, &at)
	return candidates[:size], int(at)
}
