//go:build cgo

package decisions

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
)

// TestMain selects the library: the one that cargo built, unless BREGMAN_LIBRARY names another.
func TestMain(m *testing.M) {
	if os.Getenv("BREGMAN_LIBRARY") == "" {
		if built, err := filepath.Abs("../../../target/release/libbregman.so"); err == nil {
			if _, err := os.Stat(built); err == nil {
				os.Setenv("BREGMAN_LIBRARY", built)
			}
		}
	}
	os.Exit(m.Run())
}

func is(t *testing.T, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, not %v", got, want)
	}
}

func good(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks the status and the beginning of the message.
func refused(t *testing.T, err error, beginning string) {
	t.Helper()
	if !errors.Is(err, bregman.ErrInvalidArgument) || !strings.HasPrefix(err.Error(), "bregman: "+beginning) {
		t.Errorf("%v does not say: %s", err, beginning)
	}
}

// The values of the papers.
func TestBestOfNReproducesThePublishedLaw(t *testing.T) {
	p, rewards := []float64{.4, .3, .2, .1}, []float64{0, 1, 2, 3}
	best, err := BestOfN(p, rewards, 2)
	good(t, err)
	is(t, best.Law[0], .16)
	is(t, best.Law[3], .19)
	is(t, best.KL, .157199)
	is(t, best.WinRate, .65)
	kl, rate, err := BestOfNBounds(8)
	good(t, err)
	is(t, kl, math.Log(8)-7./8)
	is(t, rate, 8./9)
	estimates, err := BestOfNKLEstimates([]float64{0, math.Inf(-1)}, 8)
	good(t, err)
	if estimates[0] != 0 || estimates[1] != kl {
		t.Error(estimates)
	}
	_, err = BestOfN(p, rewards, 0)
	refused(t, err, "n is 0")
	_, err = BestOfN(p, rewards[1:], 2)
	refused(t, err, "rewards has 3 elements, p has 4")
	_, _, err = BestOfNBounds(0)
	refused(t, err, "n is 0")
	_, err = BestOfNKLEstimates(p, 8)
	refused(t, err, "log_epsilons[0] is 0.4")
}

func TestSoftValuesReproduceThePublishedWeights(t *testing.T) {
	values := []float64{.3, .9, .1}
	weights, soft, err := SoftValues(values, nil, 3, .25)
	good(t, err)
	is(t, weights[1], .883798)
	is(t, soft[0], .656229)
	_, shifted, err := SoftValues(values, []float64{-1, -1, -1}, 3, .25)
	good(t, err)
	is(t, shifted[0], .656229-.25)
	_, _, err = SoftValues(values, nil, 2, .25)
	refused(t, err, "values has 3 elements, no multiple of candidates, which is 2")
	_, _, err = SoftValues(values, nil, -1, .25)
	refused(t, err, "candidates is -1")
	_, _, err = SoftValues(values, []float64{1}, 3, .25)
	refused(t, err, "logRatios has 1 elements, values has 3")
	_, _, err = SoftValues(values, nil, 3, 0)
	refused(t, err, "alpha is 0")
}

func TestRouteReproducesThePublishedGates(t *testing.T) {
	h := []float64{1, 3, 2, .5, 2.5, -1, .25, 2.25}
	first := []float64{.481024, .364108, .481024, .481024, .952574, 1.061774}
	for convention := Mixtral; convention <= DeepSeekV3; convention++ {
		gate := Gate{Convention: convention, Experts: 8, TopK: 3}
		if convention == DeepSeekV3 {
			gate.Groups, gate.TopGroups, gate.Scale = 4, 2, 2.5
			gate.Bias = []float64{0, -.3, .1, 0, 0, .6, 0, .05}
		}
		ids, weights, err := Route(gate, h)
		good(t, err)
		if len(ids) != 3 || convention != DeepSeekV3 && !slices.Equal(ids, []int32{1, 4, 7}) {
			t.Error(convention, ids)
		}
		is(t, weights[0], first[convention])
		gate.TopK = 9
		_, _, err = Route(gate, h)
		refused(t, err, "top_k is 9")
		gate.TopK = -1
		_, _, err = Route(gate, h)
		refused(t, err, "top_k is -1")
	}
	_, _, err := Route(Gate{Experts: 0, TopK: 1}, h)
	refused(t, err, "experts is 0")
	_, _, err = Route(Gate{Convention: DeepSeekV3, Experts: 8, TopK: 1, Bias: h[:3]}, h)
	refused(t, err, "bias has 3 elements")
	_, _, err = Route(Gate{Convention: 6, Experts: 8, TopK: 1}, h)
	refused(t, err, "options->convention is 6")
}

func TestArms(t *testing.T) {
	means, pulls := []float64{.5, .45, .43, .4}, []uint64{20, 15, 12, 10}
	verdict, err := BestArm(Gaussian, 1, means, pulls, .1)
	good(t, err)
	if verdict.Stop || verdict.Best != 0 {
		t.Error(verdict)
	}
	is(t, verdict.Statistic, .01071429)
	rule := ArmOptions{Rule: T3C, Rewards: Bernoulli, Beta: .5}
	first, err := NextArm(rule, means, pulls, 42, 57)
	good(t, err)
	again, err := NextArm(rule, means, pulls, 42, 57)
	good(t, err)
	if first != again || first.Arm > 3 {
		t.Error(first, again)
	}
	_, err = NextArm(rule, means, pulls[1:], 42, 57)
	refused(t, err, "pulls has 3 elements, means has 4")
	_, err = BestArm(Bernoulli, 1, means, pulls, .1)
	refused(t, err, "sigma is 1")
}

func TestTrust(t *testing.T) {
	rejects, err := Abstain([]float64{.9, .9, .6, .7}, []float64{.1, .6, .1, .1}, .2, .3)
	good(t, err)
	if !slices.Equal(rejects, []bool{false, true, true, false}) {
		t.Error(rejects)
	}
	z, ranks := []float64{.55, .57, .72, .74, .74, .93}, []uint32{1, 0, 1, 1, 0, 1}
	o := CalibrationOptions{Top: 1, Bins: 10, Level: .9}
	c, err := CalibrationError(z, ranks, o)
	good(t, err)
	is(t, c.SquaredError, -.1399666667)
	is(t, c.Variance, .0032643150)
	if c.Cells != 3 || !math.IsNaN(c.PValue) {
		t.Error(c)
	}
	_, err = CalibrationError(z, ranks[1:], o)
	refused(t, err, "ranks has 5 elements, probabilities has 6 rows")
	sum, err := Distortion([]float64{-.1, -.2})
	good(t, err)
	is(t, sum, .3)
	sum, err = DistortionOfLogprobs([]float64{-.1, -.2}, []float64{-.3, -.5})
	good(t, err)
	is(t, sum, .5)
	_, err = Distortion(z)
	refused(t, err, "log_kept[0] is 0.55")
	_, err = DistortionOfLogprobs(z, nil)
	refused(t, err, "model has 0 elements, decoded has 6")
	_, err = Abstain(z, z[1:], .2, .3)
	refused(t, err, "ratios has 5 elements, max_p has 6")
}

func TestConstantsEqualTheHeaders(t *testing.T) {
	text, err := os.ReadFile("../../../include/bregman_decisions.h")
	good(t, err)
	ours := map[string]uint32{
		"BREGMAN_GATE_MIXTRAL": uint32(Mixtral), "BREGMAN_GATE_QWEN2": uint32(Qwen2), "BREGMAN_GATE_QWEN3": uint32(Qwen3),
		"BREGMAN_GATE_GPT_OSS": uint32(GPTOSS), "BREGMAN_GATE_LLAMA4": uint32(Llama4),
		"BREGMAN_GATE_DEEPSEEK_V3":  uint32(DeepSeekV3),
		"BREGMAN_REWARDS_GAUSSIAN":  uint32(Gaussian),
		"BREGMAN_REWARDS_BERNOULLI": uint32(Bernoulli),
		"BREGMAN_ARMS_TTTS":         uint32(TTTS),
		"BREGMAN_ARMS_T3C":          uint32(T3C),
	}
	declared := regexp.MustCompile(`(?m)^#define (BREGMAN_\w+) (\d+)$`).FindAllStringSubmatch(string(text), -1)
	if len(declared) != len(ours) {
		t.Errorf("%d constants here, %d in the header", len(ours), len(declared))
	}
	for _, m := range declared {
		n, err := strconv.ParseUint(m[2], 10, 32)
		good(t, err)
		if value, ok := ours[m[1]]; !ok || uint64(value) != n {
			t.Errorf("%s is %d in the header, %d here", m[1], n, value)
		}
	}
	calls, err := os.ReadFile("../internal/native/decisions.h")
	good(t, err)
	for _, m := range regexp.MustCompile(`\(\*(\w+)\)`).FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		if !strings.HasPrefix(name, "bregman_") && !strings.Contains(string(calls), "bregman_go_decisions->"+name+"(") {
			t.Errorf("bregman_%s is not called", name)
		}
	}
}
