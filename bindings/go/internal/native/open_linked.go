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

// Open checks the version of the library that the program is linked with; a path is an error.
func Open(path string) error {
	if path != "" {
		return fmt.Errorf("%w: the program is linked with the library, so that %s cannot be loaded", ErrWrongLibrary, path)
	}
	api := C.bregman_get_api(C.BREGMAN_ABI_VERSION)
	if api == nil {
		return fmt.Errorf("%w: it does not have version %d of the ABI", ErrWrongLibrary, C.BREGMAN_ABI_VERSION)
	}
	if C.bregman_go_suffices(api) == 0 {
		return fmt.Errorf("%w: it is older than this package", ErrWrongLibrary)
	}
	C.bregman_go = api
	C.bregman_go_decisions = C.bregman_go_checked(C.bregman_get_decisions(C.BREGMAN_ABI_VERSION))
	return nil
}
