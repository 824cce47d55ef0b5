//go:build cgo && (!windows || bregman_link || bregman_static)

package native

/*
#include "calls.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Load makes a sampler of a saved state. On failure it returns a message and no handle.
func Load(state []byte) (handle uintptr, status uint32, message string) {
	var out C.uintptr_t
	failure := make([]byte, longestError)
	status = uint32(C.go_load(unsafe.Pointer(unsafe.SliceData(state)), C.size_t(len(state)), &out,
		(*C.char)(unsafe.Pointer(unsafe.SliceData(failure))), longestError))
	if status != 0 {
		message = C.GoString((*C.char)(unsafe.Pointer(unsafe.SliceData(failure))))
	}
	return uintptr(out), status, message
}

// Save writes the state if there is room; n is its length.
func Save(handle uintptr, state []byte) (n int, status uint32) {
	var length C.size_t
	status = uint32(C.go_save(C.uintptr_t(handle), unsafe.Pointer(unsafe.SliceData(state)), C.size_t(len(state)), &length))
	return int(length), status
}

// Rewind takes tokens of the history back; n is not negative.
func Rewind(handle uintptr, n int) uint32 {
	return uint32(C.go_rewind(C.uintptr_t(handle), C.size_t(n)))
}

// Where is the seed and the position of the next row, and the lengths of the history and the prompt.
func Where(handle uintptr) (seed, position uint64, history, prompt int, status uint32) {
	var s, p C.uint64_t
	var h, l C.size_t
	status = uint32(C.go_where(C.uintptr_t(handle), &s, &p, &h, &l))
	return uint64(s), uint64(p), int(h), int(l), status
}

// History writes the history if there is room; n is its length.
func History(handle uintptr, tokens []int32) (n int, status uint32) {
	var length C.size_t
	status = uint32(C.go_history(C.uintptr_t(handle), (*C.int32_t)(unsafe.SliceData(tokens)), C.size_t(len(tokens)), &length))
	return int(length), status
}

// Verify verifies the drafts; the slices have the stated lengths, and results points to batch.Rows bregman_result.
func Verify(handles []uintptr, drafts []Draft, batch *Batch, logits unsafe.Pointer, mask []uint32, rows int,
	accepted []uint32, path []int32, results unsafe.Pointer) uint32 {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	all := make([]C.bregman_draft, len(drafts))
	for i, d := range drafts {
		all[i] = C.bregman_draft{
			struct_size: C.sizeof_bregman_draft,
			rule:        C.uint32_t(d.Rule),
			tokens:      (*C.int32_t)(pinned(&pinner, d.Tokens)),
			n:           C.size_t(len(d.Tokens)),
			parents:     (*C.int32_t)(pinned(&pinner, d.Parents)),
			q_offsets:   (*C.size_t)(unsafe.Pointer(pinned(&pinner, d.Offsets))),
			q_ids:       (*C.int32_t)(pinned(&pinner, d.IDs)),
			q_probs:     (*C.float)(pinned(&pinner, d.Probs)),
		}
	}
	shape := batch.shape(rows)
	return uint32(C.go_verify((*C.uintptr_t)(unsafe.Pointer(unsafe.SliceData(handles))), unsafe.SliceData(all),
		C.size_t(len(drafts)), &shape, logits, (*C.uint32_t)(unsafe.SliceData(mask)),
		(*C.int32_t)(unsafe.SliceData(batch.IDs)),
		(*C.uint32_t)(unsafe.SliceData(batch.Lengths)), (*C.double)(unsafe.SliceData(batch.LogRest)),
		(*C.float)(unsafe.SliceData(batch.Bound)),
		(*C.uint32_t)(unsafe.SliceData(accepted)), (*C.int32_t)(unsafe.SliceData(path)), results))
}

// pinned is the address of a slice, which does not move until the pinner lets it go; nil if the slice is empty.
func pinned[T any](pinner *runtime.Pinner, slice []T) *T {
	if len(slice) == 0 {
		return nil
	}
	pinner.Pin(unsafe.SliceData(slice))
	return unsafe.SliceData(slice)
}

// DistributionBatch writes the distributions of the rows; ids and probs have the same length.
func DistributionBatch(handles []uintptr, batch *Batch, logits unsafe.Pointer, mask []uint32, offsets []int, ids []int32,
	probs []float32) uint32 {
	shape := batch.shape(len(handles))
	return uint32(C.go_distribution_batch((*C.uintptr_t)(unsafe.Pointer(unsafe.SliceData(handles))), &shape, logits,
		(*C.uint32_t)(unsafe.SliceData(mask)), sizes(batch.RowIndex), (*C.int32_t)(unsafe.SliceData(batch.IDs)),
		(*C.uint32_t)(unsafe.SliceData(batch.Lengths)), (*C.double)(unsafe.SliceData(batch.LogRest)),
		(*C.float)(unsafe.SliceData(batch.Bound)), sizes(offsets), (*C.int32_t)(unsafe.SliceData(ids)),
		(*C.float)(unsafe.SliceData(probs)), C.size_t(len(ids))))
}

// sizes is the address of numbers that are not negative: an int has as many bits as a size_t.
func sizes(numbers []int) *C.size_t { return (*C.size_t)(unsafe.Pointer(unsafe.SliceData(numbers))) }
