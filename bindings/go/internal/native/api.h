/* The library's functions as one table, so that the same calls serve a library that is loaded and one that is linked. */
#ifndef BREGMAN_GO_API_H
#define BREGMAN_GO_API_H

#include "bregman.h"

#define BREGMAN_GO_FUNCTIONS(F) \
    F(abi_version) F(version) F(simd_level) F(status_text) F(stage_count) F(stage_info) \
    F(sampler_new) F(sampler_clone) F(sampler_free) F(sampler_reset) F(sampler_reseed) F(sampler_accept) \
    F(sampler_set_logit_bias) F(sampler_describe) F(sampler_error) \
    F(decode) F(decode_batch) F(distribution) F(process) F(apply) \
    F(llama_iface) F(llama_attach) F(llama_sampler)

typedef struct bregman_go_table {
#define F(name) __typeof__(bregman_##name) *name;
    BREGMAN_GO_FUNCTIONS(F)
#undef F
} bregman_go_table;

extern bregman_go_table bregman_go;

#endif
