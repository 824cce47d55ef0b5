//go:build cgo && !windows

package bregman

import (
	"os"
	"testing"

	"github.com/bregman-decoding/bregman/bindings/go/internal/baseline"
)

// BenchmarkCall is the cost of a call itself: a row of one logit has nothing to decode. "c" is the same call from C.
func BenchmarkCall(b *testing.B) {
	logits := []float32{1}
	b.Run("c", func(b *testing.B) {
		path := os.Getenv("BREGMAN_LIBRARY")
		if path == "" {
			b.Skip("BREGMAN_LIBRARY names no library")
		}
		if err := baseline.Open(path); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		if err := baseline.Decode(b.N); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("go", func(b *testing.B) {
		s := newSampler(b, "greedy", 1)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Decode(logits); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-batch-of-64", func(b *testing.B) {
		const rows = 64
		samplers, results := make([]*Sampler, rows), make([]Result, rows)
		for r := range samplers {
			samplers[r] = newSampler(b, "greedy", 1)
		}
		batch := &Batch{F32: make([]float32, rows), Vocab: 1}
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			if err := DecodeBatch(samplers, batch, results); err != nil {
				b.Fatal(err)
			}
			n += rows
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
	})
}
