//go:build cgo && !windows && !bregman_link && !bregman_static

package native

/*
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "loaded.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"
)

// Open loads the library from path. If that is empty, it loads from the path in the environment variable
// BREGMAN_LIBRARY, or if that is not set, from the directory of the program or by the system's loader.
func Open(path string) error {
	if path == "" {
		path = os.Getenv("BREGMAN_LIBRARY")
	}
	if path != "" {
		return open(path)
	}
	tried := make([]string, 0, 2)
	for _, path := range places() {
		err := open(path)
		if !errors.Is(err, ErrNoLibrary) {
			return err
		}
		tried = append(tried, strings.TrimPrefix(err.Error(), ErrNoLibrary.Error()+": "))
	}
	return fmt.Errorf("%w: set BREGMAN_LIBRARY to its path, or call Load (%s)", ErrNoLibrary, strings.Join(tried, "; "))
}

func places() []string {
	name := fmt.Sprintf("libbregman.so.%d", C.BREGMAN_ABI_VERSION)
	if runtime.GOOS == "darwin" {
		name = fmt.Sprintf("libbregman.%d.dylib", C.BREGMAN_ABI_VERSION)
	}
	program, err := os.Executable()
	if err != nil {
		return []string{name}
	}
	return []string{filepath.Join(filepath.Dir(program), name), name}
}

func open(path string) error {
	if strings.IndexByte(path, 0) >= 0 {
		return fmt.Errorf("%w: the path contains a NUL", ErrNoLibrary)
	}
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	var why [1024]C.char
	switch C.bregman_go_open(text, &why[0], C.size_t(len(why))) {
	case C.BREGMAN_GO_OPENED:
		return nil
	case C.BREGMAN_GO_NOT_OPENED:
		return fmt.Errorf("%w: %s", ErrNoLibrary, C.GoString(&why[0]))
	default:
		return fmt.Errorf("%w: %s: %s", ErrWrongLibrary, path, C.GoString(&why[0]))
	}
}
