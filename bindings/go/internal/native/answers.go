//go:build cgo && (!windows || bregman_link || bregman_static)

package native

/*
#include "calls.h"
*/
import "C"

import "unsafe"

// DecodeBatch decodes one row with each handle; results points to as many bregman_result.
func DecodeBatch(handles []uintptr, batch *Batch, logits unsafe.Pointer, mask []uint32, results unsafe.Pointer) uint32 {
	shape := batch.shape(len(handles))
	return uint32(C.go_decode_batch((*C.uintptr_t)(unsafe.Pointer(unsafe.SliceData(handles))), &shape, logits,
		(*C.uint32_t)(unsafe.SliceData(mask)), sizes(batch.RowIndex), (*C.int32_t)(unsafe.SliceData(batch.IDs)),
		(*C.uint32_t)(unsafe.SliceData(batch.Lengths)), (*C.double)(unsafe.SliceData(batch.LogRest)),
		(*C.float)(unsafe.SliceData(batch.Bound)), results))
}

// DecodeBatchAnswers is DecodeBatch with answers, whose slices have the stated lengths; without handles, the answers of
// the model about so many rows.
func DecodeBatchAnswers(handles []uintptr, rows int, batch *Batch, logits unsafe.Pointer, mask []uint32,
	results unsafe.Pointer, answers *Answers) uint32 {
	shape, wanted := batch.shape(rows), answers.shape()
	return uint32(C.go_decode_batch_answers((*C.uintptr_t)(unsafe.Pointer(unsafe.SliceData(handles))), &shape, logits,
		(*C.uint32_t)(unsafe.SliceData(mask)), sizes(batch.RowIndex), (*C.int32_t)(unsafe.SliceData(batch.IDs)),
		(*C.uint32_t)(unsafe.SliceData(batch.Lengths)), (*C.double)(unsafe.SliceData(batch.LogRest)),
		(*C.float)(unsafe.SliceData(batch.Bound)), results, &wanted, (*C.float)(unsafe.SliceData(answers.Logprobs)),
		(*C.uint32_t)(unsafe.SliceData(answers.Ranks)), (*C.int32_t)(unsafe.SliceData(answers.TopIDs)),
		(*C.float)(unsafe.SliceData(answers.TopLogprobs)), (*C.int32_t)(unsafe.SliceData(answers.KeptIDs)),
		(*C.uint32_t)(unsafe.SliceData(answers.KeptMask)), sizes(answers.KeptOffsets),
		(*C.int32_t)(unsafe.SliceData(answers.GivenIDs)), (*C.float)(unsafe.SliceData(answers.GivenLogprobs)),
		(*C.uint32_t)(unsafe.SliceData(answers.GivenRanks)), (*C.float)(unsafe.SliceData(answers.OtherLogprobs)),
		(*C.float)(unsafe.SliceData(answers.OtherTopLogprobs))))
}

// shape is the struct without its pointers.
func (b *Batch) shape(rows int) C.bregman_batch {
	return C.bregman_batch{
		struct_size: C.sizeof_bregman_batch,
		dtype:       C.uint32_t(b.Format),
		rows:        C.size_t(rows),
		vocab:       C.size_t(b.Vocab),
		row_stride:  C.size_t(b.RowStride),
		mask_stride: C.size_t(b.MaskStride),
		flags:       C.uint32_t(b.Flags),
		threads:     C.uint32_t(b.Threads),

		rest_temperature: C.float(b.RestTemperature),
	}
}

// shape is the struct without its pointers.
func (a *Answers) shape() C.bregman_answers {
	return C.bregman_answers{
		struct_size:      C.sizeof_bregman_answers,
		source:           C.uint32_t(a.Source),
		top:              C.size_t(a.Top),
		top_stride:       C.size_t(a.TopStride),
		kept:             C.size_t(a.Kept),
		kept_stride:      C.size_t(a.KeptStride),
		kept_mask_stride: C.size_t(a.KeptMaskStride),
		given:            C.size_t(a.Given),
		given_stride:     C.size_t(a.GivenStride),
	}
}

// Reduce reduces so many rows to their n largest logits; the slices have the lengths that this needs.
func Reduce(rows int, batch *Batch, logits unsafe.Pointer, mask []uint32, first int32, n int, temperature float32, ids []int32,
	largest []float32, logRest []float64, bound []float32) uint32 {
	shape := batch.shape(rows)
	return uint32(C.go_reduce(&shape, logits, (*C.uint32_t)(unsafe.SliceData(mask)), C.int32_t(first), C.size_t(n),
		C.float(temperature), (*C.int32_t)(unsafe.SliceData(ids)), (*C.float)(unsafe.SliceData(largest)),
		(*C.double)(unsafe.SliceData(logRest)), (*C.float)(unsafe.SliceData(bound))))
}

// TopLogprobs writes the most likely tokens of a row; both slices have the same length.
func TopLogprobs(handle uintptr, logits []float32, source uint32, ids []int32, logprobs []float32) (n int, status uint32) {
	var length C.size_t
	status = uint32(C.go_top_logprobs(C.uintptr_t(handle), (*C.float)(unsafe.SliceData(logits)), C.size_t(len(logits)),
		C.uint32_t(source), C.size_t(len(ids)), (*C.int32_t)(unsafe.SliceData(ids)),
		(*C.float)(unsafe.SliceData(logprobs)), &length))
	return int(length), status
}

// DrawMany draws len(ids) tokens; all slices have the same length, but scores may be nil.
func DrawMany(handle uintptr, logits []float32, ids []int32, logprobs, scores []float32) (n int, status uint32) {
	var length C.size_t
	status = uint32(C.go_draw_many(C.uintptr_t(handle), (*C.float)(unsafe.SliceData(logits)), C.size_t(len(logits)),
		C.size_t(len(ids)), (*C.int32_t)(unsafe.SliceData(ids)), (*C.float)(unsafe.SliceData(logprobs)),
		(*C.float)(unsafe.SliceData(scores)), &length))
	return int(length), status
}
