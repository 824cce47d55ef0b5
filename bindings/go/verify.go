package bregman

import (
	"unsafe"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Rule says which tokens of a draft are accepted.
type Rule uint32

// The rules.
const (
	// RuleMatch: the chain draws each token as it does without a draft, and a drafted token that differs ends the draft.
	// The text is that of decoding without a draft, token for token. For every chain, and for trees.
	RuleMatch Rule = 0
	// RuleToken: token x is accepted with probability min(1, p(x) / q(x)), else replaced by one drawn from max(p - q, 0)
	// (arXiv 2211.17192, 2302.01318). The text has the distribution of decoding without a draft.
	RuleToken Rule = 1
	// RuleBlock: the block rule (arXiv 2403.10444), which accepts at least as many tokens on average as RuleToken does.
	// The text has the distribution of decoding without a draft.
	RuleBlock Rule = 2
)

// A Draft is tokens that a draft model, or a table of n-grams, proposes for one sequence.
type Draft struct {
	Rule   Rule
	Tokens []int32 // the drafted tokens; none decodes the one row of the sequence
	// Parents is nil for a line, in which each token follows the one before. Else ([RuleMatch] only) it has, for each
	// token of a tree, the place of the token that it follows, -1 for the accepted text; a token stands after the one that
	// it follows.
	Parents []int32
	// Laws is nil if the tokens were not drawn: each then had probability 1. Else the distributions that they were drawn
	// from, after the draft's own chain, one for each token. The ids of one are in any order, none twice, and their
	// probabilities sum to 1 within 0.001. Not read with [RuleMatch].
	Laws *Distributions
}

// Distributions are decoded distributions, one after the other.
type Distributions struct {
	Offsets []int     // distribution r has elements Offsets[r] to Offsets[r+1]-1 of the others
	IDs     []int32   // from [DistributionBatch]: in descending order of probability (ties: ascending id)
	Probs   []float32 // their probabilities
}

// DistributionBatch writes the decoded distribution of each row under its own sampler into slices that are reused, and
// grow as needed. Draws nothing and advances nothing. The batch has no flags; with Threads above 1 every row is decoded
// twice.
//
// A row that fails has no entries and is listed in the [*BatchError] that is returned. If the batch is invalid
// ([ErrInvalidArgument]), nothing is written.
func DistributionBatch(samplers []*Sampler, batch *Batch, into *Distributions) error {
	rows, err := batch.check(len(samplers), len(samplers))
	if err != nil {
		return err
	}
	if batch.Flags != 0 {
		return invalid("flags is %d: must be 0", batch.Flags)
	}
	into.Offsets = resized(into.Offsets, len(samplers)+1)
	clear(into.Offsets)
	if len(samplers) == 0 {
		return nil
	}
	ticket := single + tickets.Add(1)
	entered := make([]uintptr, 0, len(samplers))
	for _, s := range samplers {
		entered = append(entered, s.enterBatch(ticket))
	}
	defer leaveBatch(samplers, ticket)
	room := max(min(cap(into.IDs), cap(into.Probs)), 64*len(samplers))
	for {
		into.IDs, into.Probs = resized(into.IDs, room), resized(into.Probs, room)
		status := native.DistributionBatch(entered, &rows.Batch, rows.logits, batch.Mask, into.Offsets, into.IDs, into.Probs)
		if n := into.Offsets[len(samplers)]; n > room {
			room = n
			continue
		} else {
			into.IDs, into.Probs = into.IDs[:n], into.Probs[:n]
		}
		if status == uint32(OK) {
			return nil
		}
		results := make([]Result, len(samplers))
		for r := range results {
			// A row that did not fail has at least one token.
			if into.Offsets[r] == into.Offsets[r+1] {
				results[r].Status = Status(status)
			}
		}
		return rowErrors(samplers, entered, results)
	}
}

// resized is a slice of n elements, the same one if it is long enough.
func resized[T any](slice []T, n int) []T {
	if cap(slice) < n {
		return make([]T, n)
	}
	return slice[:n]
}

// Verify finds how many tokens of each draft are accepted, and draws the token that follows them.
//
// Sequence s has samplers[s], drafts[s] and len(drafts[s].Tokens)+1 consecutive rows: the first holds the logits after its
// accepted text, the others those after each drafted token and what that follows. accepted has one element per sequence
// and receives the number of accepted drafted tokens. results has one element per row: of each sequence's the first
// accepted+1 are its new tokens in order, the others have token -1 and status OK. path is nil or has one element per row:
// of each sequence's the first accepted are the places of the accepted tokens in its draft, the others -1.
//
// Before each row is decoded, the tokens accepted so far are in the history. Afterwards the accepted drafted tokens stay
// in it; the last new token is appended with [AcceptTokens], else call [Sampler.Accept] with it. The position moves by
// accepted + 1. With [RuleMatch] tokens and results are those of decoding one row after the other. With the other rules
// tokens are drawn with random numbers of their own, so that a draft drawn with the same seed does no harm.
//
// Sequences are independent: one that fails changes nothing in its sampler and does not affect the others. Its results
// have its status, and the [*BatchError] that is returned lists it. Its error is one of [Sampler.Decode],
// [ErrInvalidArgument] (a field of its draft, a drafted token that its law gives probability 0) or [ErrUnsupported] (a
// chain that learns, with another rule than RuleMatch). If lengths do not fit ([ErrInvalidArgument]), nothing is verified.
func Verify(samplers []*Sampler, drafts []Draft, rows *Batch, accepted []uint32, path []int32, results []Result) error {
	given, shape, err := checkDrafts(len(samplers), drafts, rows, len(accepted), path, results)
	if err != nil {
		for i := range results {
			results[i] = failed(ErrInvalidArgument)
		}
		clear(accepted)
		return err
	}
	if len(samplers) == 0 {
		return nil
	}
	ticket := single + tickets.Add(1)
	entered := make([]uintptr, 0, len(samplers))
	for _, s := range samplers {
		entered = append(entered, s.enterBatch(ticket))
	}
	defer leaveBatch(samplers, ticket)
	status := native.Verify(entered, given, &shape.Batch, shape.logits, rows.Mask, len(results), accepted, path,
		unsafe.Pointer(unsafe.SliceData(results)))
	if status == uint32(OK) {
		return nil
	}
	first, row := make([]Result, 0, len(drafts)), 0
	for _, draft := range drafts {
		first = append(first, results[row])
		row += len(draft.Tokens) + 1
	}
	return rowErrors(samplers, entered, first)
}

// checkDrafts checks lengths, which the library cannot.
func checkDrafts(samplers int, drafts []Draft, rows *Batch, accepted int, path []int32, results []Result) ([]native.Draft,
	batchRows, error) {
	if samplers != len(drafts) || accepted != samplers {
		return nil, batchRows{}, invalid("there are %d samplers, %d drafts and %d elements of accepted", samplers,
			len(drafts), accepted)
	}
	n := 0
	all := make([]native.Draft, 0, len(drafts))
	for s, draft := range drafts {
		d := native.Draft{Rule: uint32(draft.Rule), Tokens: draft.Tokens, Parents: draft.Parents}
		if draft.Parents != nil && len(draft.Parents) != len(draft.Tokens) {
			return nil, batchRows{}, invalid("draft %d has %d tokens and %d parents", s, len(draft.Tokens), len(draft.Parents))
		}
		if laws := draft.Laws; laws != nil {
			if err := laws.check(len(draft.Tokens)); err != nil {
				return nil, batchRows{}, invalid("draft %d: %s", s, err.(*Error).Message)
			}
			d.Offsets, d.IDs, d.Probs = laws.Offsets, laws.IDs, laws.Probs
		}
		all = append(all, d)
		n += len(draft.Tokens) + 1
	}
	switch {
	case n != len(results):
		return nil, batchRows{}, invalid("the drafts need %d rows: there are %d results", n, len(results))
	case path != nil && len(path) != n:
		return nil, batchRows{}, invalid("the drafts need %d rows: path has %d elements", n, len(path))
	case rows != nil && rows.RowIndex != nil:
		return nil, batchRows{}, invalid("RowIndex is not nil")
	}
	shape, err := rows.check(n, n)
	return all, shape, err
}

func (d *Distributions) check(tokens int) error {
	if len(d.Offsets) != tokens+1 || len(d.IDs) != len(d.Probs) || d.Offsets[0] != 0 {
		return invalid("the laws have %d offsets, %d ids and %d probabilities for %d tokens", len(d.Offsets), len(d.IDs),
			len(d.Probs), tokens)
	}
	for i := range tokens {
		if d.Offsets[i] > d.Offsets[i+1] || d.Offsets[i+1] > len(d.IDs) {
			return invalid("the laws' offsets[%d] is %d, not from %d to %d", i+1, d.Offsets[i+1], d.Offsets[i], len(d.IDs))
		}
	}
	return nil
}
