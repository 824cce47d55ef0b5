//go:build cgo && linux

package llama_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
	"github.com/bregman-decoding/bregman/bindings/go/llama"
	"github.com/bregman-decoding/bregman/bindings/go/llama/internal/host"
)

// opened is why there is no libllama, nil if there is one.
var opened error

// TestMain loads the prebuilt llama.cpp that ci/llama.sh fetches, and the library that cargo built unless
// BREGMAN_LIBRARY names another.
func TestMain(m *testing.M) {
	if built := target("release/libbregman.so"); os.Getenv("BREGMAN_LIBRARY") == "" {
		if _, err := os.Stat(built); err == nil {
			os.Setenv("BREGMAN_LIBRARY", built)
		}
	}
	opened = host.Open(target("llama/lib/libllama.so"))
	os.Exit(m.Run())
}

func target(file string) string {
	path, err := filepath.Abs(filepath.Join("../../../target", file))
	if err != nil {
		panic(err)
	}
	return path
}

func needLlama(t *testing.T) {
	t.Helper()
	switch {
	case opened == nil:
	case os.Getenv("CI") != "":
		t.Fatal(opened)
	default:
		t.Skipf("no llama.cpp here (ci/llama.sh fetches it): %v", opened)
	}
}

func newStage(t *testing.T, chain string, seed uint64) llama.Stage {
	t.Helper()
	stage, err := llama.New(host.SamplerInit(), chain, seed)
	if err != nil {
		t.Fatal(err)
	}
	return stage
}

// newChain makes a llama.cpp chain of stages, freed with them at the end of the test.
func newChain(t *testing.T, stages ...uintptr) uintptr {
	chain := host.Chain()
	for _, stage := range stages {
		host.Add(chain, stage)
	}
	t.Cleanup(func() { host.Free(chain) })
	return chain
}

// candidates in order of id, all with different logits.
func candidates(number uint64, n int) []host.Candidate {
	random := rand.New(rand.NewPCG(number, 2))
	list := make([]host.Candidate, n)
	for i, at := range random.Perm(n) {
		list[i] = host.Candidate{ID: int32(i), Logit: float32(at) * 16 / float32(n)}
	}
	return list
}

func ids(list []host.Candidate) []int32 {
	all := make([]int32, len(list))
	for i, c := range list {
		all[i] = c.ID
	}
	slices.Sort(all)
	return all
}

func TestStageKeepsTheTokensOfTheBuiltInSamplers(t *testing.T) {
	needLlama(t)
	for name, pair := range map[string][2]uintptr{
		"top_k": {newStage(t, "top_k(20)", 0).Pointer(), host.TopK(20)},
		"min_p": {newStage(t, "min_p(0.1)", 0).Pointer(), host.MinP(0.1)},
		"both":  {newStage(t, "top_k(30) | min_p(0.2)", 0).Pointer(), newBoth()},
	} {
		ours, theirs := newChain(t, pair[0]), newChain(t, pair[1])
		for number := range uint64(100) {
			a, _ := host.Apply(ours, candidates(number, 3000))
			b, _ := host.Apply(theirs, candidates(number, 3000))
			if len(a) == 0 || len(a) == 3000 || !slices.Equal(ids(a), ids(b)) {
				t.Fatalf("%s, array %d: %v, llama.cpp keeps %v", name, number, ids(a), ids(b))
			}
		}
	}
}

func newBoth() uintptr {
	both := host.Chain()
	host.Add(both, host.TopK(30))
	host.Add(both, host.MinP(0.2))
	return both
}

// Behind a stage that transforms, llama.cpp draws from its distribution.
func TestDrawBehindAStageUsesItsDistribution(t *testing.T) {
	needLlama(t)
	const chain = "bregman(alpha=2, floor=0.02)"
	ours := newChain(t, newStage(t, chain, 0).Pointer(), host.Dist(7))
	s, err := bregman.New(chain, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for number := range uint64(100) {
		list := candidates(number, 1000)
		logits, tokens, probs := make([]float32, 1000), make([]int32, 1000), make([]float32, 1000)
		for i, c := range list {
			logits[i] = c.Logit
		}
		n, err := s.Distribution(logits, tokens, probs)
		if err != nil {
			t.Fatal(err)
		}
		left, selected := host.Apply(ours, list)
		if len(left) != n || selected < 0 || selected >= n {
			t.Fatalf("array %d: %d candidates are left of %d, the %dth is selected", number, len(left), n, selected)
		}
		for i, c := range left {
			if c.ID != tokens[i] || math.Abs(float64(c.P-probs[i])) > 1e-5 {
				t.Fatalf("array %d: candidate %d is %+v, expected token %d with %v", number, i, c, tokens[i], probs[i])
			}
		}
	}
}

// A stage that draws selects the token of Decode; reset and clone include its state.
func TestDrawingStageSelectsTheTokenOfDecode(t *testing.T) {
	needLlama(t)
	const chain = "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw"
	s, err := bregman.New(chain, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	decode := func(number uint64) int32 {
		logits := make([]float32, 500)
		for i, c := range candidates(number, 500) {
			logits[i] = c.Logit
		}
		r, err := s.Decode(logits)
		if err != nil {
			t.Fatal(err)
		}
		return r.Token
	}
	ours := newChain(t, newStage(t, chain, 3).Pointer())
	apply := func(chain uintptr, number uint64) int32 {
		left, selected := host.Apply(chain, candidates(number, 500))
		host.Accept(chain, left[selected].ID)
		return left[selected].ID
	}
	for number := range uint64(20) {
		if got, want := apply(ours, number), decode(number); got != want {
			t.Fatalf("row %d: token %d, Decode takes %d", number, got, want)
		}
	}
	clone := host.Clone(ours)
	defer host.Free(clone)
	if a, b := apply(ours, 20), apply(clone, 20); a != b || a != decode(20) {
		t.Errorf("the clone takes %d, the original %d", b, a)
	}
	host.Reset(ours)
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if a, b := apply(ours, 0), decode(0); a != b {
		t.Errorf("after reset: %d, Decode takes %d", a, b)
	}
}

func TestStageReportsNameBiasAndErrors(t *testing.T) {
	needLlama(t)
	stage := newStage(t, "greedy", 0)
	newChain(t, stage.Pointer())
	if name := host.Name(stage.Pointer()); name != "bregman" {
		t.Errorf("its name is %q", name)
	}
	if text, err := stage.Describe(); text != "greedy" || err != nil {
		t.Errorf("described as %q, %v", text, err)
	}
	if err := stage.SetLogitBias([]int32{5}, []float32{100}); err != nil {
		t.Fatal(err)
	}
	if left, selected := host.Apply(stage.Pointer(), candidates(1, 50)); left[selected].ID != 5 {
		t.Errorf("the bias has no effect: %+v", left[selected])
	}
	if err := errors.Join(stage.Reseed(1, 2), stage.SetLogitBias(nil, nil)); err != nil {
		t.Error(err)
	}
	// llama_sampler_apply cannot report an error: its message is on the stage, and the candidates are unchanged.
	spoilt := candidates(1, 50)
	spoilt[7].Logit = float32(math.NaN())
	if left, selected := host.Apply(stage.Pointer(), spoilt); len(left) != 50 || selected != -1 {
		t.Errorf("NaN: %d candidates are left, the %dth is selected", len(left), selected)
	}
	if !strings.Contains(stage.LastError(), "logit 7 is NaN") {
		t.Errorf("the last error is %q", stage.LastError())
	}
	if err := stage.SetOnFailure(7); !errors.Is(err, bregman.ErrInvalidArgument) {
		t.Errorf("SetOnFailure(7): %v", err)
	}
	if err := stage.SetOnFailure(llama.Fallback); err != nil {
		t.Fatal(err)
	}
	if left, selected := host.Apply(stage.Pointer(), spoilt); len(left) != 1 || selected != 0 || left[0].Logit != float32(49)*16/50 {
		t.Errorf("the fallback leaves %+v and selects the %dth", left, selected)
	}
	if n, err := stage.Failures(); n != 2 || err != nil {
		t.Errorf("%d failures, %v", n, err)
	}
	clone := host.Clone(stage.Pointer())
	defer host.Free(clone)
	if found, ok := llama.From(clone); !ok || found.Pointer() != clone {
		t.Error("From does not find the stage of the clone")
	}
	other := host.TopK(3)
	defer host.Free(other)
	if _, ok := llama.From(other); ok {
		t.Error("From accepts llama.cpp's top_k")
	}
	if iface, err := llama.Iface(); iface == 0 || err != nil {
		t.Errorf("the table is at %d, %v", iface, err)
	}
}

func TestNewAndFromRefuseOtherStages(t *testing.T) {
	for name, c := range map[string]struct {
		init  uintptr
		chain string
		want  error
	}{
		"no function": {0, "draw", bregman.ErrInvalidArgument},
		"bad chain":   {1, "drow", bregman.ErrInvalidChain},
		"NUL":         {1, "draw\x00", bregman.ErrInvalidArgument},
	} {
		if stage, err := llama.New(c.init, c.chain, 0); !errors.Is(err, c.want) || stage.Pointer() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var none llama.Stage
	_, described := none.Describe()
	for _, err := range []error{described, none.Reseed(1, 2), none.SetLogitBias(nil, nil)} {
		if !errors.Is(err, bregman.ErrClosed) {
			t.Errorf("a call on no stage: %v", err)
		}
	}
	if _, ok := llama.From(0); ok || none.LastError() == "" {
		t.Error("From accepts 0")
	}
}
