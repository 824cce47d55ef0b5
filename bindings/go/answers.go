package bregman

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// A Source says whose log-probabilities and ranks are meant.
type Source uint32

// The sources.
const (
	OfModel   Source = 0 // the model's, of the untouched logits: no mask, no bias, no stage, temperature 1
	OfDecoded Source = 1 // those of the decoded distribution
)

// Answers are what [DecodeBatchAnswers] tells besides the tokens. Each slice is the caller's; nil asks for nothing, and
// those that are not must not overlap. A row that fails leaves its places as they were.
type Answers struct {
	// Source says whose log-probabilities and ranks.
	Source Source
	// Logprobs has a place for the log-probability of each row's token: NaN if the untouched logits have none (NaN or
	// +infinity under the mask).
	Logprobs []float32
	// Ranks has a place for the rank of each row's token: how many tokens are at least as likely, itself among them. 0
	// where the log-probability is NaN.
	Ranks []uint32
	// Top is how many of the most likely tokens to tell of each row.
	Top int
	// TopStride is the distance of rows in TopIDs and TopLogprobs, at least Top; 0 stands for Top.
	TopStride int
	// TopIDs are the most likely tokens, in descending order (ties: ascending id); -1 where there are no more.
	TopIDs []int32
	// TopLogprobs are theirs; -infinity where there are no more, NaN if the untouched logits have none.
	TopLogprobs []float32
	// Kept is how many of the kept tokens to tell of each row at the most; Result.Support says how many there are.
	Kept int
	// KeptStride is the distance of rows in KeptIDs, at least Kept; 0 stands for Kept.
	KeptStride int
	// KeptIDs are the tokens with positive probability, the most likely first; -1 where there are no more.
	KeptIDs []int32
	// KeptMask has for each row KeptMaskStride words, in which the bits of the tokens with positive probability are set:
	// token t is bit t % 32 of word t / 32. Tokens beyond the words are left out.
	KeptMask []uint32
	// KeptMaskStride is the distance of rows in KeptMask; 0 stands for as many words as Vocab needs.
	KeptMaskStride int
}

// check makes sure that the slices are long enough: the library takes lengths on trust.
func (a *Answers) check(rows, vocab int) (native.Answers, error) {
	if a.Source != OfModel && a.Source != OfDecoded {
		return native.Answers{}, invalid("source is %d: it is OfModel or OfDecoded", a.Source)
	}
	wanted := native.Answers{
		Source: uint32(a.Source), Logprobs: a.Logprobs, Ranks: a.Ranks,
		Top: a.Top, TopStride: a.TopStride, TopIDs: a.TopIDs, TopLogprobs: a.TopLogprobs,
		Kept: a.Kept, KeptStride: a.KeptStride, KeptIDs: a.KeptIDs,
		KeptMask: a.KeptMask, KeptMaskStride: a.KeptMaskStride,
	}
	if wanted.TopStride == 0 {
		wanted.TopStride = a.Top
	}
	if wanted.KeptStride == 0 {
		wanted.KeptStride = a.Kept
	}
	if wanted.KeptMaskStride == 0 {
		wanted.KeptMaskStride = (vocab + 31) / 32
	}
	for _, err := range [...]error{
		room("Logprobs", a.Logprobs, rows, 1, 1),
		room("Ranks", a.Ranks, rows, 1, 1),
		room("TopIDs", a.TopIDs, rows, a.Top, wanted.TopStride),
		room("TopLogprobs", a.TopLogprobs, rows, a.Top, wanted.TopStride),
		room("KeptIDs", a.KeptIDs, rows, a.Kept, wanted.KeptStride),
		room("KeptMask", a.KeptMask, rows, wanted.KeptMaskStride, wanted.KeptMaskStride),
	} {
		if err != nil {
			return native.Answers{}, err
		}
	}
	return wanted, nil
}

// room says whether a slice that is not nil holds n elements for each of the rows, which are stride apart.
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
