/* Functions for Go: those of the library through the table, with handles as numbers and no structs with pointers. */
#ifndef BREGMAN_GO_CALLS_H
#define BREGMAN_GO_CALLS_H

#include "api.h"

static inline bregman_sampler *go_handle(uintptr_t handle) { return (bregman_sampler *)handle; }

static inline uint32_t go_abi_version(void) { return bregman_go->abi_version(); }
static inline const char *go_version(void) { return bregman_go->version(); }
static inline const char *go_simd_level(void) { return bregman_go->simd_level(); }
static inline const char *go_status_text(uint32_t status) { return bregman_go->status_text(status); }

/* The stages, or the macros. */
static inline size_t go_stage_count(int macros) {
    return macros ? bregman_go->macro_count() : bregman_go->stage_count();
}

static inline uint32_t go_stage_info(int macros, size_t index, bregman_stage *out) {
    return macros ? bregman_go->macro_info(index, out) : bregman_go->stage_info(index, out);
}

static inline uint32_t go_new(const char *chain, uint64_t seed, uintptr_t *out, char *error, size_t size) {
    bregman_sampler *made = NULL;
    uint32_t status = bregman_go->sampler_new(chain, seed, &made, error, size);
    *out = (uintptr_t)made;
    return status;
}

static inline uint32_t go_load(const void *bytes, size_t len, uintptr_t *out, char *error, size_t size) {
    bregman_sampler *made = NULL;
    uint32_t status = bregman_go->sampler_load(bytes, len, NULL, 0, &made, error, size);
    *out = (uintptr_t)made;
    return status;
}

static inline uint32_t go_save(uintptr_t handle, void *bytes, size_t capacity, size_t *len) {
    return bregman_go->sampler_save(go_handle(handle), bytes, capacity, len);
}

static inline uint32_t go_rewind(uintptr_t handle, size_t n) { return bregman_go->sampler_rewind(go_handle(handle), n); }

static inline uint32_t go_where(uintptr_t handle, uint64_t *seed, uint64_t *position, size_t *history, size_t *prompt) {
    return bregman_go->sampler_where(go_handle(handle), seed, position, history, prompt);
}

static inline uint32_t go_history(uintptr_t handle, int32_t *tokens, size_t capacity, size_t *len) {
    return bregman_go->sampler_history(go_handle(handle), tokens, capacity, len);
}

static inline uint32_t go_watermark_score(const char *stage, const int32_t *tokens, size_t n, bregman_watermark *out,
                                          char *error, size_t size) {
    return bregman_go->watermark_score(stage, tokens, n, out, error, size);
}

static inline uint32_t go_clone(uintptr_t handle, uintptr_t *out) {
    bregman_sampler *made = NULL;
    uint32_t status = bregman_go->sampler_clone(go_handle(handle), &made);
    *out = (uintptr_t)made;
    return status;
}

static inline void go_free(uintptr_t handle) { bregman_go->sampler_free(go_handle(handle)); }
static inline uint32_t go_reset(uintptr_t handle) { return bregman_go->sampler_reset(go_handle(handle)); }

static inline uint32_t go_reseed(uintptr_t handle, uint64_t seed, uint64_t position) {
    return bregman_go->sampler_reseed(go_handle(handle), seed, position);
}

static inline uint32_t go_accept(uintptr_t handle, const int32_t *tokens, size_t n) {
    return bregman_go->sampler_accept(go_handle(handle), tokens, n);
}

static inline uint32_t go_set_logit_bias(uintptr_t handle, const int32_t *ids, const float *bias, size_t n) {
    return bregman_go->sampler_set_logit_bias(go_handle(handle), ids, bias, n);
}

static inline uint32_t go_set_mask(uintptr_t handle, const uint32_t *words, size_t n) {
    return bregman_go->sampler_set_mask(go_handle(handle), words, n);
}

static inline uint32_t go_set_prompt_length(uintptr_t handle, size_t n) {
    return bregman_go->sampler_set_prompt_length(go_handle(handle), n);
}

static inline size_t go_describe(uintptr_t handle, char *text, size_t size) {
    return bregman_go->sampler_describe(go_handle(handle), text, size);
}

static inline const char *go_error(uintptr_t handle) { return bregman_go->sampler_error(go_handle(handle)); }

static inline uint32_t go_decode(uintptr_t handle, const float *logits, size_t vocab, void *out) {
    return bregman_go->decode(go_handle(handle), logits, vocab, (bregman_result *)out);
}

/* The arrays of sparse rows; as parameters, and to pass them on. */
#define GO_SPARSE const int32_t *ids_of_rows, const uint32_t *lengths, const double *log_rest, const float *bound
#define GO_SPARSE_ARRAYS ids_of_rows, lengths, log_rest, bound

/* The structs have no pointers: Go must not pass memory that points to memory of Go. */
static inline bregman_batch go_rows(const bregman_batch *shape, const void *logits, const uint32_t *mask,
                                    const size_t *row_index, GO_SPARSE) {
    bregman_batch batch = *shape;
    batch.logits = logits;
    batch.mask = mask;
    batch.row_index = row_index;
    batch.ids = ids_of_rows;
    batch.lengths = lengths;
    batch.log_rest = log_rest;
    batch.bound = bound;
    return batch;
}

static inline uint32_t go_decode_batch(const uintptr_t *handles, const bregman_batch *shape, const void *logits,
                                       const uint32_t *mask, const size_t *row_index, GO_SPARSE, void *results) {
    const bregman_batch batch = go_rows(shape, logits, mask, row_index, GO_SPARSE_ARRAYS);
    return bregman_go->decode_batch((bregman_sampler *const *)handles, &batch, (bregman_result *)results);
}

static inline uint32_t go_decode_batch_answers(const uintptr_t *handles, const bregman_batch *shape, const void *logits,
                                               const uint32_t *mask, const size_t *row_index, GO_SPARSE, void *results,
                                               const bregman_answers *wanted, float *logprobs, uint32_t *ranks,
                                               int32_t *top_ids, float *top_logprobs, int32_t *kept_ids,
                                               uint32_t *kept_mask, size_t *kept_offsets, const int32_t *given_ids,
                                               float *given_logprobs, uint32_t *given_ranks, float *other_logprobs,
                                               float *other_top_logprobs) {
    const bregman_batch batch = go_rows(shape, logits, mask, row_index, GO_SPARSE_ARRAYS);
    bregman_answers answers = *wanted;
    answers.logprobs = logprobs;
    answers.ranks = ranks;
    answers.top_ids = top_ids;
    answers.top_logprobs = top_logprobs;
    answers.kept_ids = kept_ids;
    answers.kept_mask = kept_mask;
    answers.kept_offsets = kept_offsets;
    answers.given_ids = given_ids;
    answers.given_logprobs = given_logprobs;
    answers.given_ranks = given_ranks;
    answers.other_logprobs = other_logprobs;
    answers.other_top_logprobs = other_top_logprobs;
    if (!handles) { /* about the model, without samplers */
        return bregman_go->model_answers(&batch, &answers);
    }
    return bregman_go->decode_batch_answers((bregman_sampler *const *)handles, &batch, (bregman_result *)results, &answers);
}

static inline uint32_t go_distribution_batch(const uintptr_t *handles, const bregman_batch *shape, const void *logits,
                                             const uint32_t *mask, const size_t *row_index, GO_SPARSE, size_t *offsets,
                                             int32_t *ids, float *probs, size_t capacity) {
    const bregman_batch batch = go_rows(shape, logits, mask, row_index, GO_SPARSE_ARRAYS);
    return bregman_go->distribution_batch((bregman_sampler *const *)handles, &batch, offsets, ids, probs, capacity);
}

/* The drafts point to memory that Go has pinned. */
static inline uint32_t go_verify(const uintptr_t *handles, const bregman_draft *drafts, size_t sequences,
                                 const bregman_batch *shape, const void *logits, const uint32_t *mask, GO_SPARSE,
                                 uint32_t *accepted, int32_t *path, void *results) {
    const bregman_batch batch = go_rows(shape, logits, mask, NULL, GO_SPARSE_ARRAYS);
    return bregman_go->verify((bregman_sampler *const *)handles, drafts, sequences, &batch, accepted, path,
                              (bregman_result *)results);
}

static inline uint32_t go_reduce(const bregman_batch *shape, const void *logits, const uint32_t *mask, int32_t first,
                                 size_t n, float temperature, int32_t *ids, float *largest, double *log_rest, float *bound) {
    const bregman_batch batch = go_rows(shape, logits, mask, NULL, NULL, NULL, NULL, NULL);
    return bregman_go->reduce(&batch, first, n, temperature, ids, largest, log_rest, bound);
}

static inline uint32_t go_top_logprobs(uintptr_t handle, const float *logits, size_t vocab, uint32_t source, size_t n,
                                       int32_t *ids, float *logprobs, size_t *len) {
    return bregman_go->top_logprobs(go_handle(handle), logits, vocab, source, n, ids, logprobs, len);
}

static inline uint32_t go_draw_many(uintptr_t handle, const float *logits, size_t vocab, size_t n, int32_t *ids,
                                    float *logprobs, float *scores, size_t *len) {
    return bregman_go->draw_many(go_handle(handle), logits, vocab, n, ids, logprobs, scores, len);
}

static inline uint32_t go_distribution(uintptr_t handle, const float *logits, size_t vocab, int32_t *ids, float *probs,
                                       size_t capacity, size_t *len) {
    return bregman_go->distribution(go_handle(handle), logits, vocab, ids, probs, capacity, len);
}

static inline uint32_t go_process(uintptr_t handle, float *logits, size_t vocab) {
    return bregman_go->process(go_handle(handle), logits, vocab);
}

static inline uint32_t go_apply(uintptr_t handle, void *data, size_t *size, int64_t *selected, uint8_t *sorted) {
    bregman_candidates candidates = {(bregman_candidate *)data, *size, *selected, *sorted};
    uint32_t status = bregman_go->apply(go_handle(handle), &candidates);
    *size = candidates.size;
    *selected = candidates.selected;
    *sorted = candidates.sorted;
    return status;
}

static inline uintptr_t go_llama_iface(void) { return (uintptr_t)bregman_go->llama_iface(); }

/* Calls the host's llama_sampler_init, which does not call Go. */
static inline uint32_t go_llama_attach(uintptr_t init, uintptr_t handle, uintptr_t *out) {
    void *made = NULL;
    uint32_t status = bregman_go->llama_attach((const void *)init, go_handle(handle), &made);
    *out = (uintptr_t)made;
    return status;
}

static inline uintptr_t go_llama_sampler(uintptr_t stage) {
    return (uintptr_t)bregman_go->llama_sampler((const void *)stage);
}

static inline uint32_t go_llama_set_on_failure(uintptr_t stage, uint32_t on_failure) {
    return bregman_go->llama_set_on_failure((void *)stage, on_failure, NULL, NULL);
}

static inline uint32_t go_llama_failures(uintptr_t stage, uint64_t *out) {
    return bregman_go->llama_failures((const void *)stage, out);
}

#endif
