//go:build cgo

package bregman

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestWatermarkScoreFindsTheMark(t *testing.T) {
	const key = "0x9d3c55aa10f2e671"
	marked, plain := must[*Sampler](t)(New("top_k(50) | watermark("+key+")", 1)), must[*Sampler](t)(New("top_k(50) | draw", 1))
	defer marked.Close()
	defer plain.Close()
	if text := must[string](t)(marked.Describe()); text != "top_k(50) | watermark(hidden)" {
		t.Errorf("the chain is described as %s", text)
	}
	random := rand.New(rand.NewPCG(1, 2))
	row := make([]float32, 500)
	var texts [2][]int32
	for range 300 {
		for i := range row {
			row[i] = float32(2 * random.NormFloat64())
		}
		for i, s := range []*Sampler{marked, plain} {
			token := must[Result](t)(s.Decode(row)).Token
			if err := s.Accept(token); err != nil {
				t.Fatal(err)
			}
			texts[i] = append(texts[i], token)
		}
	}
	stage := "watermark(" + key + ")"
	if found := must[WatermarkResult](t)(WatermarkScore(stage, texts[0])); found.PValue > 1e-9 || found.Counted < 250 {
		t.Errorf("the marked text has %v", found)
	}
	if found := must[WatermarkResult](t)(WatermarkScore(stage, texts[1])); found.PValue < 1e-3 {
		t.Errorf("the plain text has %v", found)
	}
	if none := must[WatermarkResult](t)(WatermarkScore(stage, nil)); none != (WatermarkResult{PValue: 1}) {
		t.Errorf("no text has %v", none)
	}
}

func TestWatermarkScoreRefusesWrongArguments(t *testing.T) {
	for _, c := range []struct {
		stage  string
		tokens []int32
		status Status
	}{
		{"draw", []int32{1}, ErrInvalidChain},
		{"watermark(123456789x)", []int32{1}, ErrInvalidChain},
		{"watermark(123456789) | draw", []int32{1}, ErrInvalidChain},
		{"watermark(123456789)", []int32{1, -1}, ErrInvalidArgument},
		{"watermark(123456789)\x00", []int32{1}, ErrInvalidArgument},
	} {
		_, err := WatermarkScore(c.stage, c.tokens)
		if !errors.Is(err, c.status) || strings.Contains(err.Error(), "123456789") {
			t.Errorf("%q: %v", c.stage, err)
		}
	}
}
