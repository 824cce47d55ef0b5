//go:build !cgo || (windows && !bregman_link && !bregman_static)

// Package native calls the C library. This build cannot: [Open] returns an error, and nothing else is called.
package native

import "unsafe"

// unsupported is BREGMAN_UNSUPPORTED.
const unsupported = 7

func Open(string) error { return ErrNoCgo }

func ABIVersion() uint32       { return 0 }
func Version() string          { return "" }
func SIMDLevel() string        { return "" }
func StatusText(uint32) string { return "" }
func Stages() []Stage          { return nil }
func Macros() []Stage          { return nil }

func New([]byte, uint64) (uintptr, uint32, string) { return 0, unsupported, ErrNoCgo.Error() }
func WatermarkScore([]byte, []int32) (Watermark, uint32, string) {
	return Watermark{}, unsupported, ErrNoCgo.Error()
}

func Clone(uintptr) (uintptr, uint32) { return 0, unsupported }
func Free(uintptr)                    {}
func Describe(uintptr) string         { return "" }
func Error(uintptr) string            { return ErrNoCgo.Error() }

func Reset(uintptr) uint32                             { return unsupported }
func Reseed(uintptr, uint64, uint64) uint32            { return unsupported }
func Accept(uintptr, []int32) uint32                   { return unsupported }
func SetLogitBias(uintptr, []int32, []float32) uint32  { return unsupported }
func SetMask(uintptr, []uint32) uint32                 { return unsupported }
func SetPromptLength(uintptr, int) uint32              { return unsupported }
func Decode(uintptr, []float32, unsafe.Pointer) uint32 { return unsupported }
func Process(uintptr, []float32) uint32                { return unsupported }

func DecodeBatch([]uintptr, *Batch, unsafe.Pointer, []uint32, unsafe.Pointer) uint32 {
	return unsupported
}

func DecodeBatchAnswers([]uintptr, int, *Batch, unsafe.Pointer, []uint32, unsafe.Pointer, *Answers) uint32 {
	return unsupported
}

func Load([]byte) (uintptr, uint32, string)            { return 0, unsupported, ErrNoCgo.Error() }
func Save(uintptr, []byte) (int, uint32)               { return 0, unsupported }
func Rewind(uintptr, int) uint32                       { return unsupported }
func Where(uintptr) (uint64, uint64, int, int, uint32) { return 0, 0, 0, 0, unsupported }
func History(uintptr, []int32) (int, uint32)           { return 0, unsupported }

func Verify([]uintptr, []Draft, *Batch, unsafe.Pointer, []uint32, int, []uint32, []int32, unsafe.Pointer) uint32 {
	return unsupported
}

func DistributionBatch([]uintptr, *Batch, unsafe.Pointer, []uint32, []int, []int32, []float32) uint32 {
	return unsupported
}

func Reduce(int, *Batch, unsafe.Pointer, []uint32, int32, int, float32, []int32, []float32, []float64, []float32) uint32 {
	return unsupported
}

func TopLogprobs(uintptr, []float32, uint32, []int32, []float32) (int, uint32) { return 0, unsupported }

func DrawMany(uintptr, []float32, []int32, []float32, []float32) (int, uint32) { return 0, unsupported }

func Distribution(uintptr, []float32, []int32, []float32) (int, uint32) { return 0, unsupported }

func Apply(uintptr, unsafe.Pointer, int, bool) (int, int64, bool, uint32) {
	return 0, -1, false, unsupported
}

func LlamaIface() uintptr                            { return 0 }
func LlamaAttach(uintptr, uintptr) (uintptr, uint32) { return 0, unsupported }
func LlamaSampler(uintptr) uintptr                   { return 0 }
func LlamaSetOnFailure(uintptr, uint32) uint32       { return unsupported }
func LlamaFailures(uintptr) (uint64, uint32)         { return 0, unsupported }
