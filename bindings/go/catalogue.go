package bregman

import "github.com/bregman-decoding/bregman/bindings/go/internal/native"

// A Stage is one that a chain can name.
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
}

// A Kind is what values a parameter takes.
type Kind uint32

// The kinds of parameters.
const (
	Number Kind = 0 // a number from Min to Max
	Count  Kind = 1 // a whole number from Min to Max
	Choice Kind = 2 // one of the words in Choices
	Name   Kind = 3 // a name that the host gave to something
)

// Stages lists what chains can name, in the order in which a chain usually has them.
func Stages() ([]Stage, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	all := native.Stages()
	stages := make([]Stage, len(all))
	for i, s := range all {
		stages[i] = Stage{Name: s.Name, Aliases: s.Aliases, Summary: s.Summary, Source: s.Source, Draws: s.Draws}
		for _, p := range s.Parameters {
			stages[i].Parameters = append(stages[i].Parameters, Parameter{
				Name: p.Name, Aliases: p.Aliases, Summary: p.Summary, Kind: Kind(p.Kind), Default: p.Default,
				Choices: p.Choices, Min: p.Min, Max: p.Max, MinExcluded: p.MinExcluded, Required: p.Required,
			})
		}
	}
	return stages, nil
}
