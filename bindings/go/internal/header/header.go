//go:build cgo

// Package header is include/bregman.h as a C compiler sees it, for tests that compare this module with it.
package header

/*
#cgo CFLAGS: -I${SRCDIR}/../../../../include
#include <bregman.h>
*/
import "C"

// The structs that this module declares in Go.
type (
	Result    = C.bregman_result
	Candidate = C.bregman_candidate
	Batch     = C.bregman_batch
	Answers   = C.bregman_answers
	Stage     = C.bregman_stage
	Parameter = C.bregman_parameter
)

// API is the table of all functions.
type API = C.bregman_api

// ABIVersion is BREGMAN_ABI_VERSION.
const ABIVersion = C.BREGMAN_ABI_VERSION
