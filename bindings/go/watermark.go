package bregman

import (
	"strings"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// A WatermarkResult is what a detector says of a text.
type WatermarkResult struct {
	// Score is the stage's statistic, larger for a marked text; docs/watermarks.md says what it is.
	Score float64
	// PValue is the probability that a text which knows nothing of the key scores as much; 1 if no token was counted.
	PValue float64
	// Counted is the number of tokens that were counted: tokens whose context occurred before are not.
	Counted int
}

// WatermarkScore looks for a watermark in a text. stage is the stage that marked it, as in a chain and with its
// parameters, such as "watermark(key=0x9d3c55aa10f2e671, width=4)"; green_list needs its parameter vocab here. tokens are
// the output from its beginning, without the prompt. No model, no logits and no sampler are needed.
//
// Errors: [ErrInvalidChain] (not the text of one watermark stage; the message does not contain the key),
// [ErrInvalidArgument] (a token is negative or not in the vocabulary), [ErrNoCgo], [ErrNoLibrary], [ErrWrongLibrary].
// Safe for concurrent use.
func WatermarkScore(stage string, tokens []int32) (WatermarkResult, error) {
	if err := Load(""); err != nil {
		return WatermarkResult{}, err
	}
	if strings.IndexByte(stage, 0) >= 0 {
		return WatermarkResult{}, invalid("the stage contains a NUL")
	}
	result, status, message := native.WatermarkScore(append([]byte(stage), 0), tokens)
	if status != uint32(OK) {
		return WatermarkResult{}, &Error{Status(status), message}
	}
	return WatermarkResult{result.Score, result.PValue, result.Counted}, nil
}
