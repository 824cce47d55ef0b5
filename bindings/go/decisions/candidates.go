package decisions

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// BestOfNLaw is the law of best-of-n.
type BestOfNLaw struct {
	Law     []float64 // probability of each outcome
	KL      float64   // Kullback-Leibler divergence from the law of one candidate, in nats
	WinRate float64   // probability of beating one more candidate; ties count one half
}

// BestOfN returns the law of the best of n independent candidates, n at least 1. p has the weights of the outcomes under
// the law of one candidate: not negative, and they need not sum to 1. rewards are compared and may be infinite; equal ones
// are a tie, which the first candidate drawn wins. For a host that reranks samples and wants to know what comes out; not for
// choosing among given candidates, which is a comparison of their rewards.
func BestOfN(p, rewards []float64, n uint64) (BestOfNLaw, error) {
	if err := sameLength("rewards", len(rewards), "p", len(p)); err != nil {
		return BestOfNLaw{}, err
	}
	if err := load(); err != nil {
		return BestOfNLaw{}, err
	}
	law := make([]float64, len(p))
	kl, winRate, status, message := native.BestOfN(p, rewards, n, law)
	if err := outcome(status, message); err != nil {
		return BestOfNLaw{}, err
	}
	return BestOfNLaw{law, kl, winRate}, nil
}

// BestOfNBounds returns what best-of-n cannot exceed, whatever the model and the reward: ln n - (n-1)/n, the largest
// divergence from the law of one candidate, in nats, and n/(n+1), the largest win rate. n is at least 1.
func BestOfNBounds(n uint64) (kl, winRate float64, err error) {
	if err := load(); err != nil {
		return 0, 0, err
	}
	kl, winRate, status, message := native.BestOfNBounds(n)
	return kl, winRate, outcome(status, message)
}

// BestOfNKLEstimates returns estimates of the divergence of best-of-n from the model, in nats, one for each prompt, from
// ln of the probability of the returned answer under the model, at most 0: of a sequence, the sum of its tokens'
// log-probabilities. For a report on a reranker, which states their mean.
func BestOfNKLEstimates(logEpsilons []float64, n uint64) ([]float64, error) {
	if err := load(); err != nil {
		return nil, err
	}
	estimates := make([]float64, len(logEpsilons))
	if err := outcome(native.BestOfNKLEstimates(logEpsilons, n, estimates)); err != nil {
		return nil, err
	}
	return estimates, nil
}

// SoftValues returns the weights w ∝ exp(v/alpha + l) of rows of candidates, and the soft value alpha ln of the mean of
// exp(v/alpha + l) for each row, in the unit of the values. values, row after row, are finite or -infinity. logRatios is
// nil if the candidates were drawn from the model; otherwise l for each, ln of its probability under the model less ln of
// that under the proposal. alpha is positive and finite. For a host that steers a generation by a value of its
// continuations; not for drawing one, which draw over ln w does.
func SoftValues(values, logRatios []float64, candidates int, alpha float64) (weights, soft []float64, err error) {
	rows, err := rowsOf("values", len(values), "candidates", candidates)
	if err != nil {
		return nil, nil, err
	}
	if logRatios != nil {
		if err := sameLength("logRatios", len(logRatios), "values", len(values)); err != nil {
			return nil, nil, err
		}
	}
	if err := load(); err != nil {
		return nil, nil, err
	}
	weights, soft = make([]float64, len(values)), make([]float64, rows)
	if err := outcome(native.SoftValues(values, logRatios, candidates, alpha, weights, soft)); err != nil {
		return nil, nil, err
	}
	return weights, soft, nil
}
