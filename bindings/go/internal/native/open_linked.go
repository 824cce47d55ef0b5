//go:build cgo && (bregman_link || bregman_static)

package native

/*
#cgo !bregman_static pkg-config: bregman
#cgo bregman_static LDFLAGS: -l:libbregman.a -lm
#cgo bregman_static,linux LDFLAGS: -lpthread -ldl
#include "calls.h"
*/
import "C"

import "fmt"

// Open checks the version of the library that the program was linked with; there is nothing to load from a path.
func Open(path string) error {
	if path != "" {
		return fmt.Errorf("%w: the program was linked with the library, %s is not loaded", ErrWrongLibrary, path)
	}
	if version := ABIVersion(); version != C.BREGMAN_ABI_VERSION {
		return fmt.Errorf("%w: it has ABI version %d, this package needs %d", ErrWrongLibrary, version, C.BREGMAN_ABI_VERSION)
	}
	return nil
}
