package decisions

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// Abstain returns for each input whether to reject it: (1 - cIn - cOut)(1 - max p) + cOut ρ > cIn. maxP has the probability
// of the most likely answer; ratios an estimate of ρ, how much likelier the input is under the other inputs than under
// those that the model was made for, which may be infinite. cIn is the cost of rejecting an input of the model's own, cOut
// that of answering another one. For a host that returns "I do not know" or asks a larger model; not a detector, because max p
// and ρ are the caller's.
func Abstain(maxP, ratios []float64, cIn, cOut float64) ([]bool, error) {
	if err := sameLength("ratios", len(ratios), "max_p", len(maxP)); err != nil {
		return nil, err
	}
	if err := load(); err != nil {
		return nil, err
	}
	flags := make([]uint8, len(maxP))
	if err := outcome(native.Abstain(maxP, ratios, cIn, cOut, flags)); err != nil {
		return nil, err
	}
	rejects := make([]bool, len(flags))
	for i, flag := range flags {
		rejects[i] = flag != 0
	}
	return rejects, nil
}

// CalibrationOptions are those of [CalibrationError].
type CalibrationOptions struct {
	Top       int     // number of classes for each sample; 1 for the confidence alone
	Bins      int     // number of bins of the same width into which each probability is sorted
	Level     float64 // coverage of the interval, above 0 and below 1
	Resamples uint32  // sets of outcomes that the test draws, such as 999; 0 for no test
	Seed      uint64  // the random numbers of the test
}

// Calibration is the answer of [CalibrationError], of the squared error.
type Calibration struct {
	Cells        int     // number of cells with at least one sample
	SquaredError float64 // an unbiased estimate; negative at times if the error is near 0
	Variance     float64 // number of samples times the variance of SquaredError, estimated
	Lower, Upper float64 // the interval
	PValue       float64 // of the test that the probabilities are calibrated; NaN without resamples
}

// CalibrationError returns the ℓ2 calibration error of the most likely classes of each sample, with an interval and a
// test. probabilities has Top of them for each sample, row after row; ranks is 1 if the first of these classes was right, 2
// if the second was, and so on, 0 if none was. For a host that reports whether probabilities can be trusted; not for small
// sets, where a cell of one sample says nothing.
func CalibrationError(probabilities []float64, ranks []uint32, o CalibrationOptions) (Calibration, error) {
	rows, err := rowsOf("probabilities", len(probabilities), "top", o.Top)
	if err != nil {
		return Calibration{}, err
	}
	if len(ranks) != rows {
		return Calibration{}, invalid("ranks has %d elements, probabilities has %d rows", len(ranks), rows)
	}
	if err := notNegative(o.Bins, "bins"); err != nil {
		return Calibration{}, err
	}
	if err := load(); err != nil {
		return Calibration{}, err
	}
	c, status, message := native.CalibrationError(probabilities, ranks, o.Top, o.Bins, o.Level, o.Resamples, o.Seed)
	return Calibration(c), outcome(status, message)
}

// Distortion returns ln q - ln p = -Σ ln S of a sequence whose distributions were truncated and renormalised, in nats;
// logKept has ln of the mass that was kept for each token, at most 0. For a host that compares samples with the model's own
// law; not a measure of quality.
func Distortion(logKept []float64) (float64, error) {
	if err := load(); err != nil {
		return 0, err
	}
	sum, status, message := native.Distortion(logKept)
	return sum, outcome(status, message)
}

// DistortionOfLogprobs returns Σ (ln p̂ - ln p) over the tokens of a sequence, in nats: [Distortion] for any decoder.
// decoded has ln of each token's probability under the decoded distribution, model the same under the model.
func DistortionOfLogprobs(decoded, model []float64) (float64, error) {
	if err := sameLength("model", len(model), "decoded", len(decoded)); err != nil {
		return 0, err
	}
	if err := load(); err != nil {
		return 0, err
	}
	sum, status, message := native.DistortionOfLogprobs(decoded, model)
	return sum, outcome(status, message)
}
