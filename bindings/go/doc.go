// Package bregman turns rows of LLM logits into tokens. It is the Go face of the native library of the same name: the
// Bregman decoders of "Foundations of Top-k Decoding for Language Models" (arXiv 2505.19371) and the usual samplers, as
// a chain that is described by text.
//
//	sampler, err := bregman.New("temperature(0.8) | bregman(alpha=1.5, floor=0.05) | draw", 42)
//	if err != nil {
//		return err
//	}
//	defer sampler.Close()
//	result, err := sampler.Decode(logits) // result.Token, result.P, result.Support
//
// The same chain, seed, position and logits give the same token, bit for bit, on every machine and in every batch.
//
// # The native library
//
// By default the library is loaded when it is first needed: from the path given to [Load], else from the environment
// variable BREGMAN_LIBRARY, the program's own directory, or where the system's loader looks (libbregman.so.1). It is
// never unloaded. With the build tag bregman_link a program is linked with it (pkg-config has to know "bregman"), with
// bregman_static it contains libbregman.a (CGO_LDFLAGS=-L... says where that is, on Linux). Without cgo everything
// compiles, and [Load] and [New] return [ErrNoCgo].
//
// # Ownership
//
// A [Sampler] holds native memory until [Sampler.Close]; one that is forgotten gives it back when the garbage collector
// finds it. Slices are read or written during a call only and never kept; nothing has to be pinned. No call on a
// sampler allocates Go memory unless it fails, returns a text or makes a sampler.
//
// # Goroutines
//
// A sampler is for one goroutine at a time, different samplers are independent, also clones. A call that finds its
// sampler in use fails with [ErrInUse] and changes nothing. The functions of this package may be called from anywhere.
//
// # Errors
//
// Calls return an [*Error] with the library's status and message; [errors.Is] finds statuses in them, as in
// errors.Is(err, bregman.ErrInvalidLogits). A failed call changes nothing and advances nothing.
package bregman
