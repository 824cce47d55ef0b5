/* The functions of libllama that the tests call. */
#ifndef BREGMAN_GO_HOST_H
#define BREGMAN_GO_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Returns NULL, or why libllama cannot be used. */
const char *host_open(const char *path);
uintptr_t host_init(void);
uintptr_t host_chain(void);
void host_add(uintptr_t chain, uintptr_t stage);
uintptr_t host_top_k(int32_t k);
uintptr_t host_min_p(float p);
uintptr_t host_dist(uint32_t seed);
void host_free(uintptr_t sampler);
uintptr_t host_clone(uintptr_t sampler);
void host_reset(uintptr_t sampler);
const char *host_name(uintptr_t sampler);
void host_accept(uintptr_t sampler, int32_t token);
/* Copies the array in and out, because llama.cpp's samplers may move `data`. */
void host_apply(uintptr_t sampler, void *data, size_t *size, int64_t *selected);

#endif
