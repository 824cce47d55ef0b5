//go:build cgo

package bregman_test

import (
	"errors"
	"fmt"
	"log"
	"math"
	"slices"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
)

var logits = []float32{2.0, 1.5, 0.3, -1.0, 1.9, -4.0}

func newSampler(chain string, seed uint64) *bregman.Sampler {
	s, err := bregman.New(chain, seed)
	if err != nil {
		log.Fatal(err)
	}
	return s
}

func Example() {
	sampler, err := bregman.New("temperature(0.8) | bregman(alpha=1.5, floor=0.05) | draw", 42)
	if err != nil {
		log.Fatal(err)
	}
	defer sampler.Close()
	r, err := sampler.Decode(logits)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("token %d, drawn with probability %.3f from a support of %d\n", r.Token, r.P, r.Support)
	// Output: token 4, drawn with probability 0.347 from a support of 4
}

func ExampleDecodeBatch() {
	samplers := []*bregman.Sampler{newSampler("greedy", 0), newSampler("top_k(2) | draw", 1)}
	rows := append(append([]float32(nil), logits...), logits...)
	results := make([]bregman.Result, 2)
	batch := &bregman.Batch{F32: rows, Vocab: 6, Flags: bregman.WantKeptMass}
	if err := bregman.DecodeBatch(samplers, batch, results); err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		fmt.Printf("token %d, from a support of %d with %.2f of the mass\n", r.Token, r.Support, r.KeptMass)
	}
	// Output:
	// token 0, from a support of 1 with 0.36 of the mass
	// token 4, from a support of 2 with 0.69 of the mass
}

func ExampleDecodeBatchAnswers() {
	samplers := []*bregman.Sampler{newSampler("top_k(3) | greedy", 0)}
	answers := &bregman.Answers{
		Source: bregman.OfModel, Logprobs: make([]float32, 1), Ranks: make([]uint32, 1),
		Top: 2, TopIDs: make([]int32, 2), TopLogprobs: make([]float32, 2),
	}
	results := make([]bregman.Result, 1)
	batch := &bregman.Batch{F32: logits, Vocab: 6}
	if err := bregman.DecodeBatchAnswers(samplers, batch, results, answers); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("token %d: %.3f, rank %d\n", results[0].Token, answers.Logprobs[0], answers.Ranks[0])
	for i, id := range answers.TopIDs {
		fmt.Printf("top %d: %.3f\n", id, answers.TopLogprobs[i])
	}
	// Output:
	// token 0: -1.010, rank 1
	// top 0: -1.010
	// top 4: -1.110
}

func ExampleSampler_DrawMany() {
	sampler := newSampler("top_k(3)", 7)
	defer sampler.Close()
	ids, logprobs := make([]int32, 5), make([]float32, 5)
	n, err := sampler.DrawMany(logits, ids, logprobs, nil)
	if err != nil {
		log.Fatal(err)
	}
	slices.Sort(ids[:n])
	fmt.Println(n, "different tokens:", ids[:n])
	// Output: 3 different tokens: [0 1 4]
}

func ExampleSampler_Distribution() {
	sampler := newSampler("top_k(3)", 0)
	defer sampler.Close()
	ids, probs := make([]int32, len(logits)), make([]float32, len(logits))
	n, err := sampler.Distribution(logits, ids, probs)
	if err != nil {
		log.Fatal(err)
	}
	for i := range n {
		fmt.Printf("%d: %.3f\n", ids[i], probs[i])
	}
	// Output:
	// 0: 0.398
	// 4: 0.360
	// 1: 0.242
}

func ExampleSampler_SetLogitBias() {
	sampler := newSampler("greedy", 0)
	defer sampler.Close()
	// Bans token 0 and raises the logit of token 1.
	if err := sampler.SetLogitBias([]int32{0, 1}, []float32{float32(math.Inf(-1)), 1}); err != nil {
		log.Fatal(err)
	}
	r, err := sampler.Decode(logits)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Token)
	// Output: 1
}

func ExampleSampler_Reseed() {
	sampler := newSampler("draw", 10)
	defer sampler.Close()
	decode := func() int32 {
		r, err := sampler.Decode(logits)
		if err != nil {
			log.Fatal(err)
		}
		return r.Token
	}
	first, second := decode(), decode()
	// Resumes a sequence after its first token.
	if err := sampler.Reseed(10, 1); err != nil {
		log.Fatal(err)
	}
	fmt.Println(first, second, decode() == second)
	// Output: 2 1 true
}

func ExampleError() {
	_, err := bregman.New("top_k(40) | drow", 1)
	fmt.Println(errors.Is(err, bregman.ErrInvalidChain))
	fmt.Println(err)
	// Output:
	// true
	// bregman: stage 2: no stage `drow`: did you mean `draw`?
}
