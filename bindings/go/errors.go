package bregman

import (
	"errors"
	"fmt"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Status says how a call went; all but OK are errors that [errors.Is] finds.
type Status uint32

// The library's statuses.
const (
	OK                 Status = 0
	ErrInvalidArgument Status = 1 // an argument is out of range, too short, or in use by another call
	ErrInvalidChain    Status = 2 // the chain does not parse, or a parameter in it is out of its range
	ErrInvalidLogits   Status = 3 // a logit that may be sampled is NaN or +infinity
	ErrEmptySupport    Status = 4 // every token is masked or -infinity
	ErrNoConvergence   Status = 5 // a generator given by its user led to no solution
	ErrBufferTooSmall  Status = 6 // the caller's buffers cannot hold the answer
	ErrUnsupported     Status = 7 // valid, but not with this chain, this version or on this machine
	ErrInternal        Status = 8 // a defect of the library
)

var statusTexts = [...]string{
	"ok", "invalid argument", "invalid chain", "invalid logits", "empty support", "no convergence", "buffer too small",
	"unsupported", "internal error",
}

// Error is the status in words.
func (s Status) Error() string {
	if int64(s) < int64(len(statusTexts)) {
		return "bregman: " + statusTexts[s]
	}
	return fmt.Sprintf("bregman: unknown status %d", uint32(s))
}

// An Error is a failed call: the status for programs, the message for people.
type Error struct {
	Status  Status
	Message string
}

func (e *Error) Error() string { return "bregman: " + e.Message }

// Unwrap is the status.
func (e *Error) Unwrap() error { return e.Status }

// What the library would not be asked; all are also [ErrInvalidArgument].
var (
	// ErrClosed is a call on a sampler after Close, or on one that [New] did not make.
	ErrClosed error = &Error{ErrInvalidArgument, "the sampler is closed"}
	// ErrInUse is a call on a sampler that another goroutine is calling.
	ErrInUse error = &Error{ErrInvalidArgument, "the sampler is in use by another call"}
)

// Why there is no native library; [Load] and [New] return them, wrapped.
var (
	// ErrNoCgo is a program that was built without cgo.
	ErrNoCgo = native.ErrNoCgo
	// ErrNoLibrary is a library that was not found, or that the system's loader refused.
	ErrNoLibrary = native.ErrNoLibrary
	// ErrWrongLibrary is a file that is not this library, or another version of it.
	ErrWrongLibrary = native.ErrWrongLibrary
)

func invalid(format string, arguments ...any) error {
	return &Error{ErrInvalidArgument, fmt.Sprintf(format, arguments...)}
}

// A BatchError holds the rows of a batch that failed; all others were decoded.
type BatchError struct {
	Rows []RowError // in order, at least one
}

// A RowError is a failed row of a batch.
type RowError struct {
	Row int
	Err error
}

func (e *BatchError) Error() string {
	first := e.Rows[0]
	if len(e.Rows) == 1 {
		return fmt.Sprintf("row %d: %v", first.Row, first.Err)
	}
	return fmt.Sprintf("row %d: %v (and %d more rows)", first.Row, first.Err, len(e.Rows)-1)
}

// Unwrap has the errors of all failed rows.
func (e *BatchError) Unwrap() []error {
	all := make([]error, len(e.Rows))
	for i, row := range e.Rows {
		all[i] = row.Err
	}
	return all
}

// RowErr is the error of row r in what [DecodeBatch] returned: nil if that row was decoded.
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
