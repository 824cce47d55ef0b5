package decisions

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// A RewardLaw is what the rewards of an arm are like.
type RewardLaw uint32

// The laws of rewards.
const (
	Gaussian  RewardLaw = 0 // normal with a known standard deviation, the same for all arms
	Bernoulli RewardLaw = 1 // 0 or 1
)

// An ArmRule is how the challenger of the leader is found.
type ArmRule uint32

// The rules.
const (
	TTTS ArmRule = 0 // top-two Thompson sampling: the posterior is drawn again until another arm leads
	T3C  ArmRule = 1 // the arm with the smallest transport cost from the leader; of several the draw decides
)

// ArmOptions are the rule of [NextArm].
type ArmOptions struct {
	Rule    ArmRule
	Rewards RewardLaw
	Redraws uint32  // TTTS: after so many draws with the same leader the challenger is T3C's; 0 for 1000. T3C: 0
	Sigma   float64 // Gaussian: the standard deviation of one reward. Bernoulli: 0
	Beta    float64 // probability of pulling the leader, above 0 and at most 1; 0.5 is usual
}

// Arm is the answer of [NextArm].
type Arm struct {
	Arm    int // the arm to pull
	Leader int // the leader: Arm itself, or the arm that it challenges
}

// NextArm returns the arm to pull next to find the one with the largest mean reward: a candidate to judge, a prompt to
// try. An arm without pulls comes first, the lowest one. means has the mean reward of each arm so far, for Bernoulli from
// 0 to 1, and is not read for an arm without pulls; pulls how often each was pulled. The answer is a function of the
// arguments: take the number of pulls so far as the position of the random numbers of seed. For a host that pays for every
// answer of a judge; not for earning rewards on the way.
func NextArm(options ArmOptions, means []float64, pulls []uint64, seed, position uint64) (Arm, error) {
	if err := sameLength("pulls", len(pulls), "means", len(means)); err != nil {
		return Arm{}, err
	}
	if err := load(); err != nil {
		return Arm{}, err
	}
	rule := native.ArmOptions{
		Rule: uint32(options.Rule), Rewards: uint32(options.Rewards), Redraws: options.Redraws,
		Sigma: options.Sigma, Beta: options.Beta,
	}
	arm, leader, status, message := native.NextArm(&rule, means, pulls, seed, position)
	return Arm{arm, leader}, outcome(status, message)
}

// A Verdict is the answer of [BestArm].
type Verdict struct {
	Stop      bool    // whether Best may be returned now: Statistic is at least Threshold
	Best      int     // the arm with the largest mean (ties: the lowest); 0 if no arm was pulled
	Statistic float64 // the evidence for it; 0 while an arm was not pulled, infinity for a single arm
	Threshold float64 // ln((1 + ln t) / delta), where t is the number of pulls of all arms
}

// BestArm returns whether the arms were pulled often enough to return the best one, with an error probability of delta,
// above 0 and below 1. means and pulls are as for [NextArm]; sigma is 0 for Bernoulli.
func BestArm(rewards RewardLaw, sigma float64, means []float64, pulls []uint64, delta float64) (Verdict, error) {
	if err := sameLength("pulls", len(pulls), "means", len(means)); err != nil {
		return Verdict{}, err
	}
	if err := load(); err != nil {
		return Verdict{}, err
	}
	v, status, message := native.BestArm(uint32(rewards), sigma, means, pulls, delta)
	return Verdict(v), outcome(status, message)
}
