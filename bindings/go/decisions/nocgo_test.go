//go:build !cgo

package decisions

import (
	"errors"
	"testing"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
)

// Without cgo everything compiles, and calls return the reason.
func TestWithoutCgoCallsReturnErrNoCgo(t *testing.T) {
	if _, err := BestOfN([]float64{1}, []float64{1}, 1); !errors.Is(err, bregman.ErrNoCgo) {
		t.Errorf("BestOfN: %v", err)
	}
	if _, _, err := Route(Gate{Experts: 1, TopK: 1}, []float64{1}); !errors.Is(err, bregman.ErrNoCgo) {
		t.Errorf("Route: %v", err)
	}
}
