package bregman

import (
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A Flag asks a batch for more than tokens; flags are or'ed.
type Flag uint32

// What a batch can be asked for.
const (
	WantKeptMass     Flag = 1 // fill Result.KeptMass
	WantModelLogprob Flag = 2 // fill Result.ModelLogprob
	WantEntropy      Flag = 4 // fill Result.Entropy
	AcceptTokens     Flag = 8 // accept each drawn token into its sampler's history
)

// The library's numbers for formats of logits.
const (
	formatF32  = 0
	formatF16  = 1
	formatBF16 = 2
)

// A Batch is rows of logits in one slice.
type Batch struct {
	// The logits, in exactly one of three formats: IEEE single precision, or the bits of IEEE half precision or of
	// bfloat16. Row r begins at element r * Stride. Only read.
	F32  []float32
	F16  []uint16
	BF16 []uint16
	// Vocab is the number of logits in a row, at least 1.
	Vocab int
	// Stride is the distance of rows in elements, at least Vocab; 0 stands for Vocab.
	Stride int
	// Mask is nil, or for each row MaskStride words in which token t is bit t % 32 of word t / 32 and a set bit allows
	// it (the layout of llguidance and xgrammar).
	Mask []uint32
	// MaskStride is the distance of rows in words; tokens beyond them are banned. 0 stands for as many as Vocab needs.
	MaskStride int
	// Flags are what is wanted besides tokens.
	Flags Flag
	// Threads is how many threads of the library's own decode the rows; up to 1 the calling one does. The answers are
	// the same.
	Threads int
}

// tickets tells batches from each other; those up to single are taken.
var tickets atomic.Uint64

// DecodeBatch decodes a row with each sampler into the results, of which there are as many as samplers. Each row has a
// sampler, with a chain, seed and state of its own; neither the rows' order nor the number of threads changes a token.
//
// No row's failure is another's: those that failed are in the [*BatchError] that is returned and have a Status; see
// [RowErr]. That holds for a sampler that is closed, nil, in use, or stands twice (then its first row is decoded). If
// what the batch says is wrong ([ErrInvalidArgument]: lengths, strides, format), nothing is decoded and every result
// has that status.
func DecodeBatch(samplers []*Sampler, batch *Batch, results []Result) error {
	return DecodeBatchAnswers(samplers, batch, results, nil)
}

// DecodeBatchAnswers is [DecodeBatch] with more answers about the very rows and tokens that it decodes, for one row or
// many; nil asks for none. Tokens, results and the samplers' state are the same. What is wrong with the answers
// ([ErrInvalidArgument]: source, lengths, strides) is like what is wrong with the batch.
func DecodeBatchAnswers(samplers []*Sampler, batch *Batch, results []Result, answers *Answers) error {
	rows, err := batch.check(len(samplers), len(results))
	var wanted native.Answers
	if err == nil && answers != nil {
		wanted, err = answers.check(len(samplers), batch.Vocab)
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
		status = native.DecodeBatchAnswers(entered, &rows.Batch, rows.logits, batch.Mask, at, &wanted)
	}
	if status == uint32(OK) {
		return nil
	}
	return rowErrors(samplers, entered, results)
}

// handles keeps arrays of handles for the next batch.
var handles = sync.Pool{New: func() any { return new([]uintptr) }}

// enterBatch is the sampler's handle, or 0 if it cannot be entered, which the library takes for a failing row. A
// sampler that stands twice is handed over twice: that is the library's to refuse.
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

// rowErrors collects what failed, while the samplers are still entered.
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

// batchRows is a batch as the library takes it.
type batchRows struct {
	native.Batch
	logits unsafe.Pointer
}

// check makes sure that the slices are as long as the batch says: the library takes lengths on trust.
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
		Vocab: b.Vocab, RowStride: b.Stride, MaskStride: b.MaskStride,
	}}
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
	return rows, rows.checkMask(b, samplers)
}

// choose takes the one format that was given.
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
		return 0, invalid("logits are given in %d formats, not in one of F32, F16, BF16", given)
	}
	return length, nil
}

func (rows *batchRows) checkMask(b *Batch, samplers int) error {
	if b.Mask == nil {
		return nil
	}
	needed := (b.Vocab + 31) / 32
	if rows.MaskStride == 0 {
		rows.MaskStride = needed
	}
	if rows.MaskStride < 0 || !fits(len(b.Mask), samplers, rows.MaskStride, min(needed, rows.MaskStride)) {
		return invalid("%d words of mask are too few for %d rows with stride %d", len(b.Mask), samplers, rows.MaskStride)
	}
	return nil
}

// fits says whether length elements hold rows that are stride apart, the last of which has used elements.
func fits(length, rows, stride, used int) bool {
	return length >= used && (length-used)/stride >= rows-1
}
