//go:build cgo

package bregman

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Samplers on goroutines, single or in batches, draw the tokens that they draw alone.
func TestSamplersOnManyGoroutinesDecodeAsAlone(t *testing.T) {
	const goroutines, steps, vocab = 64, 12, 1500
	alone := make([][]string, goroutines)
	for g := range alone {
		alone[g] = decodeSteps(t, g, steps, vocab)
	}
	together := make([][]string, goroutines)
	var wait sync.WaitGroup
	for g := range together {
		wait.Add(1)
		go func() {
			defer wait.Done()
			together[g] = decodeSteps(t, g, steps, vocab)
		}()
	}
	wait.Wait()
	for g := range alone {
		if !slices.Equal(together[g], alone[g]) {
			t.Errorf("goroutine %d: %v, alone %v", g, together[g], alone[g])
		}
	}
}

// decodeSteps decodes row after row with five samplers: singly, or in a batch of one or two threads.
func decodeSteps(t *testing.T, g, steps, vocab int) (said []string) {
	samplers := make([]*Sampler, len(chains))
	for i, chain := range chains {
		s, err := New(chain, uint64(g*10+i))
		if err != nil {
			t.Error(err)
			return nil
		}
		defer s.Close()
		samplers[i] = s
	}
	logits := rows(uint64(g), len(chains), vocab)
	results := make([]Result, len(chains))
	for step := range steps {
		var err error
		if threads := step % 3; threads > 0 {
			err = DecodeBatch(samplers, &Batch{F32: logits, Vocab: vocab, Threads: threads}, results)
		} else {
			for i, s := range samplers {
				var failure error
				results[i], failure = s.Decode(logits[i*vocab:][:vocab])
				err = errors.Join(err, failure)
			}
		}
		if err != nil {
			t.Error(err)
		}
		said = append(said, asBits(results)...)
	}
	return said
}

// A sampler used by several goroutines: overlapping calls are refused, and the others advance it.
func TestSamplerOnManyGoroutinesRefusesOverlappingCalls(t *testing.T) {
	const vocab = 20000
	s := newSampler(t, "draw", 3)
	logits := rows(1, 1, vocab)
	var decoded, refused atomic.Uint64
	count := func(err error) {
		switch {
		case err == nil:
			decoded.Add(1)
		case errors.Is(err, ErrInUse):
			refused.Add(1)
		default:
			t.Error(err)
		}
	}
	start := make(chan struct{})
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			<-start
			results := make([]Result, 1)
			for refused.Load() < 20 || decoded.Load() < 20 {
				if g%2 == 0 {
					_, err := s.Decode(logits)
					count(err)
				} else {
					count(DecodeBatch([]*Sampler{s}, &Batch{F32: logits, Vocab: vocab}, results))
				}
			}
		}()
	}
	close(start)
	wait.Wait()
	fresh := newSampler(t, "draw", 3)
	if err := fresh.Reseed(3, decoded.Load()); err != nil {
		t.Fatal(err)
	}
	got, want := must[Result](t)(s.Decode(logits)), must[Result](t)(fresh.Decode(logits))
	if got.Token != want.Token {
		t.Errorf("after %d rows: token %d, expected %d", decoded.Load(), got.Token, want.Token)
	}
}

// Closing a sampler that is in use is refused.
func TestCloseDuringCallsNeverFreesUnderOne(t *testing.T) {
	logits := rows(1, 1, 5000)
	for range 60 {
		s, err := New("temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", 1)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for range 3 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for {
					if _, err := s.Decode(logits); errors.Is(err, ErrClosed) {
						return
					} else if err != nil && !errors.Is(err, ErrInUse) {
						t.Error(err)
						return
					}
				}
			}()
		}
		for s.Close() != nil {
		}
		wait.Wait()
	}
}
