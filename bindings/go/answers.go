package bregman

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// A Source of log-probabilities and ranks.
type Source uint32

// The sources.
const (
	OfModel   Source = 0 // the model: the untouched logits (no mask, no bias, no stage, temperature 1)
	OfDecoded Source = 1 // the decoded distribution
)

// Answers are outputs of [DecodeBatchAnswers] in addition to the tokens, in slices of the caller. Those that are nil
// are not computed; the others must not overlap. The elements of a row that fails are not written.
type Answers struct {
	// Source of log-probabilities, ranks and most likely tokens.
	Source Source
	// Logprobs has one element per row: ln p of its token. NaN for OfModel if an untouched logit is NaN or +infinity (a
	// mask may hide it from the decoder).
	Logprobs []float32
	// Ranks has one element per row: the rank of its token, that is the number of tokens that are at least as likely,
	// itself included; 1 for the most likely. 0 where the log-probability is NaN.
	Ranks []uint32
	// Top is the number of most likely tokens per row.
	Top int
	// TopStride is the distance between consecutive rows in TopIDs and TopLogprobs, at least Top; 0 stands for Top.
	TopStride int
	// TopIDs are the most likely tokens of each row in descending order (ties: ascending id), then -1 if the
	// distribution has fewer.
	TopIDs []int32
	// TopLogprobs are ln p of these tokens, then -infinity if the distribution has fewer; all NaN where Logprobs is
	// NaN.
	TopLogprobs []float32
	// Kept is the largest number of kept tokens to write per row; Result.Support is how many there are.
	Kept int
	// KeptStride is the distance between consecutive rows in KeptIDs, at least Kept; 0 stands for Kept.
	KeptStride int
	// KeptIDs are the tokens with positive probability under the decoded distribution, the most likely first, then -1
	// if there are fewer than Kept.
	KeptIDs []int32
	// KeptMask has KeptMaskStride words per row: bit t % 32 of word t / 32 is set if token t has positive probability.
	// Tokens beyond the last word are left out.
	KeptMask []uint32
	// KeptMaskStride is the distance between consecutive rows in KeptMask; 0 stands for the number of words that Vocab
	// needs; sparse rows need another number.
	KeptMaskStride int
	// KeptOffsets is nil, or has one more element than there are rows: the kept tokens of row r are then elements
	// KeptOffsets[r] to KeptOffsets[r+1]-1 of KeptIDs, without gaps, and KeptStride is not used.
	KeptOffsets []int
	// Given is the number of tokens per row whose log-probabilities are asked for.
	Given int
	// GivenStride is the distance between consecutive rows in GivenIDs, GivenLogprobs and GivenRanks, at least Given; 0
	// stands for Given.
	GivenStride int
	// GivenIDs are these tokens, read only; -1 asks for none. Any other id that is not in the vocabulary fails its row.
	GivenIDs []int32
	// GivenLogprobs are ln p of these tokens: -infinity for a token that cannot be sampled, NaN for -1.
	GivenLogprobs []float32
	// GivenRanks are their ranks, as Ranks; 0 where there is no probability. With OfModel each reads the row once.
	GivenRanks []uint32
	// OtherLogprobs has one element per row: ln p of its token under the other source.
	OtherLogprobs []float32
	// OtherTopLogprobs are ln p of TopIDs under the other source, TopStride apart.
	OtherTopLogprobs []float32
}

// ModelAnswers answers about the model's distribution of n rows, without samplers: for prompts, and for scores of
// choices. Of the answers, whose source is [OfModel], the most likely tokens and those about given tokens may be asked
// for; the others are about a decoded token. The batch has no flags and no mask.
//
// Returns the status of the first row that failed: [ErrInvalidLogits], [ErrEmptySupport], [ErrInvalidArgument] (a given
// id that is not in the row). Such rows have NaN log-probabilities, ranks 0 and ids -1; the others have their answers. If
// an argument is invalid ([ErrInvalidArgument]), nothing is written. Safe for concurrent use.
func ModelAnswers(batch *Batch, n int, answers *Answers) error {
	if err := Load(""); err != nil {
		return err
	}
	if n < 0 || answers == nil {
		return invalid("there are %d rows, or the answers are nil", n)
	}
	rows, err := batch.check(n, n)
	if err != nil {
		return err
	}
	wanted, err := answers.check(n, batch)
	if err != nil || n == 0 {
		return err
	}
	status := native.DecodeBatchAnswers(nil, n, &rows.Batch, rows.logits, batch.Mask, nil, &wanted)
	if status != uint32(OK) {
		return &Error{Status(status), native.StatusText(status)}
	}
	return nil
}

// check checks that the slices are long enough, which the library cannot.
func (a *Answers) check(rows int, batch *Batch) (native.Answers, error) {
	if a.Source != OfModel && a.Source != OfDecoded {
		return native.Answers{}, invalid("source is %d: must be OfModel or OfDecoded", a.Source)
	}
	wanted := native.Answers{
		Source: uint32(a.Source), Logprobs: a.Logprobs, Ranks: a.Ranks,
		Top: a.Top, TopStride: a.TopStride, TopIDs: a.TopIDs, TopLogprobs: a.TopLogprobs,
		Kept: a.Kept, KeptStride: a.KeptStride, KeptIDs: a.KeptIDs,
		KeptMask: a.KeptMask, KeptMaskStride: a.KeptMaskStride, KeptOffsets: a.KeptOffsets,
		Given: a.Given, GivenStride: a.GivenStride, GivenIDs: a.GivenIDs, GivenLogprobs: a.GivenLogprobs,
		GivenRanks: a.GivenRanks, OtherLogprobs: a.OtherLogprobs, OtherTopLogprobs: a.OtherTopLogprobs,
	}
	if wanted.TopStride == 0 {
		wanted.TopStride = a.Top
	}
	if wanted.KeptStride == 0 {
		wanted.KeptStride = a.Kept
	}
	if wanted.GivenStride == 0 {
		wanted.GivenStride = a.Given
	}
	kept := wanted.KeptStride
	if a.KeptOffsets != nil {
		kept = a.Kept
	}
	if a.KeptMask != nil && a.KeptMaskStride == 0 && batch.IDs != nil {
		return native.Answers{}, invalid("KeptMaskStride is 0: masks of sparse rows need the number of words")
	}
	if wanted.KeptMaskStride == 0 {
		wanted.KeptMaskStride = (batch.Vocab + 31) / 32
	}
	for _, err := range [...]error{
		room("Logprobs", a.Logprobs, rows, 1, 1),
		room("Ranks", a.Ranks, rows, 1, 1),
		room("TopIDs", a.TopIDs, rows, a.Top, wanted.TopStride),
		room("TopLogprobs", a.TopLogprobs, rows, a.Top, wanted.TopStride),
		room("KeptIDs", a.KeptIDs, rows, a.Kept, kept),
		room("KeptOffsets", a.KeptOffsets, rows+1, 1, 1),
		room("GivenIDs", a.GivenIDs, rows, a.Given, wanted.GivenStride),
		room("GivenLogprobs", a.GivenLogprobs, rows, a.Given, wanted.GivenStride),
		room("GivenRanks", a.GivenRanks, rows, a.Given, wanted.GivenStride),
		room("OtherLogprobs", a.OtherLogprobs, rows, 1, 1),
		room("OtherTopLogprobs", a.OtherTopLogprobs, rows, a.Top, wanted.TopStride),
		room("KeptMask", a.KeptMask, rows, wanted.KeptMaskStride, wanted.KeptMaskStride),
	} {
		if err != nil {
			return native.Answers{}, err
		}
	}
	return wanted, nil
}

// room checks that a slice that is not nil holds n elements for each of the rows, which are stride apart.
func room[T any](name string, slice []T, rows, n, stride int) error {
	switch {
	case slice == nil || rows == 0:
		return nil
	case n < 0 || stride < n:
		return invalid("%s: %d elements a row with stride %d", name, n, stride)
	case stride > 0 && !fits(len(slice), rows, stride, n):
		return invalid("%s: %d elements are too few for %d rows of %d with stride %d", name, len(slice), rows, n, stride)
	}
	return nil
}
