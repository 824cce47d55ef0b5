// The race detector uses additional memory, so these tests run without it.
//go:build cgo && linux && !race

package bregman

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// resident is the resident memory of the process in bytes, native and Go.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// grow returns the growth of memory over n rounds, after as many to warm up.
func grow(t *testing.T, warm, n int, round func()) int {
	t.Helper()
	for range warm {
		round()
	}
	debug.FreeOSMemory()
	before := resident(t)
	for range n {
		round()
	}
	debug.FreeOSMemory()
	return resident(t) - before
}

// Growth that is allowed over 100 000 samplers: a leak of 20 bytes in each is detected.
const allowed = 2 << 20

func TestCreateDecodeCloseKeepsMemoryConstant(t *testing.T) {
	logits := rows(1, 1, 512)
	round := func() {
		s, err := New("temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw", 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Decode(logits); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	grown := grow(t, 5_000, 100_000, round)
	t.Logf("100 000 samplers left %d bytes", grown)
	if grown > allowed {
		t.Fail()
	}
}

func TestFailuresKeepMemoryConstant(t *testing.T) {
	s := newSampler(t, "draw", 1)
	round := func() {
		if _, err := New("bregman(alpha=1.5, floor=7) | draw", 1); err == nil {
			t.Fatal("a floor of 7 was taken")
		}
		if _, err := s.Decode([]float32{nan}); err == nil {
			t.Fatal("NaN was taken")
		}
		c, err := s.Clone()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	grown := grow(t, 5_000, 50_000, round)
	t.Logf("50 000 failures left %d bytes", grown)
	if grown > allowed {
		t.Fail()
	}
}

// Samplers that are unreachable without Close are freed: 20 000 of them take less memory than 4 000 reachable ones.
func TestUnreachableSamplersAreFreed(t *testing.T) {
	logits := rows(1, 1, 512)
	open := func() *Sampler {
		s, err := New("temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw", 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Decode(logits); err != nil {
			t.Fatal(err)
		}
		return s
	}
	var kept []*Sampler
	size := grow(t, 100, 3000, func() { kept = append(kept, open()) }) / 3000
	t.Logf("a sampler has about %d bytes", size)
	for _, s := range kept {
		s.Close()
	}
	if size < 1000 {
		t.Fatalf("a sampler has %d bytes by this measurement, which cannot be right", size)
	}
	count := 0
	round := func() {
		open()
		// The collector does not count native memory, so it is run explicitly; cleanups run on another goroutine.
		if count++; count%500 == 0 {
			runtime.GC()
			time.Sleep(5 * time.Millisecond)
		}
	}
	if grown := grow(t, 5_000, 20_000, round); grown > 4_000*size {
		t.Errorf("20 000 unreachable samplers left %d bytes, each has about %d", grown, size)
	}
}
