package bregman

import (
	"errors"
	"fmt"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Status of a call. All but OK are errors that [errors.Is] finds.
type Status uint32

// The statuses of the library.
const (
	OK                 Status = 0
	ErrInvalidArgument Status = 1  // an argument is out of its range or too short, or the sampler is in use
	ErrInvalidChain    Status = 2  // the chain is too long, not UTF-8 or does not parse, or a parameter is out of its range
	ErrInvalidLogits   Status = 3  // a logit that is not masked is NaN or +infinity
	ErrEmptySupport    Status = 4  // every logit is masked or -infinity
	ErrNoConvergence   Status = 5  // the solver found no solution with a generator of the caller
	ErrBufferTooSmall  Status = 6  // the caller's buffers are too small for the result
	ErrUnsupported     Status = 7  // valid, but not with this chain, in this version or on this machine
	ErrInternal        Status = 8  // a defect of the library; please report it
	ErrIncomplete      Status = 9  // a sparse row does not hold what the chain needs
	ErrOutOfMemory     Status = 10 // there was no memory for the call
)

var statusTexts = [...]string{
	"ok", "invalid argument", "invalid chain", "invalid logits", "empty support", "no convergence", "buffer too small",
	"unsupported", "internal error", "incomplete row", "out of memory",
}

// Error returns the status in words.
func (s Status) Error() string {
	if int64(s) < int64(len(statusTexts)) && statusTexts[s] != "" {
		return "bregman: " + statusTexts[s]
	}
	return fmt.Sprintf("bregman: unknown status %d", uint32(s))
}

// An Error of a call: its status, and a message that names the argument and the reason.
type Error struct {
	Status  Status
	Message string
}

func (e *Error) Error() string { return "bregman: " + e.Message }

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

// Errors of this package; they are also [ErrInvalidArgument].
var (
	// ErrClosed is returned by calls on a sampler that is closed, or was not made by [New].
	ErrClosed error = &Error{ErrInvalidArgument, "the sampler is closed"}
	// ErrInUse is returned by calls on a sampler that another goroutine is using.
	ErrInUse error = &Error{ErrInvalidArgument, "the sampler is in use by another call"}
)

// Why the native library is not available; [Load] and [New] return these, wrapped.
var (
	// ErrNoCgo: the program was built without cgo.
	ErrNoCgo = native.ErrNoCgo
	// ErrNoLibrary: the library was not found, or the system's loader refused it.
	ErrNoLibrary = native.ErrNoLibrary
	// ErrWrongLibrary: the file is not this library, or another version of it.
	ErrWrongLibrary = native.ErrWrongLibrary
)

func invalid(format string, arguments ...any) error {
	return &Error{ErrInvalidArgument, fmt.Sprintf(format, arguments...)}
}

// A BatchError has the rows of a batch that failed, or the sequences of [Verify]; the others were decoded.
type BatchError struct {
	Rows []RowError // in order, at least one
}

// A RowError is the error of a row of a batch, or of a sequence of [Verify].
type RowError struct {
	Row int // the row, or the sequence
	Err error
}

func (e *BatchError) Error() string {
	first := e.Rows[0]
	if len(e.Rows) == 1 {
		return fmt.Sprintf("row %d: %v", first.Row, first.Err)
	}
	return fmt.Sprintf("row %d: %v (and %d more rows)", first.Row, first.Err, len(e.Rows)-1)
}

// Unwrap returns the errors of the rows.
func (e *BatchError) Unwrap() []error {
	all := make([]error, len(e.Rows))
	for i, row := range e.Rows {
		all[i] = row.Err
	}
	return all
}

// RowErr returns the error of row r from an error of [DecodeBatch]; nil if the row was decoded.
func RowErr(err error, r int) error {
	var batch *BatchError
	if !errors.As(err, &batch) {
		return err
	}
	for _, row := range batch.Rows {
		if row.Row == r {
			return row.Err
		}
	}
	return nil
}
