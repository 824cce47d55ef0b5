// Package bregman turns rows of LLM logits into tokens. It binds the native library of the same name: the Bregman
// decoders of "Foundations of Top-k Decoding for Language Models" (arXiv 2505.19371) and the usual samplers, as a chain
// that is described by text.
//
//	sampler, err := bregman.New("temperature(0.8) | bregman(alpha=1.5, floor=0.05) | draw", 42)
//	if err != nil {
//		return err
//	}
//	defer sampler.Close()
//	result, err := sampler.Decode(logits) // result.Token, result.P, result.Support
//
// The same chain, seed, position, history and logits give the same token, bit for bit, on every machine and in every
// batch. Stages that learn (Stage.Learns) also depend on the tokens that they drew; a saved state has that, too.
//
// # The native library
//
// By default the library is loaded at its first use, from the path given to [Load], or else from the environment
// variable BREGMAN_LIBRARY, the directory of the program, or the system's loader (libbregman.so.1). It is never
// unloaded. With the build tag bregman_link the program is linked with the library, which pkg-config must find; with
// bregman_static it contains libbregman.a (CGO_LDFLAGS=-L... is its directory, on Linux). Without cgo everything
// compiles, and [Load] and [New] return [ErrNoCgo].
//
// # Ownership
//
// A [Sampler] holds native memory until [Sampler.Close], or until the garbage collector finds it unreachable. Slices
// are used during a call only, and need not be pinned. A call on a sampler allocates Go memory only if it fails,
// returns a text or makes a sampler.
//
// # Goroutines
//
// One goroutine at a time may use a sampler. Different samplers are independent, clones too. A call on a sampler that
// is in use fails with [ErrInUse] and changes nothing. The functions of this package are safe for concurrent use.
//
// # Errors
//
// Calls return an [*Error] with the status and the message of the library; [errors.Is] finds the status, as in
// errors.Is(err, bregman.ErrInvalidLogits). A call that fails changes nothing and advances nothing.
package bregman
