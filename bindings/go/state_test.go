//go:build cgo

package bregman

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"slices"
	"testing"
)

var (
	_ encoding.BinaryMarshaler   = (*Sampler)(nil)
	_ encoding.BinaryUnmarshaler = (*Sampler)(nil)
)

// moving has chains that learn, draw with noise, or look at the history.
var moving = []string{"mirostat(tau=3)", "mirostat_v2(tau=3)", "adaptive_p(target=0.4)", "penalties(repeat=1.3) | draw",
	"top_k(20) | gumbel"}

// step decodes and accepts a token.
func step(t *testing.T, s *Sampler, logits []float32) int32 {
	t.Helper()
	token := must[Result](t)(s.Decode(logits)).Token
	if err := s.Accept(token); err != nil {
		t.Fatal(err)
	}
	return token
}

func TestASequenceGoesOnFromItsState(t *testing.T) {
	logits := rows(1, 30, 200)
	for _, chain := range moving {
		undisturbed, moved := newSampler(t, chain, 7), newSampler(t, chain, 7)
		if err := errors.Join(undisturbed.Accept(1, 2), moved.Accept(1, 2)); err != nil {
			t.Fatal(err)
		}
		history := []int32{1, 2}
		for r := range 30 {
			state := must[[]byte](t)(moved.MarshalBinary())
			if r%2 == 0 {
				moved = must[*Sampler](t)(Restore(state))
			} else {
				var sent bytes.Buffer
				again := new(Sampler)
				if err := errors.Join(gob.NewEncoder(&sent).Encode(moved), gob.NewDecoder(&sent).Decode(again)); err != nil {
					t.Fatal(err)
				}
				moved = again
			}
			if again := must[[]byte](t)(moved.MarshalBinary()); !bytes.Equal(again, state) {
				t.Fatalf("%s: the state changed on its way", chain)
			}
			row := logits[r*200:][:200]
			want, got := step(t, undisturbed, row), step(t, moved, row)
			if got != want {
				t.Fatalf("%s: token %d of row %d, not %d", chain, got, r, want)
			}
			history = append(history, want)
		}
		if got := must[[]int32](t)(moved.History()); !slices.Equal(got, history) {
			t.Errorf("%s: the history is %v, not %v", chain, got, history)
		}
		if at := must[Place](t)(moved.Where()); at != (Place{7, 30, 32, 2}) {
			t.Errorf("%s: at %+v", chain, at)
		}
	}
}

func TestRewindTakesTokensBack(t *testing.T) {
	logits := rows(2, 12, 200)
	for _, chain := range moving {
		s := newSampler(t, chain, 9)
		var states [][]byte
		var tokens []int32
		for r := range 12 {
			states = append(states, must[[]byte](t)(s.MarshalBinary()))
			tokens = append(tokens, step(t, s, logits[r*200:][:200]))
		}
		for _, n := range []int{-1, 13} {
			if err := s.Rewind(n); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("Rewind(%d): %v", n, err)
			}
		}
		for _, n := range []int{7, 12} {
			if err := s.Rewind(n); err != nil {
				t.Fatal(err)
			}
			if n < 12 && !bytes.Equal(must[[]byte](t)(s.MarshalBinary()), states[12-n]) {
				t.Errorf("%s: another state after Rewind(%d)", chain, n)
			}
			for r := 12 - n; r < 12; r++ {
				if got := step(t, s, logits[r*200:][:200]); got != tokens[r] {
					t.Errorf("%s: token %d of row %d, not %d", chain, got, r, tokens[r])
				}
			}
		}
	}
}

func TestStayLeavesTheState(t *testing.T) {
	logits := rows(3, 10, 200)
	for _, chain := range moving {
		s, plain := newSampler(t, chain, 11), newSampler(t, chain, 11)
		for r := range 10 {
			row := logits[r*200:][:200]
			results := make([]Result, 1)
			if err := DecodeBatch([]*Sampler{s}, &Batch{F32: row, Vocab: 200, Flags: Stay | WantLnKept}, results); err != nil {
				t.Fatal(err)
			}
			if at := must[Place](t)(s.Where()); at.Position != uint64(r) || !(results[0].LnKeptMass <= 0) {
				t.Errorf("%s: at %+v, %+v", chain, at, results[0])
			}
			if a, b := step(t, s, row), step(t, plain, row); a != b || a != results[0].Token {
				t.Errorf("%s: tokens %d, %d and %d", chain, results[0].Token, a, b)
			}
		}
		both := &Batch{F32: logits, Vocab: 200, Flags: Stay | AcceptTokens}
		if err := DecodeBatch([]*Sampler{s}, both, make([]Result, 1)); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("Stay and AcceptTokens: %v", err)
		}
	}
}

func TestBytesThatAreNoStateAreRefused(t *testing.T) {
	s := newSampler(t, "draw", 1)
	step(t, s, rows(4, 1, 50))
	state := must[[]byte](t)(s.MarshalBinary())
	for i := range state {
		wrong := slices.Clone(state)
		wrong[i] ^= 4
		for _, bad := range [][]byte{wrong, state[:i]} {
			if made, err := Restore(bad); made != nil || !errors.Is(err, ErrInvalidArgument) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	}
	for _, open := range []*Sampler{nil, s} {
		if err := open.UnmarshalBinary(state); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("a state read into %v: %v", open, err)
		}
	}
	var zero Sampler
	if err := zero.UnmarshalBinary(nil); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("no bytes: %v", err)
	}
	if err := zero.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	if err := zero.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := zero.Where(); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
