package decisions

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// A GateConvention is how a model turns router logits h into experts and weights.
type GateConvention uint32

// The conventions.
const (
	Mixtral    GateConvention = 0 // softmax over all experts, the k largest, renormalised
	Qwen2      GateConvention = 1 // Qwen2-MoE: softmax over all experts, the k largest, not renormalised
	Qwen3      GateConvention = 2 // Qwen3-MoE: as Mixtral
	GPTOSS     GateConvention = 3 // gpt-oss: the k largest logits, softmax over these; the same weights as Mixtral's
	Llama4     GateConvention = 4 // the k largest logits, the sigmoid of each
	DeepSeekV3 GateConvention = 5 // and GLM-4-MoE: s = sigmoid(h), the k largest s + bias within the best groups of
	// experts, weights s / (Σs + 1e-20) times the scale
)

// A Gate of a mixture of experts. The last four fields are for DeepSeekV3, and zero for the others.
type Gate struct {
	Convention GateConvention
	Experts    int       // at least 1
	TopK       int       // number of experts for each row, from 1 to the number that can be chosen
	Groups     int       // number of groups of consecutive experts; 0 for 1
	TopGroups  int       // number of groups from which experts are chosen; 0 for all
	Scale      float64   // factor of the weights; 0 for 1
	Bias       []float64 // correction of each expert for the choice alone, or nil
}

// Route routes rows of router logits, finite or -infinity, to experts: TopK ids of each row with their weights, in
// descending order of what they were chosen by (ties: ascending id). For an engine that routes on the CPU, or checks its
// routing against a second implementation; not for a GPU, where the gate is part of a kernel.
func Route(gate Gate, logits []float64) (ids []int32, weights []float64, err error) {
	rows, err := rowsOf("logits", len(logits), "experts", gate.Experts)
	if err != nil {
		return nil, nil, err
	}
	if gate.Bias != nil && len(gate.Bias) != gate.Experts {
		return nil, nil, invalid("bias has %d elements, there are %d experts", len(gate.Bias), gate.Experts)
	}
	for _, err := range []error{
		notNegative(gate.TopK, "top_k"), notNegative(gate.Groups, "groups"), notNegative(gate.TopGroups, "top_groups"),
	} {
		if err != nil {
			return nil, nil, err
		}
	}
	if err := load(); err != nil {
		return nil, nil, err
	}
	// A TopK that is too large fails before anything is written.
	n := rows * min(gate.TopK, gate.Experts)
	ids, weights = make([]int32, n), make([]float64, n)
	options := native.Gate{
		Convention: uint32(gate.Convention), Experts: gate.Experts, TopK: gate.TopK, Groups: gate.Groups,
		TopGroups: gate.TopGroups, Scale: gate.Scale,
	}
	if err := outcome(native.Route(&options, gate.Bias, logits, rows, ids, weights)); err != nil {
		return nil, nil, err
	}
	return ids, weights, nil
}
