//go:build cgo

package bregman

import (
	"fmt"
	"testing"
)

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
