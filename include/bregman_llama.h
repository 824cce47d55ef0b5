/*
 * bregman as a sampler of llama.cpp. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * For programs that include llama.h: one call makes a `struct llama_sampler *` for llama_sampler_chain_add. C99 or
 * later, C++11 or later; any llama.h since llama_sampler_init came (2025-02). Link libbregman and libllama. Nothing
 * but this header is needed, and any number of files may include it: the stage's table of callbacks is the library's
 * (bregman_llama_iface), so that stages of all files are of one kind for llama_sampler_copy.
 *
 *     struct llama_sampler * chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
 *     llama_sampler_chain_add(chain, bregman_llama_init("temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", 42));
 *     llama_token token = llama_sampler_sample(chain, ctx, -1);
 *
 * The stage obeys llama.cpp's rules: it works on the candidates in place, in any order and any subset of the vocabulary,
 * never leaves none, never moves `data`, sets `sorted` only when that is so, and `selected` to -1 or to the position of
 * the token that it took. It can be cloned, copied and reset, with its random position and its history.
 * - A chain that ends with a drawing stage (draw, greedy) selects: put it last in llama.cpp's chain. Any other only
 *   transforms: put a drawing sampler of llama.cpp's own, such as llama_sampler_init_dist, behind it.
 * - A stage that transforms says what it decided through the logits. After a bregman stage with alpha other than 1 they
 *   are ln p, so that a temperature behind it is one of the decoded distribution.
 * - llama.cpp accepts tokens into stages by itself (llama_sampler_sample, llama_sampler_accept).
 * - llama_sampler_apply cannot report an error: a failed one leaves the candidates as they were, and
 *   bregman_llama_error says why. If that was a selecting stage, llama_sampler_sample aborts for want of a selection;
 *   hosts that must survive NaN logits apply the chain themselves, and look at `selected`.
 * - llama_sampler_get_seed knows llama.cpp's own samplers only, and reports LLAMA_DEFAULT_SEED. A seed that means
 *   "random" there is an ordinary seed here.
 *
 * Threads: a stage belongs to one thread at a time, as all of llama.cpp's samplers; different stages are independent,
 * also clones of each other. It starts no threads.
 */
#ifndef BREGMAN_LLAMA_H
#define BREGMAN_LLAMA_H

#include "bregman.h"
#include "llama.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The parts of llama.h on which the library relies; an error here is a llama.h that this version cannot serve. The
 * variables are for sizeof alone: there are none.
 */
extern const llama_token_data bregman_llama_no_candidate;
extern const llama_token_data_array bregman_llama_no_array;
typedef char bregman_llama_has_its_candidate_layout[
    sizeof(llama_token_data) == sizeof(bregman_candidate) &&
    offsetof(llama_token_data, id) == offsetof(bregman_candidate, id) &&
    offsetof(llama_token_data, logit) == offsetof(bregman_candidate, logit) &&
    offsetof(llama_token_data, p) == offsetof(bregman_candidate, p) &&
    sizeof bregman_llama_no_candidate.id == sizeof(int32_t) && sizeof bregman_llama_no_candidate.logit == sizeof(float) &&
    sizeof bregman_llama_no_candidate.p == sizeof(float) ? 1 : -1];
typedef char bregman_llama_has_its_array_layout[
    sizeof(llama_token_data_array) == sizeof(bregman_candidates) &&
    offsetof(llama_token_data_array, data) == offsetof(bregman_candidates, data) &&
    offsetof(llama_token_data_array, size) == offsetof(bregman_candidates, size) &&
    offsetof(llama_token_data_array, selected) == offsetof(bregman_candidates, selected) &&
    offsetof(llama_token_data_array, sorted) == offsetof(bregman_candidates, sorted) &&
    sizeof bregman_llama_no_array.size == sizeof(size_t) && sizeof bregman_llama_no_array.selected == sizeof(int64_t) &&
    sizeof bregman_llama_no_array.sorted == sizeof(uint8_t) ? 1 : -1];
typedef char bregman_llama_has_its_table_layout[
    offsetof(struct llama_sampler_i, name) == 0 &&
    offsetof(struct llama_sampler_i, accept) == 1 * sizeof(void *) &&
    offsetof(struct llama_sampler_i, apply) == 2 * sizeof(void *) &&
    offsetof(struct llama_sampler_i, reset) == 3 * sizeof(void *) &&
    offsetof(struct llama_sampler_i, clone) == 4 * sizeof(void *) &&
    offsetof(struct llama_sampler_i, free) == 5 * sizeof(void *) &&
    sizeof(struct llama_sampler_i) <= 32 * sizeof(void *) &&
    offsetof(struct llama_sampler, iface) == 0 && sizeof(struct llama_sampler) == 2 * sizeof(void *) ? 1 : -1];

/*
 * Makes a sampler into a stage: for samplers that have generators, a logit bias or a history already. `sampler` then
 * belongs to the stage, and llama_sampler_free (or the chain that the stage is in) frees it. NULL if it cannot be made
 * (`sampler` is NULL, memory is short); then `sampler` still belongs to the caller.
 */
static inline struct llama_sampler * bregman_llama_wrap(bregman_sampler * sampler) {
    struct llama_sampler_i * table = NULL;
    struct llama_sampler * made = NULL;
    const void * address = NULL;
    void * stage = NULL;
#ifdef __cplusplus
    void (*init)() = reinterpret_cast<void (*)()>(&llama_sampler_init);
#else
    void (*init)(void) = (void (*)(void)) &llama_sampler_init;
#endif
    /* Compiled, not called: what the library calls takes a table, const or not, and a context. */
    (void) sizeof(made = llama_sampler_init(table, stage));
    memcpy(&address, &init, sizeof address); /* no cast leads from a function to an object */
    if (bregman_llama_attach(address, sampler, &stage) == BREGMAN_OK) {
        memcpy(&made, &stage, sizeof made); /* C++ has no implicit conversion, C no other cast */
    }
    return made;
}

/*
 * Makes a stage from a chain and a seed, as bregman_sampler_new does. The caller owns it until llama_sampler_chain_add
 * takes it; llama_sampler_free frees it. `error`: NULL, or `error_size` bytes that receive the message of a failure, cut
 * to fit, and "" on success. NULL on failure: the chain is wrong, or `chain` is NULL.
 */
static inline struct llama_sampler * bregman_llama_try_init(const char * chain, uint64_t seed, char * error, size_t error_size) {
    static const char message[] = "llama_sampler_init made no sampler";
    bregman_sampler * sampler = NULL;
    struct llama_sampler * stage;
    if (error != NULL && error_size > 0) {
        error[0] = '\0';
    }
    if (bregman_sampler_new(chain, seed, &sampler, error, error_size) != BREGMAN_OK) {
        return NULL;
    }
    stage = bregman_llama_wrap(sampler);
    if (stage == NULL) {
        bregman_sampler_free(sampler);
        if (error != NULL && error_size > 0) {
            size_t length = sizeof message <= error_size ? sizeof message - 1 : error_size - 1;
            memcpy(error, message, length);
            error[length] = '\0';
        }
    }
    return stage;
}

/* The same without a message. */
static inline struct llama_sampler * bregman_llama_init(const char * chain, uint64_t seed) {
    return bregman_llama_try_init(chain, seed, NULL, 0);
}

/*
 * Why the last call that failed on this stage failed, such as an apply on candidates with NaN: a text that lives until
 * the next call on the stage; "" if none has failed. For a sampler that is no stage of bregman's, a fixed text that
 * says so. bregman_llama_sampler gives the sampler inside, for bregman_sampler_reseed and bregman_sampler_set_logit_bias.
 */
static inline const char * bregman_llama_error(const struct llama_sampler * stage) {
    return bregman_sampler_error(bregman_llama_sampler(stage));
}

#endif
