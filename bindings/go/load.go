package bregman

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// ABIVersion is the version of the ABI that this package needs.
const ABIVersion = 1

var library struct {
	sync.Mutex
	loaded atomic.Bool
	path   string
}

// Load loads the native library from path, or from the usual places if path is empty (see the overview of the package).
// [New] does this if Load was not called before. A call that failed may be repeated. A loaded library stays; loading
// from a second path is an error. Safe for concurrent use.
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
		return fmt.Errorf("%w: %s cannot be loaded, because a library is loaded already", ErrWrongLibrary, path)
	}
	if err := native.Open(path); err != nil {
		return err
	}
	library.path = path
	library.loaded.Store(true)
	return nil
}

// Version returns the version of the native library, such as "0.1.0". Safe for concurrent use.
func Version() (string, error) {
	if err := Load(""); err != nil {
		return "", err
	}
	return native.Version(), nil
}

// SIMDLevel returns the instruction set in use, as bregman_simd_level in bregman.h describes. The environment variable
// BREGMAN_SIMD selects a lower one; if it names none of this machine, this returns "" and New fails. Safe for
// concurrent use.
func SIMDLevel() (string, error) {
	if err := Load(""); err != nil {
		return "", err
	}
	return native.SIMDLevel(), nil
}
