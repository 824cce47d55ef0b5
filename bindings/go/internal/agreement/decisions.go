package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bregman-decoding/bregman/bindings/go/decisions"
)

// lists are the lists of numbers so far, by name.
type lists struct {
	numbers map[string][]float64
	counts  map[string][]uint64
}

func newLists() *lists { return &lists{map[string][]float64{}, map[string][]uint64{}} }

func bits64(word string) float64 {
	n, err := strconv.ParseUint(word, 16, 64)
	if err != nil {
		panic(err)
	}
	return math.Float64frombits(n)
}

func figures(numbers ...float64) string {
	var text strings.Builder
	for _, x := range numbers {
		if math.IsNaN(x) {
			text.WriteString(" nan")
		} else {
			fmt.Fprintf(&text, " %016x", math.Float64bits(x))
		}
	}
	return text.String()
}

func splitmix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (l *lists) list(name string) []float64 {
	x, ok := l.numbers[name]
	if !ok {
		panic("no numbers " + name)
	}
	return x
}

// optional is nil for "-".
func (l *lists) optional(name string) []float64 {
	if name == "-" {
		return nil
	}
	return l.list(name)
}

// run runs a command of decisions: whether it is one, and what it writes after "ok".
func (l *lists) run(command string, w []string) (text string, writes, known bool, err error) {
	switch command {
	case "numbers":
		list := make([]float64, 0, len(w))
		for _, word := range w[1:] {
			list = append(list, bits64(word))
		}
		l.numbers[w[0]] = list
	case "uniforms":
		list := make([]float64, number(w[1]))
		from, to := float64(number(w[3])), float64(number(w[4]))
		for i := range list {
			list[i] = from + float64((to-from)*(float64(splitmix(seed(w[2]), uint64(i))>>11)*0x1p-53))
		}
		l.numbers[w[0]] = list
	case "counts":
		list := make([]uint64, number(w[1]))
		for i := range list {
			list[i] = (splitmix(seed(w[2]), uint64(i)) >> 11) % (seed(w[3]) + 1)
		}
		l.counts[w[0]] = list
	default:
		text, known, err = l.call(command, w)
		return text, true, known, err
	}
	return "", false, true, nil
}

func (l *lists) call(command string, w []string) (text string, known bool, err error) {
	known = true
	switch command {
	case "best_of_n":
		var best decisions.BestOfNLaw
		best, err = decisions.BestOfN(l.list(w[0]), l.list(w[1]), seed(w[2]))
		text = figures(best.KL, best.WinRate) + figures(best.Law...)
	case "best_of_n_bounds":
		var kl, rate float64
		kl, rate, err = decisions.BestOfNBounds(seed(w[0]))
		text = figures(kl, rate)
	case "best_of_n_kl_estimates":
		var estimates []float64
		estimates, err = decisions.BestOfNKLEstimates(l.list(w[0]), seed(w[1]))
		text = figures(estimates...)
	case "soft_values":
		var weights, soft []float64
		weights, soft, err = decisions.SoftValues(l.list(w[0]), l.optional(w[1]), number(w[2]), bits64(w[3]))
		text = figures(soft...) + figures(weights...)
	case "route":
		text, err = l.route(w)
	case "next_arm":
		text, err = l.nextArm(w)
	case "best_arm":
		var v decisions.Verdict
		v, err = decisions.BestArm(decisions.RewardLaw(number(w[0])), bits64(w[1]), l.list(w[2]), l.counts[w[3]], bits64(w[4]))
		text = fmt.Sprintf(" %s %d%s", digits(v.Stop), v.Best, figures(v.Statistic, v.Threshold))
	case "abstain":
		var rejects []bool
		rejects, err = decisions.Abstain(l.list(w[0]), l.list(w[1]), bits64(w[2]), bits64(w[3]))
		text = " " + digits(rejects...)
	case "calibration_error":
		text, err = l.calibration(w)
	case "distortion":
		var sum float64
		sum, err = decisions.Distortion(l.list(w[0]))
		text = figures(sum)
	case "distortion_of_logprobs":
		var sum float64
		sum, err = decisions.DistortionOfLogprobs(l.list(w[0]), l.list(w[1]))
		text = figures(sum)
	default:
		known = false
	}
	return text, known, err
}

// digits has 1 for true and 0 for false.
func digits(flags ...bool) string {
	text := make([]byte, len(flags))
	for i, flag := range flags {
		text[i] = '0'
		if flag {
			text[i] = '1'
		}
	}
	return string(text)
}

// route CONVENTION EXPERTS TOP_K GROUPS TOP_GROUPS SCALE BIAS LOGITS
func (l *lists) route(w []string) (string, error) {
	ids, weights, err := decisions.Route(decisions.Gate{
		Convention: decisions.GateConvention(number(w[0])), Experts: number(w[1]), TopK: number(w[2]), Groups: number(w[3]),
		TopGroups: number(w[4]), Scale: bits64(w[5]), Bias: l.optional(w[6]),
	}, l.list(w[7]))
	text := ""
	for i, id := range ids {
		text += fmt.Sprintf(" %d:%s", id, figures(weights[i])[1:])
	}
	return text, err
}

// next_arm RULE REWARDS REDRAWS SIGMA BETA MEANS PULLS SEED POSITION COUNT
func (l *lists) nextArm(w []string) (string, error) {
	options := decisions.ArmOptions{
		Rule: decisions.ArmRule(number(w[0])), Rewards: decisions.RewardLaw(number(w[1])), Redraws: uint32(number(w[2])),
		Sigma: bits64(w[3]), Beta: bits64(w[4]),
	}
	text := ""
	for i := range seed(w[9]) {
		next, err := decisions.NextArm(options, l.list(w[5]), l.counts[w[6]], seed(w[7]), seed(w[8])+i)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" %d:%d", next.Arm, next.Leader)
	}
	return text, nil
}

// calibration_error PROBABILITIES RANKS TOP BINS LEVEL RESAMPLES SEED
func (l *lists) calibration(w []string) (string, error) {
	ranks := make([]uint32, 0, len(l.counts[w[1]]))
	for _, rank := range l.counts[w[1]] {
		ranks = append(ranks, uint32(rank))
	}
	c, err := decisions.CalibrationError(l.list(w[0]), ranks, decisions.CalibrationOptions{
		Top: number(w[2]), Bins: number(w[3]), Level: bits64(w[4]), Resamples: uint32(number(w[5])), Seed: seed(w[6]),
	})
	return fmt.Sprintf(" %d%s", c.Cells, figures(c.SquaredError, c.Variance, c.Lower, c.Upper, c.PValue)), err
}
