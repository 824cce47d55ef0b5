//go:build cgo

package bregman

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
)

func TestDecodeDrawsFromTheDistribution(t *testing.T) {
	logits := rows(1, 1, 3000)
	for _, chain := range chains {
		s := newSampler(t, chain, 7)
		ids, probs := make([]int32, 3000), make([]float32, 3000)
		n := must[int](t)(s.Distribution(logits, ids, probs))
		total := 0.0
		for _, p := range probs[:n] {
			total += float64(p)
		}
		if math.Abs(total-1) > 1e-4 || !slices.IsSortedFunc(probs[:n], func(a, b float32) int { return int(sign(b - a)) }) {
			t.Errorf("%s: %d probabilities sum to %v, or are not descending", chain, n, total)
		}
		for range 50 {
			r := must[Result](t)(s.Decode(logits))
			at := slices.Index(ids[:n], r.Token)
			if chain == "greedy" {
				at = 0
			}
			if at < 0 || ids[at] != r.Token || int(r.Support) != n || r.Status != OK ||
				math.Abs(float64(probs[at]/r.P)-1) > 1e-5 {
				t.Fatalf("%s: %+v is not in its distribution of %d tokens", chain, r, n)
			}
		}
	}
}

func sign(v float32) float32 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// Top-k after temperature by definition: sort, keep, softmax.
func TestTopKEqualsTheDefinition(t *testing.T) {
	const k, temperature = 8, 0.7
	logits := rows(2, 1, 500)
	order := make([]int, len(logits))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return logits[order[a]] > logits[order[b]] })
	total := 0.0
	weight := func(i int) float64 { return math.Exp(float64(logits[order[i]]-logits[order[0]]) / temperature) }
	for i := range k {
		total += weight(i)
	}
	s := newSampler(t, "temperature(0.7) | top_k(8)", 0)
	ids, probs := make([]int32, k), make([]float32, k)
	if n := must[int](t)(s.Distribution(logits, ids, probs)); n != k {
		t.Fatalf("%d tokens", n)
	}
	for i := range k {
		if int(ids[i]) != order[i] || math.Abs(float64(probs[i])-weight(i)/total) > 1e-6 {
			t.Errorf("rank %d: token %d with %v, expected %d with %v", i, ids[i], probs[i], order[i], weight(i)/total)
		}
	}
}

func TestProcessWritesLogProbabilities(t *testing.T) {
	logits := rows(3, 1, 700)
	s := newSampler(t, chains[0], 0)
	ids, probs := make([]int32, 700), make([]float32, 700)
	n := must[int](t)(s.Distribution(logits, ids, probs))
	processed := slices.Clone(logits)
	if err := s.Process(processed); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, v := range processed {
		if !math.IsInf(float64(v), -1) {
			kept++
		}
	}
	if kept != n {
		t.Fatalf("%d of %d tokens are left", kept, n)
	}
	for i := range n {
		if got := math.Exp(float64(processed[ids[i]])); math.Abs(got-float64(probs[i])) > 1e-6 {
			t.Errorf("token %d: %v, expected %v", ids[i], got, probs[i])
		}
	}
}

func TestApplySelectsTheTokenOfDecode(t *testing.T) {
	logits := rows(4, 1, 900)
	for _, chain := range chains {
		a, b := newSampler(t, chain, 5), newSampler(t, chain, 5)
		for range 5 {
			c := Candidates{Selected: -1}
			for i, logit := range logits {
				c.Data = append(c.Data, Candidate{ID: int32(i), Logit: logit})
			}
			if err := a.Apply(&c); err != nil {
				t.Fatal(err)
			}
			want := must[Result](t)(b.Decode(logits))
			got := c.Data[c.Selected]
			if got.ID != want.Token || math.Abs(float64(got.P-want.P)) > 1e-6 {
				t.Fatalf("%s: applied %+v, decoded %+v", chain, got, want)
			}
			if truncates := strings.Contains(chain, "|"); truncates && (len(c.Data) != int(want.Support) || !c.Sorted) {
				t.Fatalf("%s: %d candidates are left, sorted %v", chain, len(c.Data), c.Sorted)
			}
		}
	}
}

func TestResetReseedAndCloneRestoreTheState(t *testing.T) {
	logits := rows(5, 20, 300)
	draw := func(s *Sampler, from, to int) (tokens []int32) {
		for r := from; r < to; r++ {
			tokens = append(tokens, must[Result](t)(s.Decode(logits[r*300:][:300])).Token)
		}
		return tokens
	}
	s := newSampler(t, "draw", 11)
	all := draw(s, 0, 20)
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if again := draw(s, 0, 20); !slices.Equal(again, all) {
		t.Errorf("after Reset: %v, not %v", again, all)
	}
	if err := s.Reseed(11, 12); err != nil {
		t.Fatal(err)
	}
	clone := must[*Sampler](t)(s.Clone())
	defer clone.Close()
	if rest := draw(s, 12, 20); !slices.Equal(rest, all[12:]) {
		t.Errorf("resumed at 12: %v, not %v", rest, all[12:])
	}
	if rest := draw(clone, 12, 20); !slices.Equal(rest, all[12:]) {
		t.Errorf("the clone: %v, not %v", rest, all[12:])
	}
	if other := draw(newSampler(t, "draw", 12), 0, 20); slices.Equal(other, all) {
		t.Error("another seed gives the same tokens")
	}
}

func TestLogitBiasBansAndRaisesTokens(t *testing.T) {
	s := newSampler(t, "greedy", 0)
	logits := []float32{1, 2, 3, 0}
	check := func(want int32) {
		t.Helper()
		if got := must[Result](t)(s.Decode(logits)).Token; got != want {
			t.Errorf("token %d, expected %d", got, want)
		}
	}
	check(2)
	if err := s.SetLogitBias([]int32{2, 0, 99}, []float32{-inf, 5, 1}); err != nil {
		t.Fatal(err)
	}
	check(0)
	if err := s.SetLogitBias(nil, nil); err != nil {
		t.Fatal(err)
	}
	check(2)
}

func TestDescribeIsAcceptedByNew(t *testing.T) {
	s := newSampler(t, " Temp( 0.80 )|top-k(40)|nucleus(p = .9, min_keep=1) | DIST", 0)
	text := must[string](t)(s.Describe())
	if text != "temperature(0.8) | top_k(40) | top_p(0.9) | draw" {
		t.Errorf("described as %q", text)
	}
	if again := must[string](t)(newSampler(t, text, 0).Describe()); again != text {
		t.Errorf("described again as %q", again)
	}
	long := strings.Repeat("temperature(0.8) | ", 60) + "draw"
	if text := must[string](t)(newSampler(t, long, 0).Describe()); text != long {
		t.Errorf("a long chain is described as %q", text)
	}
}

func TestCatalogueDescribesStages(t *testing.T) {
	stages := must[[]Stage](t)(Stages())
	byName := map[string]Stage{}
	for _, s := range stages {
		byName[s.Name] = s
		if s.Summary == "" || s.Source == "" {
			t.Errorf("%s has no summary or source", s.Name)
		}
		if learns := strings.HasPrefix(s.Name, "mirostat") || s.Name == "adaptive_p"; s.Learns != learns {
			t.Errorf("%s learns: %v", s.Name, s.Learns)
		}
	}
	if s := byName["draw"]; !s.Draws || !slices.Contains(s.Aliases, "dist") || s.Parameters != nil {
		t.Errorf("draw is %+v", s)
	}
	parameter := func(stage, name string) Parameter {
		parameters := byName[stage].Parameters
		return parameters[slices.IndexFunc(parameters, func(p Parameter) bool { return p.Name == name })]
	}
	temperature := byName["temperature"].Parameters[0]
	if temperature.Name != "t" || temperature.Kind != Number || temperature.Max != 1e6 || !temperature.Required {
		t.Errorf("temperature takes %+v", temperature)
	}
	mode := parameter("bregman", "mode")
	if mode.Kind != Choice || !reflect.DeepEqual(mode.Choices, []string{"primal", "dual"}) || mode.Default != "primal" {
		t.Errorf("bregman's mode is %+v", mode)
	}
	floor := parameter("top_k", "floor")
	if !floor.MinExcluded || floor.Min != 0 || floor.Max != 1 {
		t.Errorf("top_k's floor is %+v", floor)
	}
}

func TestCatalogueHasGroupsKindsAndMacros(t *testing.T) {
	groups, kinds := map[string]int{}, map[Kind]bool{}
	for _, s := range must[[]Stage](t)(Stages()) {
		for _, p := range s.Parameters {
			kinds[p.Kind] = true
			if s.Name == "top_k" {
				groups[p.Name] = p.Group
			}
		}
	}
	if groups["k"] == 0 || groups["k"] != groups["floor"] || groups["k"] != groups["lambda"] || groups["k_max"] != 0 {
		t.Errorf("top_k's groups are %v", groups)
	}
	for kind := Number; kind <= Keys; kind++ {
		if !kinds[kind] {
			t.Errorf("no stage has a parameter of kind %d", kind)
		}
	}
	if len(kinds) != int(Keys)+1 {
		t.Errorf("the kinds are %v", kinds)
	}
	macros := must[[]Stage](t)(Macros())
	for _, name := range []string{"llama_cpp", "transformers", "vllm", "sglang", "koboldcpp", "exllamav2", "exllamav3"} {
		at := slices.IndexFunc(macros, func(m Stage) bool { return m.Name == name })
		if at < 0 || macros[at].Parameters == nil || macros[at].Source == "" {
			t.Errorf("%s is not among the macros: %+v", name, macros)
			continue
		}
		s := newSampler(t, name+"(temperature=0.7)", 1)
		if r := must[Result](t)(s.Decode([]float32{1, 2, 3})); r.Status != OK {
			t.Errorf("%s decodes %+v", name, r)
		}
	}
}

func TestLoadRefusesASecondLibrary(t *testing.T) {
	version := must[string](t)(Version())
	level := must[string](t)(SIMDLevel())
	if strings.Count(version, ".") != 2 || level == "" {
		t.Errorf("version %q, level %q", version, level)
	}
	if err := Load(""); err != nil {
		t.Error(err)
	}
	if err := Load("/nowhere/libbregman.so"); !errors.Is(err, ErrWrongLibrary) {
		t.Errorf("a second library: %v", err)
	}
}
