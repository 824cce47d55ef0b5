//go:build cgo

package native

/*
#include "bregman.h"
*/
import "C"

// The header's structs as a C compiler sees them, for tests that compare this module with it. They are in this package
// because go builds anew what it has cached only when a file of the package's own directory changes.
type (
	CResult    = C.bregman_result
	CCandidate = C.bregman_candidate
	CBatch     = C.bregman_batch
	CAnswers   = C.bregman_answers
	CStage     = C.bregman_stage
	CParameter = C.bregman_parameter
)

// CAPI is the table of all functions.
type CAPI = C.bregman_api

// CABIVersion is BREGMAN_ABI_VERSION of the header.
const CABIVersion = C.BREGMAN_ABI_VERSION
