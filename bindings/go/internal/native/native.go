//go:build cgo && (!windows || bregman_link || bregman_static)

// Package native calls the C library: handles are numbers, statuses are the library's, and the caller guarantees the
// lengths. [Open] must have succeeded before any other call.
package native

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra
#include "calls.h"

// No call keeps a pointer or calls back into Go.
#cgo noescape go_new
#cgo nocallback go_new
#cgo noescape go_watermark_score
#cgo nocallback go_watermark_score
#cgo noescape go_clone
#cgo nocallback go_clone
#cgo nocallback go_free
#cgo noescape go_load
#cgo nocallback go_load
#cgo noescape go_save
#cgo nocallback go_save
#cgo noescape go_where
#cgo nocallback go_where
#cgo noescape go_history
#cgo nocallback go_history
#cgo noescape go_distribution_batch
#cgo nocallback go_distribution_batch
#cgo noescape go_reduce
#cgo nocallback go_reduce
#cgo noescape go_verify
#cgo nocallback go_verify
#cgo nocallback go_rewind
#cgo nocallback go_reset
#cgo nocallback go_reseed
#cgo noescape go_accept
#cgo nocallback go_accept
#cgo noescape go_set_logit_bias
#cgo nocallback go_set_logit_bias
#cgo noescape go_set_mask
#cgo nocallback go_set_mask
#cgo nocallback go_set_prompt_length
#cgo noescape go_describe
#cgo nocallback go_describe
#cgo nocallback go_error
#cgo noescape go_decode
#cgo nocallback go_decode
#cgo noescape go_decode_batch
#cgo nocallback go_decode_batch
#cgo noescape go_decode_batch_answers
#cgo nocallback go_decode_batch_answers
#cgo noescape go_top_logprobs
#cgo nocallback go_top_logprobs
#cgo noescape go_draw_many
#cgo nocallback go_draw_many
#cgo noescape go_distribution
#cgo nocallback go_distribution
#cgo noescape go_process
#cgo nocallback go_process
#cgo noescape go_apply
#cgo nocallback go_apply
#cgo noescape go_llama_attach
#cgo nocallback go_llama_attach
#cgo nocallback go_llama_sampler
#cgo nocallback go_llama_set_on_failure
#cgo noescape go_llama_failures
#cgo nocallback go_llama_failures
*/
import "C"

import "unsafe"

//go:generate cp ../../../../include/bregman.h ../../../../include/bregman_decisions.h .

// longestError is the size of the buffer for messages of New.
const longestError = 4096

// ABIVersion is the version of the ABI of the loaded library.
func ABIVersion() uint32 { return uint32(C.go_abi_version()) }

// Version is the version of the library.
func Version() string { return C.GoString(C.go_version()) }

// SIMDLevel is the instruction set in use.
func SIMDLevel() string { return C.GoString(C.go_simd_level()) }

// StatusText is a status in words.
func StatusText(status uint32) string { return C.GoString(C.go_status_text(C.uint32_t(status))) }

// New makes a sampler; chain ends with a NUL. On failure it returns a message and no handle.
func New(chain []byte, seed uint64) (handle uintptr, status uint32, message string) {
	var out C.uintptr_t
	failure := make([]byte, longestError)
	status = uint32(C.go_new((*C.char)(unsafe.Pointer(unsafe.SliceData(chain))), C.uint64_t(seed), &out,
		(*C.char)(unsafe.Pointer(unsafe.SliceData(failure))), longestError))
	if status != 0 {
		message = C.GoString((*C.char)(unsafe.Pointer(unsafe.SliceData(failure))))
	}
	return uintptr(out), status, message
}

// WatermarkScore looks for a watermark; stage ends with a NUL. On failure it returns a message.
func WatermarkScore(stage []byte, tokens []int32) (result Watermark, status uint32, message string) {
	out := C.bregman_watermark{struct_size: C.sizeof_bregman_watermark}
	failure := make([]byte, longestError)
	status = uint32(C.go_watermark_score((*C.char)(unsafe.Pointer(unsafe.SliceData(stage))),
		(*C.int32_t)(unsafe.SliceData(tokens)), C.size_t(len(tokens)), &out,
		(*C.char)(unsafe.Pointer(unsafe.SliceData(failure))), longestError))
	if status != 0 {
		message = C.GoString((*C.char)(unsafe.Pointer(unsafe.SliceData(failure))))
	}
	return Watermark{float64(out.score), float64(out.p_value), int(out.counted)}, status, message
}

// Clone makes an independent sampler in the same state.
func Clone(handle uintptr) (clone uintptr, status uint32) {
	var out C.uintptr_t
	status = uint32(C.go_clone(C.uintptr_t(handle), &out))
	return uintptr(out), status
}

// Free frees a sampler.
func Free(handle uintptr) { C.go_free(C.uintptr_t(handle)) }

// Reset starts another sequence.
func Reset(handle uintptr) uint32 { return uint32(C.go_reset(C.uintptr_t(handle))) }

// Reseed continues with the random numbers of a seed at a position.
func Reseed(handle uintptr, seed, position uint64) uint32 {
	return uint32(C.go_reseed(C.uintptr_t(handle), C.uint64_t(seed), C.uint64_t(position)))
}

// Accept appends tokens to the history.
func Accept(handle uintptr, tokens []int32) uint32 {
	return uint32(C.go_accept(C.uintptr_t(handle), (*C.int32_t)(unsafe.SliceData(tokens)), C.size_t(len(tokens))))
}

// SetLogitBias replaces the logit bias; both slices have the same length.
func SetLogitBias(handle uintptr, ids []int32, bias []float32) uint32 {
	return uint32(C.go_set_logit_bias(C.uintptr_t(handle), (*C.int32_t)(unsafe.SliceData(ids)),
		(*C.float)(unsafe.SliceData(bias)), C.size_t(len(ids))))
}

// SetMask sets the mask; nil removes it.
func SetMask(handle uintptr, words []uint32) uint32 {
	return uint32(C.go_set_mask(C.uintptr_t(handle), (*C.uint32_t)(unsafe.SliceData(words)), C.size_t(len(words))))
}

// SetPromptLength sets the length of the prompt; n is not negative.
func SetPromptLength(handle uintptr, n int) uint32 {
	return uint32(C.go_set_prompt_length(C.uintptr_t(handle), C.size_t(n)))
}

// Describe is the chain in its canonical form.
func Describe(handle uintptr) string {
	var text []byte
	for {
		length := int(C.go_describe(C.uintptr_t(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(text))), C.size_t(len(text))))
		if length < len(text) {
			return string(text[:length])
		}
		text = make([]byte, length+1)
	}
}

// Error is the message of the last failing call on a handle.
func Error(handle uintptr) string { return C.GoString(C.go_error(C.uintptr_t(handle))) }

// Decode decodes one row into result, a bregman_result.
func Decode(handle uintptr, logits []float32, result unsafe.Pointer) uint32 {
	return uint32(C.go_decode(C.uintptr_t(handle), (*C.float)(unsafe.SliceData(logits)), C.size_t(len(logits)), result))
}

// Distribution writes the distribution of a row; both slices have the same length.
func Distribution(handle uintptr, logits []float32, ids []int32, probs []float32) (n int, status uint32) {
	var length C.size_t
	status = uint32(C.go_distribution(C.uintptr_t(handle), (*C.float)(unsafe.SliceData(logits)), C.size_t(len(logits)),
		(*C.int32_t)(unsafe.SliceData(ids)), (*C.float)(unsafe.SliceData(probs)), C.size_t(len(ids)), &length))
	return int(length), status
}

// Process replaces the logits by ln p of the decoded distribution.
func Process(handle uintptr, logits []float32) uint32 {
	return uint32(C.go_process(C.uintptr_t(handle), (*C.float)(unsafe.SliceData(logits)), C.size_t(len(logits))))
}

// Apply applies the chain to n bregman_candidate in place.
func Apply(handle uintptr, data unsafe.Pointer, n int, sorted bool) (size int, selected int64, isSorted bool, status uint32) {
	kept, at, order := C.size_t(n), C.int64_t(-1), C.uint8_t(0)
	if sorted {
		order = 1
	}
	status = uint32(C.go_apply(C.uintptr_t(handle), data, &kept, &at, &order))
	return int(kept), int64(at), order != 0, status
}

// LlamaIface is the address of the stage's table of callbacks.
func LlamaIface() uintptr { return uintptr(C.go_llama_iface()) }

// LlamaAttach makes a sampler a stage of llama.cpp, which then owns it.
func LlamaAttach(init, handle uintptr) (stage uintptr, status uint32) {
	var out C.uintptr_t
	status = uint32(C.go_llama_attach(C.uintptr_t(init), C.uintptr_t(handle), &out))
	return uintptr(out), status
}

// LlamaSampler is the handle of a stage, 0 for other samplers.
func LlamaSampler(stage uintptr) uintptr { return uintptr(C.go_llama_sampler(C.uintptr_t(stage))) }

// LlamaSetOnFailure sets what a stage does when an apply fails.
func LlamaSetOnFailure(stage uintptr, onFailure uint32) uint32 {
	return uint32(C.go_llama_set_on_failure(C.uintptr_t(stage), C.uint32_t(onFailure)))
}

// LlamaFailures counts the failed applies of a stage.
func LlamaFailures(stage uintptr) (n uint64, status uint32) {
	var out C.uint64_t
	status = uint32(C.go_llama_failures(C.uintptr_t(stage), &out))
	return uint64(out), status
}
