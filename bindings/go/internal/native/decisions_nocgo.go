//go:build !cgo || (windows && !bregman_link && !bregman_static)

package native

func HasDecisions() bool { return false }

func BestOfN([]float64, []float64, uint64, []float64) (float64, float64, uint32, string) {
	return 0, 0, unsupported, ""
}

func BestOfNBounds(uint64) (float64, float64, uint32, string) { return 0, 0, unsupported, "" }

func BestOfNKLEstimates([]float64, uint64, []float64) (uint32, string) { return unsupported, "" }

func SoftValues([]float64, []float64, int, float64, []float64, []float64) (uint32, string) {
	return unsupported, ""
}

func Route(*Gate, []float64, []float64, int, []int32, []float64) (uint32, string) {
	return unsupported, ""
}

func NextArm(*ArmOptions, []float64, []uint64, uint64, uint64) (int, int, uint32, string) {
	return 0, 0, unsupported, ""
}

func BestArm(uint32, float64, []float64, []uint64, float64) (Verdict, uint32, string) {
	return Verdict{}, unsupported, ""
}

func Abstain([]float64, []float64, float64, float64, []uint8) (uint32, string) {
	return unsupported, ""
}

func CalibrationError([]float64, []uint32, int, int, float64, uint32, uint64) (Calibration, uint32, string) {
	return Calibration{}, unsupported, ""
}

func Distortion([]float64) (float64, uint32, string) { return 0, unsupported, "" }

func DistortionOfLogprobs([]float64, []float64) (float64, uint32, string) { return 0, unsupported, "" }
