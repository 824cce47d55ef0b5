//go:build !cgo

package bregman

import (
	"errors"
	"testing"
)

// Without cgo everything compiles, and every call returns the reason.
func TestWithoutCgoEveryCallReturnsErrNoCgo(t *testing.T) {
	s, err := New("draw", 1)
	if s != nil || !errors.Is(err, ErrNoCgo) {
		t.Errorf("New: %v", err)
	}
	if err := Load("libbregman.so"); !errors.Is(err, ErrNoCgo) {
		t.Errorf("Load: %v", err)
	}
	if _, err := Stages(); !errors.Is(err, ErrNoCgo) {
		t.Errorf("Stages: %v", err)
	}
	if _, err := Macros(); !errors.Is(err, ErrNoCgo) {
		t.Errorf("Macros: %v", err)
	}
	if _, err := Version(); !errors.Is(err, ErrNoCgo) {
		t.Errorf("Version: %v", err)
	}
	if _, err := s.Decode([]float32{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("Decode: %v", err)
	}
}
