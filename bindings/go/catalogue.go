package bregman

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// A Stage is one that a chain can name, or a macro: a whole engine, which stands for several stages.
type Stage struct {
	Name       string
	Aliases    []string // other names that are accepted
	Summary    string   // what it does, in a sentence
	Source     string   // the paper or project that defines it
	Draws      bool     // whether it takes a token and so ends a chain
	Parameters []Parameter
}

// A Parameter is one of a stage's; the first may be given without its name.
type Parameter struct {
	Name        string
	Aliases     []string // other names that are accepted
	Summary     string   // what it does, in a sentence
	Kind        Kind
	Default     string   // what it is if it is not given; "" if there is no default
	Choices     []string // the words of a Choice
	Min, Max    float64  // of a Number or a Count
	MinExcluded bool     // whether Min itself is excluded
	Required    bool     // whether it must be given
	// Group is 0, or a number from 1: parameters of the stage with the same number exclude each other, and one of them
	// must be given unless one has a default.
	Group int
}

// A Kind is what values a parameter takes.
type Kind uint32

// The kinds of parameters.
const (
	Number    Kind = 0 // a number from Min to Max
	Count     Kind = 1 // a whole number from Min to Max
	Choice    Kind = 2 // one of the words in Choices
	Name      Kind = 3 // a name that the host gave to something
	Tokens    Kind = 4 // token ids, separated by spaces, such as "2 32000"
	Sequences Kind = 5 // token sequences, separated by semicolons, such as "13; 25 11"
	Biases    Kind = 6 // token:bias pairs, separated by spaces, such as "15:-2.5 30:-inf"
)

// Stages lists what chains can name, in the order in which a chain usually has them. Safe for concurrent use.
func Stages() ([]Stage, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	return stages(native.Stages()), nil
}

// Macros lists the macros that chains can name: an engine with its order of stages and its defaults, at the end of a
// chain, as in "llama_cpp(temperature=0.7)". Safe for concurrent use.
func Macros() ([]Stage, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	return stages(native.Macros()), nil
}

func stages(all []native.Stage) []Stage {
	stages := make([]Stage, len(all))
	for i, s := range all {
		stages[i] = Stage{Name: s.Name, Aliases: s.Aliases, Summary: s.Summary, Source: s.Source, Draws: s.Draws}
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
