//go:build cgo && linux

#include "host.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

typedef struct candidate { int32_t id; float logit, p; } candidate;
typedef struct candidates { candidate *data; size_t size; int64_t selected; bool sorted; } candidates;
typedef struct chain_params { bool no_perf; } chain_params;

static struct {
    void *(*sampler_init)(const void *iface, void *ctx);
    void *(*sampler_chain_init)(chain_params params);
    void (*sampler_chain_add)(void *chain, void *stage);
    void *(*sampler_init_top_k)(int32_t k);
    void *(*sampler_init_min_p)(float p, size_t min_keep);
    void *(*sampler_init_dist)(uint32_t seed);
    void (*sampler_free)(void *sampler);
    void *(*sampler_clone)(const void *sampler);
    void (*sampler_reset)(void *sampler);
    const char *(*sampler_name)(const void *sampler);
    void (*sampler_accept)(void *sampler, int32_t token);
    void (*sampler_apply)(void *sampler, candidates *list);
} llama;

const char *host_open(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return dlerror();
    }
#define FIND(name) \
    if (!(*(void **)&llama.name = dlsym(library, "llama_" #name))) { \
        return dlerror(); \
    }
    FIND(sampler_init) FIND(sampler_chain_init) FIND(sampler_chain_add) FIND(sampler_init_top_k)
    FIND(sampler_init_min_p) FIND(sampler_init_dist) FIND(sampler_free) FIND(sampler_clone) FIND(sampler_reset)
    FIND(sampler_name) FIND(sampler_accept) FIND(sampler_apply)
#undef FIND
    return NULL;
}

uintptr_t host_init(void) {
    void *address;
    memcpy(&address, &llama.sampler_init, sizeof address);
    return (uintptr_t)address;
}

uintptr_t host_chain(void) { return (uintptr_t)llama.sampler_chain_init((chain_params){true}); }
void host_add(uintptr_t chain, uintptr_t stage) { llama.sampler_chain_add((void *)chain, (void *)stage); }
uintptr_t host_top_k(int32_t k) { return (uintptr_t)llama.sampler_init_top_k(k); }
uintptr_t host_min_p(float p) { return (uintptr_t)llama.sampler_init_min_p(p, 1); }
uintptr_t host_dist(uint32_t seed) { return (uintptr_t)llama.sampler_init_dist(seed); }
void host_free(uintptr_t sampler) { llama.sampler_free((void *)sampler); }
uintptr_t host_clone(uintptr_t sampler) { return (uintptr_t)llama.sampler_clone((const void *)sampler); }
void host_reset(uintptr_t sampler) { llama.sampler_reset((void *)sampler); }
const char *host_name(uintptr_t sampler) { return llama.sampler_name((const void *)sampler); }
void host_accept(uintptr_t sampler, int32_t token) { llama.sampler_accept((void *)sampler, token); }

void host_apply(uintptr_t sampler, void *data, size_t *size, int64_t *selected) {
    candidate *copy = malloc(*size * sizeof *copy);
    if (!copy) {
        abort();
    }
    memcpy(copy, data, *size * sizeof *copy);
    candidates list = {copy, *size, *selected, false};
    llama.sampler_apply((void *)sampler, &list);
    memcpy(data, list.data, list.size * sizeof *copy);
    *size = list.size;
    *selected = list.selected;
    free(copy);
}
