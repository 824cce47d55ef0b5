package bregman

import (
	"fmt"
	"testing"
)

// BenchmarkCall is the cost of a call itself: a row of one logit has nothing to decode.
func BenchmarkCall(b *testing.B) {
	s, logits := newSampler(b, "greedy", 1), []float32{1}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Decode(logits); err != nil {
				b.Fatal(err)
			}
		}
	})
	// The same without Go's work on a row: the least that a call into C costs.
	b.Run("reseed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Reseed(1, 2); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("batch-row", func(b *testing.B) {
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

func BenchmarkDecode(b *testing.B) {
	for _, vocab := range []int{32000, 128256} {
		logits := rows(1, 1, vocab)
		for _, chain := range chains {
			b.Run(fmt.Sprintf("V=%d/%s", vocab, chain), func(b *testing.B) {
				s := newSampler(b, chain, 1)
				b.ReportAllocs()
				b.SetBytes(int64(4 * vocab))
				for b.Loop() {
					if _, err := s.Decode(logits); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecodeParallel(b *testing.B) {
	logits := rows(1, 1, 32000)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		s, err := New(chains[0], 1)
		if err != nil {
			b.Error(err)
			return
		}
		defer s.Close()
		for pb.Next() {
			if _, err := s.Decode(logits); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
