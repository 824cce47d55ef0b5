package bregman

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// ABIVersion is the version of the native library's binary interface that this package needs.
const ABIVersion = 1

var library struct {
	sync.Mutex
	loaded atomic.Bool
	path   string
}

// Load loads the native library from path, or from the usual places if that is empty (see the package's overview). It
// need not be called: [New] loads from the usual places if nothing was loaded before. A failed call may be repeated; a
// library that is loaded stays, and a second path is an error. Safe for concurrent use.
func Load(path string) error {
	if library.loaded.Load() && path == "" {
		return nil
	}
	library.Lock()
	defer library.Unlock()
	if library.loaded.Load() {
		if path == "" || path == library.path {
			return nil
		}
		return fmt.Errorf("%w: one is loaded already, %s comes too late", ErrWrongLibrary, path)
	}
	if err := native.Open(path); err != nil {
		return err
	}
	library.path = path
	library.loaded.Store(true)
	return nil
}

// Version is the native library's version, such as "0.1.0".
func Version() (string, error) {
	if err := Load(""); err != nil {
		return "", err
	}
	return native.Version(), nil
}

// SIMDLevel is the instruction set in use: "avx512", "avx2", "neon" or "scalar". It is "" if the environment variable
// BREGMAN_SIMD names none of this machine's; then New fails.
func SIMDLevel() (string, error) {
	if err := Load(""); err != nil {
		return "", err
	}
	return native.SIMDLevel(), nil
}
