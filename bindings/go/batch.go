package bregman

import (
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Flag of a batch; flags are or'ed.
type Flag uint32

// The flags of a batch.
const (
	WantKeptMass     Flag = 1  // fill Result.KeptMass
	WantModelLogprob Flag = 2  // fill Result.ModelLogprob
	WantEntropy      Flag = 4  // fill Result.Entropy
	AcceptTokens     Flag = 8  // append each drawn token to the history of its sampler
	WantLnKept       Flag = 16 // fill Result.LnKeptMass
	// Stay leaves the random position, and what the chain has learnt, as they are: for a grammar that is checked after
	// the draw. If the token is banned, draw again with the mask; if it stands, decode the row once more without this
	// flag, which gives the same token. Not together with AcceptTokens.
	Stay Flag = 32
)

// The formats of logits.
const (
	formatF32  = 0
	formatF16  = 1
	formatBF16 = 2
)

// A Batch is rows of logits in one slice.
type Batch struct {
	// The logits, read only, in exactly one of three formats: IEEE 754 single precision, or the bits of IEEE 754 half
	// precision or of bfloat16. Row r begins at element r * Stride.
	F32  []float32
	F16  []uint16
	BF16 []uint16
	// Vocab is the number of logits per row, at least 1; of sparse rows the largest number of elements.
	Vocab int
	// Stride is the distance between the starts of consecutive rows in elements, at least Vocab; 0 stands for Vocab.
	Stride int
	// Mask is nil, or MaskStride words for each row: token t is allowed if bit t % 32 of word t / 32 is set (the layout
	// of llguidance and xgrammar). A mask of the sampler ([Sampler.SetMask]) applies as well.
	Mask []uint32
	// MaskStride is the distance between the masks of consecutive rows in words; tokens beyond the last word are
	// banned. 0 stands for the number of words that Vocab needs; sparse rows need another number.
	MaskStride int
	// Flags are 0, or any of the flags above, or'ed.
	Flags Flag
	// Threads is 0 or 1 to decode all rows on the calling thread, or the largest number of threads: the calling one, and
	// idle ones of the library's own pool. The results do not depend on it.
	Threads int
	// RowIndex is nil: sampler i reads row i. Else sampler i reads row RowIndex[i], with its mask: several samplers may
	// read one row, and rows may be left out. Not for [Verify].
	RowIndex []int
	// IDs is nil for whole rows: element i of a row is the logit of token i. Else the rows are sparse: IDs, laid out as the
	// logits, has the token of each element, in any order, each token once; -1 leaves an element out. Masks are by token.
	//
	// A sparse row decodes to what the whole row would give: the same token and support, probabilities to 1e-6. If that
	// takes more than is known of the tokens that are not listed, the row fails with [ErrIncomplete] and nothing moves.
	// Figures that the row does not tell are NaN, such ranks 0. [Reduce] makes the slices.
	IDs []int32
	// Lengths is nil if every row has Vocab elements, or the number of elements of each row, from 1 to Vocab. What follows
	// them is not read.
	Lengths []uint32
	// LogRest is nil if there are no other tokens. Else for each row ln of the sum of exp(l / RestTemperature) over the
	// tokens that are not listed: -Inf if none of them can be sampled, +Inf if the sum is not known.
	LogRest []float64
	// Bound has for each row a number that no logit of a token that is not listed exceeds. nil: the smallest finite logit
	// that is listed, as for lists of the largest. Not read without LogRest.
	Bound []float32
	// RestTemperature is the temperature of LogRest; 0 stands for 1.
	RestTemperature float32
}

// tickets numbers the batches; those up to single are reserved.
var tickets atomic.Uint64

// DecodeBatch decodes row r with samplers[r] into results[r]; there are as many results as samplers. Each row has its
// own sampler, with its own chain, seed and state. Neither the order of the rows nor the number of threads changes a
// token.
//
// Rows are independent: the failure of one does not affect the others. Rows that fail have a Status and are listed in
// the [*BatchError] that is returned; see [RowErr]. A row fails if its sampler is nil, closed or in use, or if an
// earlier row has the same sampler. If the batch is invalid ([ErrInvalidArgument]: lengths, strides, format), nothing
// is decoded and every result has that status.
func DecodeBatch(samplers []*Sampler, batch *Batch, results []Result) error {
	return DecodeBatchAnswers(samplers, batch, results, nil)
}

// DecodeBatchAnswers is [DecodeBatch] with more answers about the rows and tokens that it decodes; nil for none.
// Tokens, results and the state of the samplers afterwards are the same as without them. Invalid answers
// ([ErrInvalidArgument]: source, lengths, strides) fail as an invalid batch does.
func DecodeBatchAnswers(samplers []*Sampler, batch *Batch, results []Result, answers *Answers) error {
	rows, err := batch.check(len(samplers), len(results))
	var wanted native.Answers
	if err == nil && answers != nil {
		wanted, err = answers.check(len(samplers), batch)
	}
	if err != nil {
		for i := range results {
			results[i] = failed(ErrInvalidArgument)
		}
		return err
	}
	if len(samplers) == 0 {
		return nil
	}
	scratch := handles.Get().(*[]uintptr)
	defer handles.Put(scratch)
	ticket := single + tickets.Add(1)
	entered := (*scratch)[:0]
	for _, s := range samplers {
		entered = append(entered, s.enterBatch(ticket))
	}
	*scratch = entered
	defer leaveBatch(samplers, ticket)
	at := unsafe.Pointer(unsafe.SliceData(results))
	var status uint32
	if answers == nil {
		status = native.DecodeBatch(entered, &rows.Batch, rows.logits, batch.Mask, at)
	} else {
		status = native.DecodeBatchAnswers(entered, len(entered), &rows.Batch, rows.logits, batch.Mask, at, &wanted)
	}
	if status == uint32(OK) {
		return nil
	}
	return rowErrors(samplers, entered, results)
}

// handles keeps slices of handles for reuse.
var handles = sync.Pool{New: func() any { return new([]uintptr) }}

// enterBatch enters the sampler and returns its handle, or 0 if it cannot be entered, with which the library fails the
// row. A sampler that is in the batch twice is passed twice, because the library refuses that.
func (s *Sampler) enterBatch(ticket uint64) uintptr {
	if err := s.enter(ticket); err != nil && (err != ErrInUse || s.user.Load() != ticket) {
		return 0
	}
	return s.handle
}

func leaveBatch(samplers []*Sampler, ticket uint64) {
	for _, s := range samplers {
		if s != nil {
			s.user.CompareAndSwap(ticket, idle)
		}
	}
}

// rowErrors collects the rows that failed, while the samplers are entered.
func rowErrors(samplers []*Sampler, entered []uintptr, results []Result) error {
	all := &BatchError{}
	for r, s := range samplers {
		switch {
		case entered[r] != 0 && results[r].Status == OK:
			continue
		case entered[r] != 0:
			all.Rows = append(all.Rows, RowError{r, &Error{results[r].Status, native.Error(entered[r])}})
		case s == nil || s.handle == 0 || s.user.Load() == closed:
			all.Rows = append(all.Rows, RowError{r, ErrClosed})
		default:
			all.Rows = append(all.Rows, RowError{r, ErrInUse})
		}
	}
	return all
}

// batchRows is a batch in the form of the library's.
type batchRows struct {
	native.Batch
	logits unsafe.Pointer
}

// check checks that the slices are long enough, which the library cannot.
func (b *Batch) check(samplers, results int) (batchRows, error) {
	if b == nil {
		return batchRows{}, invalid("the batch is nil")
	}
	if results != samplers {
		return batchRows{}, invalid("there are %d samplers and %d results", samplers, results)
	}
	if b.Threads < 0 || b.Threads > math.MaxInt32 {
		return batchRows{}, invalid("threads is %d", b.Threads)
	}
	rows := batchRows{Batch: native.Batch{
		Flags: uint32(b.Flags), Threads: uint32(b.Threads),
		Vocab: b.Vocab, RowStride: b.Stride, MaskStride: b.MaskStride, RowIndex: b.RowIndex,
	}}
	if b.IDs != nil {
		rows.IDs, rows.Lengths, rows.LogRest = b.IDs, b.Lengths, b.LogRest
		rows.Bound, rows.RestTemperature = b.Bound, b.RestTemperature
	}
	samplers, err := b.needed(samplers)
	if err != nil {
		return rows, err
	}
	length, err := rows.choose(b)
	switch {
	case err != nil:
		return rows, err
	case samplers == 0:
		return rows, nil
	case b.Vocab < 1 || b.Vocab > math.MaxInt32:
		return rows, invalid("vocab is %d: a row has 1 to %d logits", b.Vocab, math.MaxInt32)
	}
	if rows.RowStride == 0 {
		rows.RowStride = b.Vocab
	}
	if rows.RowStride < b.Vocab {
		return rows, invalid("stride is %d, less than vocab (%d)", rows.RowStride, b.Vocab)
	}
	if !fits(length, samplers, rows.RowStride, b.Vocab) {
		return rows, invalid("%d logits are too few for %d rows of %d with stride %d", length, samplers, b.Vocab,
			rows.RowStride)
	}
	if err := rows.checkSparse(samplers); err != nil {
		return rows, err
	}
	return rows, rows.checkMask(b, samplers)
}

func (rows *batchRows) checkSparse(n int) error {
	for _, err := range [...]error{
		room("IDs", rows.IDs, n, rows.Vocab, rows.RowStride),
		room("Lengths", rows.Lengths, n, 1, 1),
		room("LogRest", rows.LogRest, n, 1, 1),
		room("Bound", rows.Bound, n, 1, 1),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// needed is how many rows so many samplers need.
func (b *Batch) needed(samplers int) (int, error) {
	if b.RowIndex == nil || samplers == 0 {
		return samplers, nil
	}
	if len(b.RowIndex) != samplers {
		return 0, invalid("there are %d row indices for %d samplers", len(b.RowIndex), samplers)
	}
	last := 0
	for i, row := range b.RowIndex {
		if row < 0 || row == math.MaxInt {
			return 0, invalid("RowIndex[%d] is %d", i, row)
		}
		last = max(last, row)
	}
	return last + 1, nil
}

// choose selects the format that is not nil.
func (rows *batchRows) choose(b *Batch) (length int, err error) {
	given := 0
	if b.F32 != nil {
		given++
		rows.Format, rows.logits, length = formatF32, unsafe.Pointer(unsafe.SliceData(b.F32)), len(b.F32)
	}
	if b.F16 != nil {
		given++
		rows.Format, rows.logits, length = formatF16, unsafe.Pointer(unsafe.SliceData(b.F16)), len(b.F16)
	}
	if b.BF16 != nil {
		given++
		rows.Format, rows.logits, length = formatBF16, unsafe.Pointer(unsafe.SliceData(b.BF16)), len(b.BF16)
	}
	if given != 1 {
		return 0, invalid("the logits are in %d of F32, F16 and BF16, but must be in one", given)
	}
	return length, nil
}

func (rows *batchRows) checkMask(b *Batch, samplers int) error {
	if b.Mask == nil {
		return nil
	}
	needed := (b.Vocab + 31) / 32
	if b.IDs != nil {
		if rows.MaskStride == 0 {
			return invalid("MaskStride is 0: masks of sparse rows need the number of words")
		}
		needed = rows.MaskStride
	}
	if rows.MaskStride == 0 {
		rows.MaskStride = needed
	}
	if rows.MaskStride < 0 || !fits(len(b.Mask), samplers, rows.MaskStride, min(needed, rows.MaskStride)) {
		return invalid("%d words of mask are too few for %d rows with stride %d", len(b.Mask), samplers, rows.MaskStride)
	}
	return nil
}

// fits is whether length elements hold the rows, which are stride apart and of which the last has used elements.
func fits(length, rows, stride, used int) bool {
	return length >= used && (length-used)/stride >= rows-1
}
