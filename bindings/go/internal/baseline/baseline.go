//go:build cgo && !windows

// Package baseline makes the calls of a benchmark from C, to measure the cost of calling from Go.
package baseline

/*
#cgo CFLAGS: -I${SRCDIR}/../native
#cgo linux LDFLAGS: -ldl
#include <bregman.h>
#include <dlfcn.h>
#include <stdlib.h>

static __typeof__(bregman_sampler_new) *make;
static __typeof__(bregman_sampler_free) *destroy;
static __typeof__(bregman_decode) *decode;

static int baseline_open(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return library && (*(void **)&make = dlsym(library, "bregman_sampler_new"))
        && (*(void **)&destroy = dlsym(library, "bregman_sampler_free"))
        && (*(void **)&decode = dlsym(library, "bregman_decode"));
}

// Decodes a row of one logit n times, and returns the last status.
static uint32_t baseline_decode(size_t n) {
    const float logit = 1;
    bregman_sampler *sampler;
    bregman_result result;
    uint32_t status = make("greedy", 1, &sampler, NULL, 0);
    if (status != BREGMAN_OK) {
        return status;
    }
    for (size_t i = 0; i < n && status == BREGMAN_OK; i++) {
        status = decode(sampler, &logit, 1, &result);
    }
    destroy(sampler);
    return status;
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Open loads the library from a path.
func Open(path string) error {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	if C.baseline_open(text) == 0 {
		return fmt.Errorf("%s cannot be loaded", path)
	}
	return nil
}

// Decode decodes a row of one logit n times.
func Decode(n int) error {
	if status := C.baseline_decode(C.size_t(n)); status != C.BREGMAN_OK {
		return fmt.Errorf("status %d", status)
	}
	return nil
}
