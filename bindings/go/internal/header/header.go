//go:build cgo

// Package header is include/bregman.h as a C compiler understands it, for the tests that hold this module against it.
package header

/*
#cgo CFLAGS: -I${SRCDIR}/../../../../include
#include <bregman.h>
*/
import "C"

// The structs that this module has in Go too.
type (
	Result    = C.bregman_result
	Candidate = C.bregman_candidate
)

// ABIVersion is BREGMAN_ABI_VERSION.
const ABIVersion = C.BREGMAN_ABI_VERSION
