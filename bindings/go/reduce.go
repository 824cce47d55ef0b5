package bregman

import (
	"math"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// Reduced is what sparse rows are made of, from [Reduce]: the fields of a [Batch] with the same names.
type Reduced struct {
	// IDs has n tokens for each row, in descending order of logit (ties: ascending id); -1 where there are no more.
	IDs []int32
	// Logits are their logits; -Inf where there are no more. A batch has them as F32.
	Logits []float32
	// LogRest has one element per row: ln of the sum of exp(l / temperature) over the other tokens.
	LogRest []float64
	// Bound has one element per row, which no logit of the other tokens exceeds.
	Bound []float32
}

// Reduce reduces each of the rows of a batch, which is a shard of a vocabulary or a whole one, to its n largest logits and
// what a sparse row needs to know of the others: for tensor parallelism, where each rank has the logits of a part of the
// vocabulary. The slices of into are reused, and grow as needed. The batch has dense rows in any format, no mask, no flags
// and no RowIndex.
//
// first is the token of the shard's first element. temperature is that at which the chain first needs probabilities
// ([Batch.RestTemperature]); 0 stands for 1.
//
// To decode, put the lists of all ranks one behind the other: Vocab is n times the number of ranks, LogRest the logarithm of
// the sum of the exponentials of theirs, Bound the largest of theirs. The tokens are those of the whole row, or the row
// fails with [ErrIncomplete]; then gather the whole row and decode it.
//
// Returns the status of the first row that failed ([ErrInvalidLogits]: a NaN or +Inf), whose IDs are -1 and whose LogRest is
// NaN. If an argument is invalid ([ErrInvalidArgument]), no row is reduced. Safe for concurrent use.
func Reduce(batch *Batch, rows int, first int32, n int, temperature float32, into *Reduced) error {
	if err := Load(""); err != nil {
		return err
	}
	if rows < 0 || into == nil {
		return invalid("there are %d rows, or into is nil", rows)
	}
	shape, err := batch.check(rows, rows)
	switch {
	case err != nil:
		return err
	case batch.RowIndex != nil || batch.IDs != nil:
		return invalid("RowIndex or IDs is not nil")
	case rows > 0 && (n < 1 || n > math.MaxInt32/rows):
		return invalid("n is %d: must be at least 1, and %d for all rows", n, math.MaxInt32)
	}
	into.IDs, into.Logits = resized(into.IDs, rows*n), resized(into.Logits, rows*n)
	into.LogRest, into.Bound = resized(into.LogRest, rows), resized(into.Bound, rows)
	if rows == 0 {
		return nil
	}
	status := native.Reduce(rows, &shape.Batch, shape.logits, batch.Mask, first, n, temperature, into.IDs, into.Logits,
		into.LogRest, into.Bound)
	if status != uint32(OK) {
		return &Error{Status(status), native.StatusText(status)}
	}
	return nil
}
