/*
 * bregman as a sampler of llama.cpp. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * For programs that include llama.h: one call makes a `struct llama_sampler *` for llama_sampler_chain_add. Needs C99 or
 * C++11 and any llama.h with llama_sampler_init (from 2025-02 on). Link libbregman and libllama. Several files may include
 * this header: all stages use the library's table of callbacks (bregman_llama_iface), as llama_sampler_copy requires.
 *
 *     struct llama_sampler * chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
 *     llama_sampler_chain_add(chain, bregman_llama_init("temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", 42));
 *     llama_token token = llama_sampler_sample(chain, ctx, -1);
 *
 * The stage follows llama.cpp's rules: it changes the candidates in place, accepts them in any order and any subset of the
 * vocabulary, keeps at least one, does not move `data`, sets `sorted` only if they are sorted, and `selected` to -1 or to
 * the position of its token (bregman_apply). Clone, copy and reset include its random position and history.
 * - A chain that ends with a drawing stage (draw, greedy) selects a token: put it last in llama.cpp's chain. Any other chain
 *   only transforms: put a sampler of llama.cpp that draws, such as llama_sampler_init_dist, behind it.
 * - Stages behind it see its result in the logits. After a bregman stage with alpha other than 1 these are ln p, so that a
 *   temperature behind it acts on the decoded distribution.
 * - llama_sampler_sample and llama_sampler_accept add the token to the history of the stage.
 * - llama_sampler_apply cannot report an error: if it fails, the candidates are unchanged, and bregman_llama_error returns
 *   the reason. If the stage was to select a token, llama_sampler_sample then aborts. A host that must go on says so with
 *   bregman_llama_set_on_failure(stage, BREGMAN_LLAMA_FALLBACK, report, user): the most likely allowed candidate is then
 *   selected, and bregman_llama_failures counts.
 * - llama_sampler_get_seed returns LLAMA_DEFAULT_SEED: it reads the seeds of llama.cpp's own samplers only. That value,
 *   "random" in llama.cpp, is an ordinary seed here.
 *
 * Threads: one thread at a time may use a stage, as with all samplers of llama.cpp. Different stages are independent,
 * clones too. No threads are started.
 */
#ifndef BREGMAN_LLAMA_H
#define BREGMAN_LLAMA_H

#include "bregman.h"
#include "llama.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * The layouts in llama.h that the library relies on; an error here means that this version does not support that llama.h.
 * The variables are declared for sizeof only, and not defined.
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
 * Makes a stage from a sampler, for samplers with generators, a logit bias or a history. The stage then owns `sampler`, and
 * llama_sampler_free of the stage or of its chain frees it. Returns NULL on failure (`sampler` is NULL, no memory); then the
 * caller still owns `sampler`.
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
    /* Not evaluated: checks at compile time that llama_sampler_init takes a table, const or not, and a context. */
    (void) sizeof(made = llama_sampler_init(table, stage));
    memcpy(&address, &init, sizeof address); /* ISO C has no cast from a function to a void pointer */
    if (bregman_llama_attach(address, sampler, &stage) == BREGMAN_OK) {
        memcpy(&made, &stage, sizeof made); /* valid in C and in C++ */
    }
    return made;
}

/*
 * Makes a stage from a chain and a seed, as bregman_sampler_new does. The caller owns it, and frees it with
 * llama_sampler_free, until llama_sampler_chain_add takes ownership. `error`: NULL, or a buffer of `error_size` bytes for
 * the message of a failure, cut to fit; "" on success. Returns NULL on failure (`chain` is NULL or invalid, no memory).
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
 * The message of the last call on this stage that failed, such as an apply on candidates with NaN; "" if none has. Valid
 * until the next call on the stage. For a sampler that is not a bregman stage, a static text. bregman_llama_sampler returns
 * the sampler of a stage, for bregman_sampler_reseed and bregman_sampler_set_logit_bias.
 */
static inline const char * bregman_llama_error(const struct llama_sampler * stage) {
    return bregman_sampler_error(bregman_llama_sampler(stage));
}

/* Appends a token and the tokens of the text that must follow it; returns the length of the list with them. */
static inline size_t bregman_llama_add_breaker(const struct llama_vocab * vocab, llama_token token, const char * rest,
                                               size_t rest_length, char * out, size_t size, size_t length) {
    llama_token tail[64]; /* a text has at most 40 bytes */
    int32_t n = 0;
    int32_t i;
    if (rest_length > 0) {
        n = llama_tokenize(vocab, rest, (int32_t) rest_length, tail, 64, false, false);
        n = n > 20 ? 20 : n;
    }
    length += (size_t) snprintf(length < size ? out + length : NULL, length < size ? size - length : 0, "%s%d",
                                length > 0 ? ";" : "", (int) token);
    for (i = 0; i < n; i++) {
        length += (size_t) snprintf(length < size ? out + length : NULL, length < size ? size - length : 0, " %d",
                                    (int) tail[i]);
    }
    return length;
}

/*
 * The token sequences for the parameter `breakers` of the stage dry, or `dry_sequence_breakers` of the macro llama_cpp, by the
 * rule of llama.cpp: a token that contains a text breaks a repetition off, and so does a token that ends with the beginning of
 * a text, if the tokens of the rest follow it. With the same texts the stage penalises the same tokens as
 * llama_sampler_init_dry.
 *
 * `texts`: `n` strings, of each of which the first 40 bytes count, or NULL for the default of llama.cpp's programs: newline,
 * colon, quotation mark and asterisk (`n` is not used then). The list, such as "13;25 11", is written to `out`, NUL-terminated
 * and cut to `size` bytes; returns the length of the whole list, as snprintf does, and 0 if there is none or if a token has
 * more than 4095 bytes. `out` may be NULL if `size` is 0. Reads the whole vocabulary, once for each text: call it once for a
 * model. A chain has at most 65 536 bytes.
 */
static inline size_t bregman_llama_dry_breakers(const struct llama_vocab * vocab, const char * const * texts, size_t n,
                                                char * out, size_t size) {
    static const char * const defaults[] = {"\n", ":", "\"", "*"};
    const llama_token tokens = llama_vocab_n_tokens(vocab);
    char word[4096];
    size_t length = 0;
    size_t t;
    if (size > 0) {
        out[0] = '\0';
    }
    if (texts == NULL) {
        texts = defaults;
        n = sizeof defaults / sizeof *defaults;
    }
    for (t = 0; t < n; t++) {
        const char * text = texts[t];
        const size_t all = strlen(text) < 40 ? strlen(text) : 40;
        llama_token token;
        for (token = 0; token < tokens; token++) {
            const int32_t detokenized = llama_detokenize(vocab, &token, 1, word, (int32_t) sizeof word - 1, false, true);
            size_t bytes;
            size_t at;
            int contains = 0;
            if (detokenized < 0) {
                return 0;
            }
            bytes = (size_t) detokenized;
            for (at = 0; at + all <= bytes && !contains; at++) {
                contains = all > 0 && memcmp(word + at, text, all) == 0;
            }
            if (contains) {
                length = bregman_llama_add_breaker(vocab, token, text, 0, out, size, length);
            }
            for (at = bytes >= all ? bytes - all + 1 : 0; at < bytes && !contains; at++) {
                if (memcmp(word + at, text, bytes - at) == 0) {
                    length = bregman_llama_add_breaker(vocab, token, text + (bytes - at), all - (bytes - at), out, size, length);
                }
            }
        }
    }
    return length;
}

#endif
