//go:build cgo && (!windows || bregman_link || bregman_static)

package native

/*
#include "decisions.h"

// No call keeps a pointer or calls back into Go.
#cgo noescape go_best_of_n
#cgo nocallback go_best_of_n
#cgo noescape go_best_of_n_bounds
#cgo nocallback go_best_of_n_bounds
#cgo noescape go_best_of_n_kl_estimates
#cgo nocallback go_best_of_n_kl_estimates
#cgo noescape go_soft_values
#cgo nocallback go_soft_values
#cgo noescape go_route
#cgo nocallback go_route
#cgo noescape go_next_arm
#cgo nocallback go_next_arm
#cgo noescape go_best_arm
#cgo nocallback go_best_arm
#cgo noescape go_abstain
#cgo nocallback go_abstain
#cgo noescape go_calibration_error
#cgo nocallback go_calibration_error
#cgo noescape go_distortion
#cgo nocallback go_distortion
#cgo noescape go_distortion_of_logprobs
#cgo nocallback go_distortion_of_logprobs
*/
import "C"

import "unsafe"

// HasDecisions is whether the opened library has the functions below.
func HasDecisions() bool { return C.bregman_go_decisions != nil }

func doubles(x []float64) *C.double { return (*C.double)(unsafe.SliceData(x)) }

func words(x []uint64) *C.uint64_t { return (*C.uint64_t)(unsafe.SliceData(x)) }

// message calls f with a buffer for the message of a failure.
func message(f func(buffer *C.char) C.uint32_t) (status uint32, text string) {
	buffer := make([]byte, longestError)
	at := (*C.char)(unsafe.Pointer(unsafe.SliceData(buffer)))
	if status = uint32(f(at)); status != 0 {
		text = C.GoString(at)
	}
	return status, text
}

// BestOfN writes the law; the slices have the same length.
func BestOfN(p, rewards []float64, n uint64, law []float64) (kl, winRate float64, status uint32, text string) {
	var divergence, rate C.double
	status, text = message(func(buffer *C.char) C.uint32_t {
		return C.go_best_of_n(doubles(p), doubles(rewards), C.size_t(len(p)), C.uint64_t(n), doubles(law), &divergence, &rate,
			buffer, longestError)
	})
	return float64(divergence), float64(rate), status, text
}

// BestOfNBounds returns the bounds for n candidates.
func BestOfNBounds(n uint64) (kl, winRate float64, status uint32, text string) {
	var divergence, rate C.double
	status, text = message(func(buffer *C.char) C.uint32_t {
		return C.go_best_of_n_bounds(C.uint64_t(n), &divergence, &rate, buffer, longestError)
	})
	return float64(divergence), float64(rate), status, text
}

// BestOfNKLEstimates writes an estimate for each element; the slices have the same length.
func BestOfNKLEstimates(logEpsilons []float64, n uint64, estimates []float64) (status uint32, text string) {
	return message(func(buffer *C.char) C.uint32_t {
		return C.go_best_of_n_kl_estimates(doubles(logEpsilons), C.size_t(len(logEpsilons)), C.uint64_t(n),
			doubles(estimates), buffer, longestError)
	})
}

// SoftValues writes weights, as long as values, and a soft value for each row; logRatios is nil or as long as values.
func SoftValues(values, logRatios []float64, candidates int, alpha float64, weights, soft []float64) (uint32, string) {
	return message(func(buffer *C.char) C.uint32_t {
		return C.go_soft_values(doubles(values), doubles(logRatios), C.size_t(len(soft)), C.size_t(candidates),
			C.double(alpha), doubles(weights), doubles(soft), buffer, longestError)
	})
}

// Route writes TopK ids and weights of each row; bias is nil or has an element for each expert.
func Route(g *Gate, bias, logits []float64, rows int, ids []int32, weights []float64) (status uint32, text string) {
	return message(func(buffer *C.char) C.uint32_t {
		return C.go_route(C.uint32_t(g.Convention), C.size_t(g.Experts), C.size_t(g.TopK), C.size_t(g.Groups),
			C.size_t(g.TopGroups), C.double(g.Scale), doubles(bias), doubles(logits), C.size_t(rows),
			(*C.int32_t)(unsafe.SliceData(ids)), doubles(weights), buffer, longestError)
	})
}

// NextArm returns the arm to pull; the slices have the same length.
func NextArm(o *ArmOptions, means []float64, pulls []uint64, seed, position uint64) (arm, leader int, status uint32, text string) {
	var chosen, first C.size_t
	status, text = message(func(buffer *C.char) C.uint32_t {
		return C.go_next_arm(C.uint32_t(o.Rule), C.uint32_t(o.Rewards), C.uint32_t(o.Redraws), C.double(o.Sigma),
			C.double(o.Beta), doubles(means), words(pulls), C.size_t(len(means)), C.uint64_t(seed), C.uint64_t(position),
			&chosen, &first, buffer, longestError)
	})
	return int(chosen), int(first), status, text
}

// BestArm returns whether the best arm is known; the slices have the same length.
func BestArm(rewards uint32, sigma float64, means []float64, pulls []uint64, delta float64) (v Verdict, status uint32, text string) {
	var out C.bregman_verdict
	status, text = message(func(buffer *C.char) C.uint32_t {
		return C.go_best_arm(C.uint32_t(rewards), C.double(sigma), doubles(means), words(pulls), C.size_t(len(means)),
			C.double(delta), &out, buffer, longestError)
	})
	return Verdict{out.stop != 0, int(out.best), float64(out.statistic), float64(out.threshold)}, status, text
}

// Abstain writes 1 for each input to reject and 0 for the others; the slices have the same length.
func Abstain(maxP, ratios []float64, cIn, cOut float64, rejects []uint8) (status uint32, text string) {
	return message(func(buffer *C.char) C.uint32_t {
		return C.go_abstain(doubles(maxP), doubles(ratios), C.size_t(len(maxP)), C.double(cIn), C.double(cOut),
			(*C.uint8_t)(unsafe.SliceData(rejects)), buffer, longestError)
	})
}

// CalibrationError returns the error; there are top probabilities for each rank.
func CalibrationError(probabilities []float64, ranks []uint32, top, bins int, level float64, resamples uint32, seed uint64) (c Calibration, status uint32, text string) {
	var out C.bregman_calibration
	status, text = message(func(buffer *C.char) C.uint32_t {
		return C.go_calibration_error(doubles(probabilities), (*C.uint32_t)(unsafe.SliceData(ranks)), C.size_t(len(ranks)),
			C.size_t(top), C.size_t(bins), C.double(level), C.uint32_t(resamples), C.uint64_t(seed), &out, buffer,
			longestError)
	})
	return Calibration{int(out.cells), float64(out.squared_error), float64(out.variance), float64(out.lower),
		float64(out.upper), float64(out.p_value)}, status, text
}

// Distortion returns the sum of a sequence.
func Distortion(logKept []float64) (sum float64, status uint32, text string) {
	var out C.double
	status, text = message(func(buffer *C.char) C.uint32_t {
		return C.go_distortion(doubles(logKept), C.size_t(len(logKept)), &out, buffer, longestError)
	})
	return float64(out), status, text
}

// DistortionOfLogprobs returns the sum of a sequence; the slices have the same length.
func DistortionOfLogprobs(decoded, model []float64) (sum float64, status uint32, text string) {
	var out C.double
	status, text = message(func(buffer *C.char) C.uint32_t {
		return C.go_distortion_of_logprobs(doubles(decoded), doubles(model), C.size_t(len(decoded)), &out, buffer,
			longestError)
	})
	return float64(out), status, text
}
