package native

import "errors"

var (
	// ErrNoCgo: the program was built in a way that cannot call C.
	ErrNoCgo = errors.New("bregman: built without cgo: set CGO_ENABLED=1 (on Windows, also the tag bregman_link or " +
		"bregman_static) and have a C compiler")
	// ErrNoLibrary: there is no file to load.
	ErrNoLibrary = errors.New("bregman: the native library could not be loaded")
	// ErrWrongLibrary: the file is not this library, or another version of it.
	ErrWrongLibrary = errors.New("bregman: not the native library that this package needs")
)

// What a stage of llama.cpp does when an apply fails.
const (
	LlamaAbort    = 0
	LlamaFallback = 1
)

// Stage is a bregman_stage, copied.
type Stage struct {
	Name       string
	Aliases    []string
	Summary    string
	Source     string
	Draws      bool
	Learns     bool
	Parameters []Parameter
}

// Parameter is a bregman_parameter, copied.
type Parameter struct {
	Name        string
	Aliases     []string
	Summary     string
	Default     string
	Choices     []string
	Min, Max    float64
	Kind        uint32
	MinExcluded bool
	Required    bool
	Group       int
}

// Batch is a bregman_batch without its rows and its number of them.
type Batch struct {
	Format, Flags, Threads       uint32
	Vocab, RowStride, MaskStride int
	RowIndex                     []int
	IDs                          []int32
	Lengths                      []uint32
	LogRest                      []float64
	Bound                        []float32
	RestTemperature              float32
}

// Draft is a bregman_draft.
type Draft struct {
	Rule            uint32
	Tokens, Parents []int32
	Offsets         []int
	IDs             []int32
	Probs           []float32
}

// Answers is a bregman_answers; slices that are nil are not computed.
type Answers struct {
	Source           uint32
	Logprobs         []float32
	Ranks            []uint32
	Top, TopStride   int
	TopIDs           []int32
	TopLogprobs      []float32
	Kept, KeptStride int
	KeptIDs          []int32
	KeptMask         []uint32
	KeptMaskStride   int
	KeptOffsets      []int
	Given            int
	GivenStride      int
	GivenIDs         []int32
	GivenLogprobs    []float32
	GivenRanks       []uint32
	OtherLogprobs    []float32
	OtherTopLogprobs []float32
}

// Gate is a bregman_gate_options.
type Gate struct {
	Convention                       uint32
	Experts, TopK, Groups, TopGroups int
	Scale                            float64
}

// ArmOptions is a bregman_arm_options.
type ArmOptions struct {
	Rule, Rewards, Redraws uint32
	Sigma, Beta            float64
}

// Verdict is a bregman_verdict.
type Verdict struct {
	Stop                 bool
	Best                 int
	Statistic, Threshold float64
}

// Calibration is a bregman_calibration.
type Calibration struct {
	Cells                                        int
	SquaredError, Variance, Lower, Upper, PValue float64
}

// Watermark is a bregman_watermark.
type Watermark struct {
	Score, PValue float64
	Counted       int
}
