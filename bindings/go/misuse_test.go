//go:build cgo

package bregman

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// calls has every call on a sampler.
var calls = map[string]func(*Sampler) error{
	"Decode": func(s *Sampler) error { _, err := s.Decode([]float32{1, 2}); return err },
	"Distribution": func(s *Sampler) error {
		_, err := s.Distribution([]float32{1, 2}, make([]int32, 2), make([]float32, 2))
		return err
	},
	"Process":         func(s *Sampler) error { return s.Process([]float32{1, 2}) },
	"Apply":           func(s *Sampler) error { return s.Apply(&Candidates{Data: make([]Candidate, 2)}) },
	"Accept":          func(s *Sampler) error { return s.Accept(1) },
	"Reset":           func(s *Sampler) error { return s.Reset() },
	"Reseed":          func(s *Sampler) error { return s.Reseed(1, 2) },
	"SetLogitBias":    func(s *Sampler) error { return s.SetLogitBias([]int32{1}, []float32{1}) },
	"SetMask":         func(s *Sampler) error { return s.SetMask([]uint32{3}) },
	"SetPromptLength": func(s *Sampler) error { return s.SetPromptLength(0) },
	"TopLogprobs": func(s *Sampler) error {
		_, err := s.TopLogprobs([]float32{1, 2}, OfDecoded, make([]int32, 2), make([]float32, 2))
		return err
	},
	"DrawMany": func(s *Sampler) error {
		_, err := s.DrawMany([]float32{1, 2}, make([]int32, 2), make([]float32, 2), nil)
		return err
	},
	"MarshalBinary": func(s *Sampler) error { _, err := s.MarshalBinary(); return err },
	"Rewind":        func(s *Sampler) error { return s.Rewind(0) },
	"Where":         func(s *Sampler) error { _, err := s.Where(); return err },
	"History":       func(s *Sampler) error { _, err := s.History(); return err },
	"Verify": func(s *Sampler) error {
		batch := &Batch{F32: []float32{1, 2}, Vocab: 2}
		return Verify([]*Sampler{s}, make([]Draft, 1), batch, make([]uint32, 1), nil, make([]Result, 1))
	},
	"DistributionBatch": func(s *Sampler) error {
		return DistributionBatch([]*Sampler{s}, &Batch{F32: []float32{1, 2}, Vocab: 2}, &Distributions{})
	},
	"Describe": func(s *Sampler) error { _, err := s.Describe(); return err },
	"Clone":    func(s *Sampler) error { c, err := s.Clone(); return errors.Join(err, c.Close()) },
	"DecodeBatch": func(s *Sampler) error {
		return DecodeBatch([]*Sampler{s}, &Batch{F32: []float32{1, 2}, Vocab: 2}, make([]Result, 1))
	},
	"DecodeBatchAnswers": func(s *Sampler) error {
		batch, answers := &Batch{F32: []float32{1, 2}, Vocab: 2}, &Answers{Logprobs: make([]float32, 1)}
		return DecodeBatchAnswers([]*Sampler{s}, batch, make([]Result, 1), answers)
	},
}

func TestUseAfterCloseIsAnError(t *testing.T) {
	open, shut := newSampler(t, "draw", 1), newSampler(t, "draw", 1)
	for range 3 {
		if err := shut.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range calls {
		if err := call(open); err != nil {
			t.Errorf("%s on an open sampler: %v", name, err)
		}
		for what, s := range map[string]*Sampler{"closed": shut, "nil": nil, "zero": {}} {
			if err := call(s); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("%s on a %s sampler: %v", name, what, err)
			}
		}
	}
	if err := (*Sampler)(nil).Close(); err != nil {
		t.Errorf("closing nil: %v", err)
	}
}

func TestUseOfABusySamplerIsAnError(t *testing.T) {
	s := newSampler(t, "draw", 1)
	if err := s.enter(single); err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		if err := call(s); !errors.Is(err, ErrInUse) {
			t.Errorf("%s on a busy sampler: %v", name, err)
		}
	}
	if err := s.Close(); !errors.Is(err, ErrInUse) {
		t.Errorf("closing a busy sampler: %v", err)
	}
	s.leave()
	if err := calls["Decode"](s); err != nil {
		t.Errorf("and then: %v", err)
	}
}

func TestNewRefusesInvalidChains(t *testing.T) {
	for chain, want := range map[string]struct {
		status Status
		text   string
	}{
		"":                              {ErrInvalidChain, "the chain is empty"},
		"drow":                          {ErrInvalidChain, "did you mean `draw`?"},
		"top_k(many) | draw":            {ErrInvalidChain, "got `many`"},
		"bregman(alpha=100, k=3)":       {ErrUnsupported, "alpha"},
		"draw\x00 | top_k(3)":           {ErrInvalidArgument, "NUL"},
		"draw\xff":                      {ErrInvalidChain, "not UTF-8"},
		strings.Repeat(" ", 1<<20):      {ErrInvalidChain, "longer than"},
		"x" + strings.Repeat("é", 8000): {ErrInvalidChain, "no stage"},
	} {
		s, err := New(chain, 1)
		if s != nil || !errors.Is(err, want.status) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%.40q: %v", chain, err)
		}
	}
}

func TestCallsRefuseInvalidRows(t *testing.T) {
	draw, transform := newSampler(t, "draw", 1), newSampler(t, "top_k(3)", 1)
	for name, c := range map[string]struct {
		s      *Sampler
		logits []float32
		want   Status
	}{
		"nil":        {draw, nil, ErrInvalidArgument},
		"empty":      {draw, []float32{}, ErrInvalidArgument},
		"NaN":        {draw, []float32{1, nan, 2}, ErrInvalidLogits},
		"+infinity":  {draw, []float32{1, inf}, ErrInvalidLogits},
		"all banned": {draw, []float32{-inf, -inf}, ErrEmptySupport},
		"no draw":    {transform, []float32{1, 2}, ErrUnsupported},
	} {
		r, err := c.s.Decode(c.logits)
		if !errors.Is(err, c.want) || r.Status != c.want || r.Token != -1 || r.Support != 0 || r.P == r.P {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if c.want == ErrUnsupported {
			continue
		}
		before := slices.Clone(c.logits)
		if err := c.s.Process(c.logits); !errors.Is(err, c.want) || !sameBits(before, c.logits) {
			t.Errorf("%s: Process returns %v, and leaves %v", name, err, c.logits)
		}
		if n, err := c.s.Distribution(c.logits, make([]int32, 9), make([]float32, 9)); !errors.Is(err, c.want) || n != 0 {
			t.Errorf("%s: %d entries, %v", name, n, err)
		}
		room := make([]float32, 9)
		if n, err := c.s.TopLogprobs(c.logits, OfDecoded, make([]int32, 9), room); !errors.Is(err, c.want) || n != 0 {
			t.Errorf("%s: %d log-probabilities, %v", name, n, err)
		}
		if n, err := c.s.DrawMany(c.logits, make([]int32, 9), room, nil); !errors.Is(err, c.want) || n != 0 {
			t.Errorf("%s: %d draws, %v", name, n, err)
		}
	}
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func TestDistributionReturnsTheRequiredLength(t *testing.T) {
	s := newSampler(t, "top_k(3)", 1)
	logits := []float32{1, 2, 3, 4}
	for _, size := range [][2]int{{0, 0}, {2, 2}, {2, 9}, {9, 2}} {
		ids, probs := make([]int32, size[0]), make([]float32, size[1])
		n, err := s.Distribution(logits, ids, probs)
		if n != 3 || !errors.Is(err, ErrBufferTooSmall) || slices.Max(append(probs, 0)) != 0 {
			t.Errorf("%v: %d entries, %v, wrote %v", size, n, err, probs)
		}
	}
	if n, err := s.Distribution(logits, make([]int32, 3), make([]float32, 3)); n != 3 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

func TestCallsRefuseInvalidArguments(t *testing.T) {
	s := newSampler(t, "draw", 1)
	row := []float32{1, 2, 3}
	top := func(source Source, ids, logprobs int) error {
		_, err := s.TopLogprobs(row, source, make([]int32, ids), make([]float32, logprobs))
		return err
	}
	many := func(ids, logprobs int, scores []float32) error {
		_, err := s.DrawMany(row, make([]int32, ids), make([]float32, logprobs), scores)
		return err
	}
	for name, err := range map[string]error{
		"no source":            top(2, 2, 2),
		"more ids":             top(OfModel, 2, 1),
		"more logprobs":        top(OfDecoded, 1, 2),
		"no room for draws":    many(0, 0, nil),
		"fewer logprobs":       many(2, 1, nil),
		"fewer scores":         many(2, 2, make([]float32, 1)),
		"empty scores":         many(2, 2, []float32{}),
		"an empty mask":        s.SetMask([]uint32{}),
		"a negative prompt":    s.SetPromptLength(-1),
		"a prompt too long":    s.SetPromptLength(1),
		"a negative token":     s.Accept(1, -2),
		"lengths that differ":  s.SetLogitBias([]int32{1}, nil),
		"a bias of NaN":        s.SetLogitBias([]int32{1}, []float32{nan}),
		"a bias of +infinity":  s.SetLogitBias([]int32{1}, []float32{inf}),
		"a token biased twice": s.SetLogitBias([]int32{1, 1}, []float32{1, 1}),
		"a biased -1":          s.SetLogitBias([]int32{-1}, []float32{1}),
		"nil candidates":       s.Apply(nil),
	} {
		if !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Apply(&Candidates{}); !errors.Is(err, ErrEmptySupport) {
		t.Errorf("no candidates: %v", err)
	}
	c := Candidates{Data: []Candidate{{1, 2, 0}, {2, nan, 0}}, Selected: 7, Sorted: true}
	if err := s.Apply(&c); !errors.Is(err, ErrInvalidLogits) || len(c.Data) != 2 || c.Selected != 7 || !c.Sorted {
		t.Errorf("a NaN candidate: %v, leaves %+v", err, c)
	}
}

func TestDecodeBatchRefusesInvalidBatches(t *testing.T) {
	six, words := make([]float32, 6), make([]uint32, 2)
	for name, b := range map[string]*Batch{
		"nil":                nil,
		"no logits":          {Vocab: 3},
		"two formats":        {F32: six, F16: make([]uint16, 6), Vocab: 3},
		"no vocab":           {F32: six},
		"negative vocab":     {F32: six, Vocab: -3},
		"huge vocab":         {F32: six, Vocab: math.MaxInt},
		"short logits":       {F32: six[:5], Vocab: 3},
		"empty logits":       {F32: six[:0], Vocab: 3},
		"short halves":       {BF16: make([]uint16, 5), Vocab: 3},
		"stride below vocab": {F32: six, Vocab: 3, Stride: 2},
		"negative stride":    {F32: six, Vocab: 3, Stride: -3},
		"huge stride":        {F32: six, Vocab: 3, Stride: math.MaxInt},
		"stride beyond":      {F32: six, Vocab: 3, Stride: 4},
		"short mask":         {F32: six, Vocab: 3, Mask: words[:1]},
		"empty mask":         {F32: six, Vocab: 3, Mask: words[:0]},
		"mask beyond":        {F32: six, Vocab: 3, Mask: words, MaskStride: 2},
		"negative mask":      {F32: six, Vocab: 3, Mask: words, MaskStride: -1},
		"huge mask stride":   {F32: six, Vocab: 3, Mask: words, MaskStride: math.MaxInt},
		"unknown flags":      {F32: six, Vocab: 3, Flags: 64},
		"negative threads":   {F32: six, Vocab: 3, Threads: -1},
	} {
		results := make([]Result, 2)
		err := DecodeBatch(samplersFor(t, 2), b, results)
		if !errors.Is(err, ErrInvalidArgument) || results[0].Token != -1 || results[1].Status != ErrInvalidArgument {
			t.Errorf("%s: %v, %+v", name, err, results)
		}
	}
	good := &Batch{F32: six, Vocab: 3}
	for _, n := range []int{0, 1, 3} {
		if err := DecodeBatch(samplersFor(t, 2), good, make([]Result, n)); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%d results for 2 samplers: %v", n, err)
		}
	}
	if err := DecodeBatch(nil, good, nil); err != nil {
		t.Errorf("no rows: %v", err)
	}
}
