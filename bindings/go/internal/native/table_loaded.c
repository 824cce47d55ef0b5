//go:build cgo && !bregman_link && !bregman_static && !windows

// The library is loaded when the program runs.
#include "loaded.h"

#include <dlfcn.h>
#include <stdio.h>

bregman_go_table bregman_go;

static void say(char *why, size_t size) {
    const char *said = dlerror();
    snprintf(why, size, "%s", said ? said : "unknown reason");
}

int bregman_go_open(const char *path, char *why, size_t size) {
    // Never closed: the library may have threads of its own, and handles live anywhere.
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        say(why, size);
        return BREGMAN_GO_NOT_OPENED;
    }
    // The version comes first: another version's functions may be missing, or mean something else.
    __typeof__(bregman_abi_version) *version;
    *(void **)&version = dlsym(library, "bregman_abi_version");
    if (!version) {
        say(why, size);
        return BREGMAN_GO_NO_BREGMAN;
    }
    if (version() != BREGMAN_ABI_VERSION) {
        snprintf(why, size, "it has ABI version %u, this package needs %u", (unsigned)version(), BREGMAN_ABI_VERSION);
        return BREGMAN_GO_NO_BREGMAN;
    }
    bregman_go_table found;
#define F(name) \
    if (!(*(void **)&found.name = dlsym(library, "bregman_" #name))) { \
        say(why, size); \
        return BREGMAN_GO_NO_BREGMAN; \
    }
    BREGMAN_GO_FUNCTIONS(F)
#undef F
    bregman_go = found;
    return BREGMAN_GO_OPENED;
}
