//go:build cgo && !bregman_link && !bregman_static && !windows

// The library is loaded at run time.
#include "loaded.h"

#include <dlfcn.h>
#include <stdio.h>

const bregman_api *bregman_go;
const bregman_decisions *bregman_go_decisions;

static void say(char *why, size_t size) {
    const char *said = dlerror();
    snprintf(why, size, "%s", said ? said : "unknown reason");
}

int bregman_go_open(const char *path, char *why, size_t size) {
    // Never closed: the library may have threads and handles.
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        say(why, size);
        return BREGMAN_GO_NOT_OPENED;
    }
    bregman_get_api_fn get_api;
    *(void **)&get_api = dlsym(library, "bregman_get_api");
    if (!get_api) {
        say(why, size);
        return BREGMAN_GO_NO_BREGMAN;
    }
    const bregman_api *api = get_api(BREGMAN_ABI_VERSION);
    if (!api) {
        snprintf(why, size, "it does not have version %u of the ABI", BREGMAN_ABI_VERSION);
        return BREGMAN_GO_NO_BREGMAN;
    }
    if (!bregman_go_suffices(api)) {
        snprintf(why, size, "it is older than this package: its table of functions has %u bytes of %zu",
                 (unsigned)api->struct_size, sizeof *api);
        return BREGMAN_GO_NO_BREGMAN;
    }
    bregman_get_decisions_fn get_decisions;
    *(void **)&get_decisions = dlsym(library, "bregman_get_decisions");
    bregman_go_decisions = bregman_go_checked(get_decisions ? get_decisions(BREGMAN_ABI_VERSION) : NULL);
    bregman_go = api;
    return BREGMAN_GO_OPENED;
}
