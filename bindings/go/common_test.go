//go:build cgo

package bregman

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// chains of every kind: adaptive, usual, dual, whole vocabulary, greedy.
var chains = []string{
	"temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw",
	"top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
	"bregman(alpha=2, mode=dual, floor=0.02) | draw",
	"draw",
	"greedy",
}

// TestMain selects the library: the one that cargo built, unless BREGMAN_LIBRARY names another.
func TestMain(m *testing.M) {
	if os.Getenv("BREGMAN_LIBRARY") == "" {
		if built, err := filepath.Abs("../../target/release/libbregman.so"); err == nil {
			if _, err := os.Stat(built); err == nil {
				os.Setenv("BREGMAN_LIBRARY", built)
			}
		}
	}
	os.Exit(m.Run())
}

func libraryStatusText(t *testing.T, status Status) string {
	t.Helper()
	if err := Load(""); err != nil {
		t.Fatal(err)
	}
	return native.StatusText(uint32(status))
}

// newSampler is New for tests: it closes the sampler at the end of the test.
func newSampler(t testing.TB, chain string, seed uint64) *Sampler {
	t.Helper()
	s, err := New(chain, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// rows makes n rows of normal logits, the same for the same number.
func rows(number uint64, n, vocab int) []float32 {
	random := rand.New(rand.NewPCG(number, 1))
	logits := make([]float32, n*vocab)
	for i := range logits {
		logits[i] = float32(random.NormFloat64() * 3)
	}
	return logits
}

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
