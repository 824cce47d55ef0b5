package bregman

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// A Stage is a stage that a chain can name, or a macro, which stands for several.
type Stage struct {
	Name    string
	Aliases []string // other names that are accepted
	Summary string   // what it does, in one sentence
	Source  string   // the paper or project that defines it
	Draws   bool     // whether it draws a token, and therefore ends a chain, as every macro does
	// Learns is whether its draw depends on the tokens that it drew before. Such a stage works only where this library
	// draws (Decode, Apply), not where the host draws from the result of Process or Distribution; to resume it, use a
	// saved state ([Sampler.MarshalBinary]). For a macro, whether one of the stages that it can stand for learns;
	// [Sampler.Describe] shows the stages of a given chain.
	Learns     bool
	Parameters []Parameter // the first may be given without its name
}

// A Parameter is a parameter of a stage.
type Parameter struct {
	Name        string
	Aliases     []string // other names that are accepted
	Summary     string   // what it does, in one sentence
	Kind        Kind
	Default     string   // its value if it is not given; "" if there is no default
	Choices     []string // the words that a Choice accepts
	Min, Max    float64  // of a Number or a Count, of Keys their number, otherwise 0
	MinExcluded bool     // whether Min itself is not accepted
	Required    bool     // whether it must be given
	// Group is 0 for no group, or the number of a group, from 1. Parameters of a stage in the same group exclude each
	// other, and one of them must be given unless one has a default.
	Group int
}

// A Kind is the kind of value that a parameter takes.
type Kind uint32

// The kinds of parameters.
const (
	Number    Kind = 0 // a number from Min to Max
	Count     Kind = 1 // a whole number from Min to Max
	Choice    Kind = 2 // one of the words in Choices
	Name      Kind = 3 // a name given by the host
	Tokens    Kind = 4 // token ids, separated by spaces, such as "2 32000"
	Sequences Kind = 5 // token sequences, separated by semicolons, such as "13; 25 11"
	Biases    Kind = 6 // token:bias pairs, separated by spaces, such as "15:-2.5 30:-inf"
	Keys      Kind = 7 // from Min to Max secret keys, separated by spaces, such as "0x9d3c55aa10f2e671"
)

// Stages lists the stages that a chain can name, in the order in which a chain usually has them. Safe for concurrent
// use.
func Stages() ([]Stage, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	return stages(native.Stages()), nil
}

// Macros lists the macros that a chain can name. A macro is the name of an engine, such as llama_cpp, and stands for
// that engine's stages in its order with its defaults, as in "llama_cpp(temperature=0.7)". Safe for concurrent use.
func Macros() ([]Stage, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	return stages(native.Macros()), nil
}

func stages(all []native.Stage) []Stage {
	stages := make([]Stage, len(all))
	for i, s := range all {
		stages[i] = Stage{
			Name: s.Name, Aliases: s.Aliases, Summary: s.Summary, Source: s.Source, Draws: s.Draws, Learns: s.Learns,
		}
		for _, p := range s.Parameters {
			stages[i].Parameters = append(stages[i].Parameters, Parameter{
				Name: p.Name, Aliases: p.Aliases, Summary: p.Summary, Kind: Kind(p.Kind), Default: p.Default,
				Choices: p.Choices, Min: p.Min, Max: p.Max, MinExcluded: p.MinExcluded, Required: p.Required,
				Group: p.Group,
			})
		}
	}
	return stages
}
