/*
 * bregman: turns rows of LLM logits into tokens. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Generated from src/ffi by `make header`; do not edit.
 *
 * Every function that can fail returns a status (BREGMAN_OK or another), writes its outputs only where it says so, and
 * changes nothing when it fails. The message is on the handle: bregman_sampler_error. Pointers are checked for NULL and
 * alignment, lengths, enums and struct sizes for their ranges; what a pointer that is not NULL points to is the
 * caller's word. Nothing that is returned has to be freed but handles. The library writes nothing to stdout, and to
 * stderr only the report of a defect of its own (BREGMAN_INTERNAL); it starts no threads unless a batch asks for them,
 * and lets no panic out. Do not unload it once a batch had threads.
 *
 * Threads: a handle belongs to one thread at a time, different handles are independent, and functions without a handle
 * may be called from anywhere.
 *
 * Promise: the same chain, seed, position and logits give the same token, bit for bit, on every instruction set, with
 * any number of threads, in any batch.
 */


#ifndef BREGMAN_H
#define BREGMAN_H

#include <stddef.h>
#include <stdint.h>

/**
 * Kind of parameter: a number from `min` to `max`, in decimal, such as 0.8 or 1e-3, or inf if `max` is infinite.
 */
#define BREGMAN_KIND_NUMBER 0

/**
 * Kind of parameter: a whole number from `min` to `max`.
 */
#define BREGMAN_KIND_COUNT 1

/**
 * Kind of parameter: one of the words in `choices`.
 */
#define BREGMAN_KIND_CHOICE 2

/**
 * Kind of parameter: a name given by the host, such as that of a generator.
 */
#define BREGMAN_KIND_NAME 3

/**
 * Kind of parameter: token ids, separated by spaces, such as "2 32000".
 */
#define BREGMAN_KIND_TOKENS 4

/**
 * Kind of parameter: token sequences, separated by semicolons, such as "13; 25 11".
 */
#define BREGMAN_KIND_SEQUENCES 5

/**
 * Kind of parameter: token:bias pairs, separated by spaces, such as "15:-2.5 30:-inf".
 */
#define BREGMAN_KIND_BIASES 6

/**
 * Version of the binary interface; the shared library's SONAME follows it. Functions and trailing struct fields may
 * be added within a version, nothing changes its meaning.
 */
#define BREGMAN_ABI_VERSION 1

/**
 * Status: the call did what it says.
 */
#define BREGMAN_OK 0

/**
 * Status: an argument is NULL, misaligned, out of range or in use by another call.
 */
#define BREGMAN_INVALID_ARGUMENT 1

/**
 * Status: the chain's text does not parse, or a parameter in it is out of its range.
 */
#define BREGMAN_INVALID_CHAIN 2

/**
 * Status: a logit that may be sampled is NaN or +infinity.
 */
#define BREGMAN_INVALID_LOGITS 3

/**
 * Status: every token is masked or -infinity.
 */
#define BREGMAN_EMPTY_SUPPORT 4

/**
 * Status: a user's generator led to no solution, or returned NaN.
 */
#define BREGMAN_NO_CONVERGENCE 5

/**
 * Status: the caller's buffers cannot hold the answer; its length was reported.
 */
#define BREGMAN_BUFFER_TOO_SMALL 6

/**
 * Status: valid, but not with this chain, this version or on this machine.
 */
#define BREGMAN_UNSUPPORTED 7

/**
 * Status: a defect of this library, caught before it could reach the caller.
 */
#define BREGMAN_INTERNAL 8

/**
 * Number format of logits: IEEE single precision, 4-byte aligned.
 */
#define BREGMAN_F32 0

/**
 * Number format of logits: IEEE half precision, 2-byte aligned.
 */
#define BREGMAN_F16 1

/**
 * Number format of logits: bfloat16, 2-byte aligned.
 */
#define BREGMAN_BF16 2

/**
 * Flag: fill `bregman_result.kept_mass`.
 */
#define BREGMAN_WANT_KEPT_MASS 1

/**
 * Flag: fill `bregman_result.model_logprob`.
 */
#define BREGMAN_WANT_MODEL_LOGPROB 2

/**
 * Flag: fill `bregman_result.entropy`.
 */
#define BREGMAN_WANT_ENTROPY 4

/**
 * Flag: accept each drawn token into its sampler's history.
 */
#define BREGMAN_ACCEPT 8

/**
 * Log-probabilities: the model's, of the untouched logits (no mask, no bias, no stage, temperature 1).
 */
#define BREGMAN_OF_MODEL 0

/**
 * Log-probabilities: those of the decoded distribution.
 */
#define BREGMAN_OF_DECODED 1

/**
 * A chain and the state of one sequence: random seed and position, history, logit bias. Opaque.
 *
 * One thread at a time may use a handle; different handles are independent, also those cloned from one another. A
 * call that finds its handle in use by another call fails with BREGMAN_INVALID_ARGUMENT and changes nothing.
 */
typedef struct bregman_sampler bregman_sampler;

/**
 * A parameter of a stage. All texts are static, NUL-terminated UTF-8 and never NULL.
 */
typedef struct bregman_parameter {
    /**
     * Its name in a chain.
     */
    const char *name;
    /**
     * Other names that are accepted, separated by commas; "" for none.
     */
    const char *aliases;
    /**
     * What it does, in one sentence.
     */
    const char *summary;
    /**
     * Its value if it is not given, as text; "" if there is no default.
     */
    const char *default_value;
    /**
     * The words that a BREGMAN_KIND_CHOICE accepts, separated by commas; otherwise "".
     */
    const char *choices;
    /**
     * Smallest value of a BREGMAN_KIND_NUMBER or BREGMAN_KIND_COUNT; otherwise 0.
     */
    double min;
    /**
     * Largest value of a BREGMAN_KIND_NUMBER or BREGMAN_KIND_COUNT; otherwise 0.
     */
    double max;
    /**
     * One of BREGMAN_KIND_.
     */
    uint32_t kind;
    /**
     * 1 if `min` itself is not accepted, otherwise 0.
     */
    uint32_t min_excluded;
    /**
     * 1 if it must be given, otherwise 0.
     */
    uint32_t required;
    /**
     * 0 for no group, or the number of a group, from 1. Parameters of a stage in the same group exclude each other,
     * and one of them must be given unless one has a default.
     */
    uint32_t group;
} bregman_parameter;

/**
 * A stage, or a macro, that a chain can name. All texts are static, NUL-terminated UTF-8 and never NULL.
 */
typedef struct bregman_stage {
    /**
     * sizeof(bregman_stage), set by the caller before the call.
     */
    uint32_t struct_size;
    /**
     * 1 if it draws a token, and therefore ends a chain; otherwise 0. 1 for every macro.
     */
    uint32_t draws;
    /**
     * 1 if it learns: its draw depends on the tokens that it drew before. Otherwise 0. A stage that learns works only
     * where bregman draws (bregman_decode, bregman_apply), not where the host draws from the result of
     * bregman_process or bregman_distribution; seed, position and history do not resume it. For a macro, 1 if one of
     * the stages that it can stand for learns; bregman_sampler_describe shows the stages of a given chain.
     */
    uint32_t learns;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Its name in a chain.
     */
    const char *name;
    /**
     * Other names that are accepted, separated by commas; "" for none.
     */
    const char *aliases;
    /**
     * What it does, in one sentence.
     */
    const char *summary;
    /**
     * The paper or project that defines it.
     */
    const char *source;
    /**
     * Its parameters, a static array of `parameter_count` elements; the first may be given without its name. Element
     * i is at `(const char *)parameters + i * parameter_size`.
     */
    const struct bregman_parameter *parameters;
    /**
     * Number of parameters.
     */
    size_t parameter_count;
    /**
     * sizeof(bregman_parameter) in the library. It may be larger than in this header.
     */
    size_t parameter_size;
} bregman_stage;

/**
 * A callback on a vector: writes a function of x[0..n) to out[0..n). `user` is the generator's own.
 *
 * It must be a pure function of x, must return normally (no longjmp, no C++ exception), and may be called from any
 * thread and from several at a time: a batch decodes rows in parallel.
 */
typedef void (*bregman_vector_fn)(void *user, const double *x, double *out, size_t n);

/**
 * The generator φ of a Bregman divergence, on [0, 1]: strictly convex, φ(0) finite. Constants and linear terms of φ
 * do not matter.
 */
typedef struct bregman_generator {
    /**
     * sizeof(bregman_generator): in an array, the same for all.
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The name by which the chain refers to it: NUL-terminated UTF-8, copied.
     */
    const char *name;
    /**
     * Handed to each callback; may be NULL.
     */
    void *user;
    /**
     * φ(x).
     */
    bregman_vector_fn phi;
    /**
     * f(x) = φ'(x), strictly increasing. f(0) may be -infinity for the primal and must be finite for the dual.
     */
    bregman_vector_fn f;
    /**
     * The inverse of f, on [f(0), f(1)].
     */
    bregman_vector_fn f_inverse;
    /**
     * f'(x), with x f'(x) nondecreasing: for the dual only, else NULL.
     */
    bregman_vector_fn f_prime;
} bregman_generator;

/**
 * One row's answer.
 */
typedef struct bregman_result {
    /**
     * The token's id; -1 unless `status` is BREGMAN_OK.
     */
    int32_t token;
    /**
     * BREGMAN_OK, or why this row has no token. The text is on the row's sampler: bregman_sampler_error.
     */
    uint32_t status;
    /**
     * Number of tokens with positive probability under the decoded distribution: k*. 0 without a token.
     */
    uint32_t support;
    /**
     * The token's probability under the decoded distribution, in (0, 1]; NaN without a token.
     */
    float p;
    /**
     * The model's mass on the support, in (0, 1], at the temperature that the first truncating stage saw; NaN unless
     * BREGMAN_WANT_KEPT_MASS.
     */
    float kept_mass;
    /**
     * Natural logarithm of the token's probability under the untouched logits (no mask, no bias, temperature 1); NaN
     * unless BREGMAN_WANT_MODEL_LOGPROB.
     */
    float model_logprob;
    /**
     * Entropy of the decoded distribution in nats; NaN unless BREGMAN_WANT_ENTROPY.
     */
    float entropy;
    /**
     * 0.
     */
    uint32_t reserved;
} bregman_result;

/**
 * Rows of logits to decode in one call: one base pointer and a stride.
 */
typedef struct bregman_batch {
    /**
     * sizeof(bregman_batch). A larger struct of a later version is taken if the fields unknown here are zero.
     */
    uint32_t struct_size;
    /**
     * BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16.
     */
    uint32_t dtype;
    /**
     * Row r begins at `logits` + r * `row_stride` elements. Read, never written.
     */
    const void *logits;
    /**
     * Number of rows; 0 does nothing.
     */
    size_t rows;
    /**
     * Logits a row, from 1 to INT32_MAX.
     */
    size_t vocab;
    /**
     * Elements from the start of one row to the start of the next, at least `vocab`.
     */
    size_t row_stride;
    /**
     * NULL, or for each row `mask_stride` words in which token t is bit t % 32 of word t / 32 and a set bit allows it
     * (the layout of llguidance and xgrammar).
     */
    const uint32_t *mask;
    /**
     * Words from one row's mask to the next, at least 1; tokens beyond them are banned. Unused without a mask.
     */
    size_t mask_stride;
    /**
     * BREGMAN_WANT_KEPT_MASS, BREGMAN_WANT_MODEL_LOGPROB, BREGMAN_WANT_ENTROPY, BREGMAN_ACCEPT, or'ed; 0 for none.
     */
    uint32_t flags;
    /**
     * 0 or 1: the caller's thread decodes all rows. n: up to n threads of a pool of this library's own, made when it
     * is first asked for. The answers are the same.
     */
    uint32_t threads;
} bregman_batch;

/**
 * One candidate of an engine's own array, laid out as llama.cpp's `llama_token_data`.
 */
typedef struct bregman_candidate {
    /**
     * Token id.
     */
    int32_t id;
    /**
     * Logit.
     */
    float logit;
    /**
     * Probability; only written, never read.
     */
    float p;
} bregman_candidate;

/**
 * An array of candidates, laid out as llama.cpp's llama_token_data_array.
 */
typedef struct bregman_candidates {
    /**
     * The candidates: changed in place, never moved elsewhere.
     */
    struct bregman_candidate *data;
    /**
     * How many there are, at least 1; never 0 after a call that succeeded.
     */
    size_t size;
    /**
     * Position in `data` of the token that was taken; -1 for none.
     */
    int64_t selected;
    /**
     * Not 0 if the candidates are in descending order of logit. Only written, never trusted.
     */
    uint8_t sorted;
} bregman_candidates;

/**
 * What bregman_decode_batch_answers is to tell besides the tokens, and where it writes that. Every array may be NULL,
 * which asks for nothing; those that are not must not overlap. A row that fails leaves its places as they were.
 */
typedef struct bregman_answers {
    /**
     * sizeof(bregman_answers). A larger struct of a later version is taken if the fields unknown here are zero.
     */
    uint32_t struct_size;
    /**
     * Whose log-probabilities and ranks: BREGMAN_OF_MODEL or BREGMAN_OF_DECODED.
     */
    uint32_t source;
    /**
     * NULL, or for each row the log-probability of its token; NaN if the untouched logits have none (NaN or +infinity
     * under the mask).
     */
    float *logprobs;
    /**
     * NULL, or for each row the rank of its token: how many tokens are at least as likely, itself among them. 0 where
     * the log-probability is NaN.
     */
    uint32_t *ranks;
    /**
     * How many of the most likely tokens to tell of each row.
     */
    size_t top;
    /**
     * Elements from one row's most likely tokens to the next row's, at least `top`.
     */
    size_t top_stride;
    /**
     * NULL, or the most likely tokens in descending order (ties: ascending id); -1 where there are no more.
     */
    int32_t *top_ids;
    /**
     * NULL, or their log-probabilities; -infinity where there are no more, NaN if the untouched logits have none.
     */
    float *top_logprobs;
    /**
     * How many of the kept tokens to tell of each row at the most; `bregman_result.support` says how many there are.
     */
    size_t kept;
    /**
     * Elements from one row's kept tokens to the next row's, at least `kept`.
     */
    size_t kept_stride;
    /**
     * NULL, or the tokens with positive probability, the most likely first; -1 where there are no more.
     */
    int32_t *kept_ids;
    /**
     * NULL, or for each row `kept_mask_stride` words in which the bits of the tokens with positive probability are
     * set: token t is bit t % 32 of word t / 32. Tokens beyond the words are left out.
     */
    uint32_t *kept_mask;
    /**
     * Words from one row's mask to the next row's.
     */
    size_t kept_mask_stride;
} bregman_answers;

/**
 * Every function of this library, each under its name without the prefix `bregman_`; what it does is said at the
 * function itself. Static.
 *
 * The table grows at its end as functions are added. A host built against a later header than the library's asks
 * before it calls one of those: field `f` is there if `offsetof(bregman_api, f) < api->struct_size`.
 */
typedef struct bregman_api {
    /**
     * sizeof(bregman_api) in the library, which may be less or more than in this header.
     */
    uint32_t struct_size;
    /**
     * BREGMAN_ABI_VERSION in the library.
     */
    uint32_t abi;
    /**
     * bregman_abi_version
     */
    uint32_t (*abi_version)(void);
    /**
     * bregman_version
     */
    const char *(*version)(void);
    /**
     * bregman_simd_level
     */
    const char *(*simd_level)(void);
    /**
     * bregman_status_text
     */
    const char *(*status_text)(uint32_t status);
    /**
     * bregman_stage_count
     */
    size_t (*stage_count)(void);
    /**
     * bregman_stage_info
     */
    uint32_t (*stage_info)(size_t index, struct bregman_stage *out);
    /**
     * bregman_sampler_new
     */
    uint32_t (*sampler_new)(const char *chain,
                            uint64_t seed,
                            struct bregman_sampler **out,
                            char *error,
                            size_t error_size);
    /**
     * bregman_sampler_new_with_generators
     */
    uint32_t (*sampler_new_with_generators)(const char *chain,
                                            uint64_t seed,
                                            const struct bregman_generator *generators,
                                            size_t n,
                                            struct bregman_sampler **out,
                                            char *error,
                                            size_t error_size);
    /**
     * bregman_sampler_clone
     */
    uint32_t (*sampler_clone)(const struct bregman_sampler *sampler, struct bregman_sampler **out);
    /**
     * bregman_sampler_free
     */
    void (*sampler_free)(struct bregman_sampler *sampler);
    /**
     * bregman_sampler_reset
     */
    uint32_t (*sampler_reset)(struct bregman_sampler *sampler);
    /**
     * bregman_sampler_reseed
     */
    uint32_t (*sampler_reseed)(struct bregman_sampler *sampler, uint64_t seed, uint64_t position);
    /**
     * bregman_sampler_accept
     */
    uint32_t (*sampler_accept)(struct bregman_sampler *sampler, const int32_t *tokens, size_t n);
    /**
     * bregman_sampler_set_logit_bias
     */
    uint32_t (*sampler_set_logit_bias)(struct bregman_sampler *sampler, const int32_t *ids, const float *bias, size_t n);
    /**
     * bregman_sampler_describe
     */
    size_t (*sampler_describe)(const struct bregman_sampler *sampler, char *text, size_t size);
    /**
     * bregman_sampler_error
     */
    const char *(*sampler_error)(const struct bregman_sampler *sampler);
    /**
     * bregman_decode
     */
    uint32_t (*decode)(struct bregman_sampler *sampler, const float *logits, size_t vocab, struct bregman_result *out);
    /**
     * bregman_decode_batch
     */
    uint32_t (*decode_batch)(struct bregman_sampler *const *samplers,
                             const struct bregman_batch *batch,
                             struct bregman_result *results);
    /**
     * bregman_distribution
     */
    uint32_t (*distribution)(struct bregman_sampler *sampler,
                             const float *logits,
                             size_t vocab,
                             int32_t *ids,
                             float *probs,
                             size_t capacity,
                             size_t *len);
    /**
     * bregman_process
     */
    uint32_t (*process)(struct bregman_sampler *sampler, float *logits, size_t vocab);
    /**
     * bregman_apply
     */
    uint32_t (*apply)(struct bregman_sampler *sampler, struct bregman_candidates *candidates);
    /**
     * bregman_llama_iface
     */
    const void *(*llama_iface)(void);
    /**
     * bregman_llama_attach
     */
    uint32_t (*llama_attach)(const void *llama_sampler_init, struct bregman_sampler *sampler, void **out);
    /**
     * bregman_llama_sampler
     */
    struct bregman_sampler *(*llama_sampler)(const void *llama_sampler);
    /**
     * bregman_macro_count
     */
    size_t (*macro_count)(void);
    /**
     * bregman_macro_info
     */
    uint32_t (*macro_info)(size_t index, struct bregman_stage *out);
    /**
     * bregman_sampler_set_prompt_length
     */
    uint32_t (*sampler_set_prompt_length)(struct bregman_sampler *sampler, size_t n);
    /**
     * bregman_sampler_set_mask
     */
    uint32_t (*sampler_set_mask)(struct bregman_sampler *sampler, const uint32_t *words, size_t n);
    /**
     * bregman_decode_batch_answers
     */
    uint32_t (*decode_batch_answers)(struct bregman_sampler *const *samplers,
                                     const struct bregman_batch *batch,
                                     struct bregman_result *results,
                                     const struct bregman_answers *answers);
    /**
     * bregman_top_logprobs
     */
    uint32_t (*top_logprobs)(struct bregman_sampler *sampler,
                             const float *logits,
                             size_t vocab,
                             uint32_t source,
                             size_t n,
                             int32_t *ids,
                             float *logprobs,
                             size_t *len);
    /**
     * bregman_draw_many
     */
    uint32_t (*draw_many)(struct bregman_sampler *sampler,
                          const float *logits,
                          size_t vocab,
                          size_t n,
                          int32_t *ids,
                          float *logprobs,
                          float *scores,
                          size_t *len);
} bregman_api;

/**
 * The type of bregman_get_api: what a host makes of the address that `dlsym` gave it.
 */
typedef const struct bregman_api *(*bregman_get_api_fn)(uint32_t abi);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The most likely tokens of one row. Draws nothing and advances nothing.
 *
 * `source`: BREGMAN_OF_MODEL (the chain is not asked) or BREGMAN_OF_DECODED. `ids` and `logprobs` have `n` elements
 * and receive `*len` entries in descending order (ties: ascending id); `*len` is `n`, or the number of tokens that
 * have a positive probability if that is smaller, and -1 and -infinity fill the rest. BREGMAN_INVALID_ARGUMENT
 * (source, NULL, misaligned, vocab); other errors as bregman_decode.
 */
uint32_t bregman_top_logprobs(struct bregman_sampler *sampler,
                              const float *logits,
                              size_t vocab,
                              uint32_t source,
                              size_t n,
                              int32_t *ids,
                              float *logprobs,
                              size_t *len);

/**
 * The one symbol that a host which loads the library at run time has to look up: the table of all functions, as
 * version `abi` of the binary interface has it (the host's BREGMAN_ABI_VERSION). Static, the same at every call.
 * NULL if this library does not serve that version. Thread-safe.
 */
const struct bregman_api *bregman_get_api(uint32_t abi);

/**
 * Applies the chain to an engine's candidates in place, as one stage of the engine's own chain.
 *
 * The candidates may be in any order and any subset of the vocabulary; `p` is not read. If the chain drops tokens, the
 * kept ones are moved to the front in descending order (`size` shrinks, `sorted` becomes 1, `selected` -1) with `p`
 * filled in; else the array keeps its order. Logits stay the engine's own, divided by the temperature; after a
 * bregman stage with alpha other than 1 they are ln p, so that a later softmax gives the decoded distribution back.
 * If the chain ends with a drawing stage, `selected` is the position of its token and every `p` is filled in.
 *
 * Advances the random position by one. A failed call changes nothing. BREGMAN_INVALID_ARGUMENT (NULL, misaligned),
 * BREGMAN_EMPTY_SUPPORT (`size` 0, all -infinity), BREGMAN_INVALID_LOGITS, BREGMAN_NO_CONVERGENCE.
 */
uint32_t bregman_apply(struct bregman_sampler *sampler, struct bregman_candidates *candidates);

/**
 * Decodes `batch->rows` rows: row r with `samplers[r]` into `results[r]`. `samplers` and `results` have `batch->rows`
 * elements.
 *
 * Each row has a sampler of its own, and advances it as bregman_decode does. Rows are independent: the failure of one
 * does not affect the others, and neither the order of the rows nor the number of threads changes a token. If a
 * sampler is in the batch twice, its first row is decoded and the others fail with BREGMAN_INVALID_ARGUMENT.
 *
 * Returns the status of the first row that failed, or BREGMAN_OK. `results[r].status` is the status of row r; its
 * message is on `samplers[r]`. A row that fails advances nothing. If a field of the batch is invalid
 * (BREGMAN_INVALID_ARGUMENT: logits or mask NULL or misaligned, dtype, flags, vocab, a stride), every row gets that
 * status and every sampler the message. If the batch cannot be read (BREGMAN_INVALID_ARGUMENT: batch, samplers or
 * results NULL or misaligned, struct_size; BREGMAN_UNSUPPORTED: fields of a later version are set), nothing is
 * written.
 */
uint32_t bregman_decode_batch(struct bregman_sampler *const *samplers,
                              const struct bregman_batch *batch,
                              struct bregman_result *results);

/**
 * bregman_decode_batch with more answers about the rows and tokens that it decodes. Tokens, results and the state of
 * the samplers afterwards are the same as without them.
 *
 * Errors as bregman_decode_batch. If a field of `answers` is invalid (BREGMAN_INVALID_ARGUMENT: source, a misaligned
 * array, a stride that is too small), every row gets that status and every sampler the message. If `answers` cannot
 * be read (NULL, misaligned, struct_size; BREGMAN_UNSUPPORTED: fields of a later version are set), nothing is written.
 */
uint32_t bregman_decode_batch_answers(struct bregman_sampler *const *samplers,
                                      const struct bregman_batch *batch,
                                      struct bregman_result *results,
                                      const struct bregman_answers *answers);

/**
 * The number of stages that a chain can name. Thread-safe.
 */
size_t bregman_stage_count(void);

/**
 * Describes stage `index`, from 0 to bregman_stage_count() - 1, in `*out`, whose `struct_size` the caller sets before.
 * The texts and parameters it points to are static. Fields of a later version than the library's stay as they were.
 * Thread-safe.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (`out` NULL or misaligned, struct_size too small, no such stage).
 */
uint32_t bregman_stage_info(size_t index, struct bregman_stage *out);

/**
 * The number of macros that a chain can name. A macro is the name of an engine, such as llama_cpp, and stands for that
 * engine's stages in its order with its defaults. Thread-safe.
 */
size_t bregman_macro_count(void);

/**
 * bregman_stage_info for macro `index`, from 0 to bregman_macro_count() - 1. A macro ends a chain. Thread-safe.
 */
uint32_t bregman_macro_info(size_t index, struct bregman_stage *out);

/**
 * Decodes one row of `vocab` f32 logits into a token and advances the random position by one; nothing is accepted
 * into the history (bregman_sampler_accept). The logits are only read. A failed call advances nothing, and `out`
 * (unless NULL) then has token -1 and the status.
 *
 * BREGMAN_INVALID_ARGUMENT (NULL, misaligned, vocab 0 or above INT32_MAX), BREGMAN_INVALID_LOGITS (NaN, +infinity),
 * BREGMAN_EMPTY_SUPPORT (all -infinity), BREGMAN_NO_CONVERGENCE (a user's generator), BREGMAN_UNSUPPORTED (the chain
 * has no drawing stage).
 */
uint32_t bregman_decode(struct bregman_sampler *sampler, const float *logits, size_t vocab, struct bregman_result *out);

/**
 * The decoded distribution of one row: what a drawing stage at the chain's end would draw from (one token if it is
 * greedy). Draws nothing and advances nothing.
 *
 * `ids` and `probs` receive `*len` entries in descending order of probability (ties: ascending id); `capacity` is the
 * length of both. If it is too small, `*len` receives the number of entries, nothing else is written, and the status
 * is BREGMAN_BUFFER_TOO_SMALL; with `capacity` 0 both may be NULL. Probabilities sum to 1 up to f32's rounding. A
 * chain that drops no token has a support as large as the vocabulary, which this call sorts. Errors as
 * bregman_decode.
 */
uint32_t bregman_distribution(struct bregman_sampler *sampler,
                              const float *logits,
                              size_t vocab,
                              int32_t *ids,
                              float *probs,
                              size_t capacity,
                              size_t *len);

/**
 * Replaces one row's logits by ln p of the decoded distribution, -infinity off the support: for hosts that draw for
 * themselves. Draws nothing and advances nothing; a failed call leaves the logits as they were. The chain may end
 * with a drawing stage or not; temperature belongs into it, not behind it. Errors as bregman_decode.
 */
uint32_t bregman_process(struct bregman_sampler *sampler, float *logits, size_t vocab);

/**
 * Draws `n` different tokens from one row's decoded distribution: without replacement, each in proportion to its
 * probability among those that are left. For best-of-n, for beams that are sampled, for several children of a node.
 *
 * `ids` and `logprobs` receive `*len` entries in the order in which they were drawn; `*len` is `n`, or the support if
 * that is smaller. `logprobs` are ln p under the decoded distribution. `scores` (NULL if not wanted) are these with
 * the token's Gumbel noise added, by which the draw is ordered. All arrays have `n` elements.
 *
 * The noise depends on seed, position and token id alone: the first token is the one that the same chain with `gumbel`
 * at its end decodes at this position, and a larger `n` appends. A drawing stage at the chain's end is not asked for a
 * token (`greedy` leaves one token, though). Advances the random position by one; accepts nothing.
 * BREGMAN_INVALID_ARGUMENT if `n` is 0; other errors as bregman_decode.
 */
uint32_t bregman_draw_many(struct bregman_sampler *sampler,
                           const float *logits,
                           size_t vocab,
                           size_t n,
                           int32_t *ids,
                           float *logprobs,
                           float *scores,
                           size_t *len);

/**
 * The version of the binary interface that this library has: BREGMAN_ABI_VERSION of the header it was built with.
 * Compare before anything else. Thread-safe.
 */
uint32_t bregman_abi_version(void);

/**
 * The version of the library, such as "0.1.0": a static string. Thread-safe.
 */
const char *bregman_version(void);

/**
 * The instruction set in use, "avx512", "avx2", "neon" or "scalar": a static string. The environment variable
 * BREGMAN_SIMD, read once, lowers it; if it names no level of this build and machine, this is "" and every sampler's
 * creation fails with BREGMAN_UNSUPPORTED. Thread-safe.
 */
const char *bregman_simd_level(void);

/**
 * A status in words, such as "invalid argument": a static string, "unknown status" for any other number. What exactly
 * was wrong is on the handle: bregman_sampler_error. Thread-safe.
 */
const char *bregman_status_text(uint32_t status);

/**
 * The callbacks of a bregman stage as a `struct llama_sampler_i`: name, accept, apply, reset, clone, free, and NULL in
 * all further slots of a table of 32, so that a host of any version may read it. Static. For hosts that call
 * llama_sampler_init themselves; its `ctx` is made by bregman_llama_attach only.
 */
const void *bregman_llama_iface(void);

/**
 * Makes a sampler a stage of llama.cpp: calls the host's `llama_sampler_init` and returns its `struct llama_sampler *`
 * in `*out`, ready for llama_sampler_chain_add. No llama.h is needed, and any llama.cpp since 2025-02 will do.
 *
 * `llama_sampler_init`: the address of that function in the host's libllama. `sampler`: on success it belongs to the
 * stage and is freed by llama_sampler_free (or with its chain); on failure it still belongs to the caller. `out` is
 * untouched on failure.
 *
 * The stage applies as bregman_apply does, accepts tokens into the history, and clones with all its state.
 * llama_sampler_apply has no way to report an error: a failed apply leaves the candidates as they were, and its
 * message is on the handle (bregman_llama_sampler, bregman_sampler_error). A chain that ends with a drawing stage
 * selects; it then stands last in llama.cpp's chain.
 *
 * BREGMAN_INVALID_ARGUMENT (NULL), BREGMAN_INTERNAL (llama_sampler_init returned NULL).
 */
uint32_t bregman_llama_attach(const void *llama_sampler_init, struct bregman_sampler *sampler, void **out);

/**
 * The sampler with_sampler a stage that bregman_llama_attach made (or a clone of one), still owned by the stage: for
 * bregman_sampler_error, bregman_sampler_reseed, bregman_sampler_set_logit_bias. NULL for any other llama_sampler and
 * for NULL.
 */
struct bregman_sampler *bregman_llama_sampler(const void *llama_sampler);

/**
 * Creates a sampler from a chain such as "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", at position 0 of
 * the random numbers of `seed`. There is no seed that means "random": the same seed gives the same tokens, always.
 *
 * `chain`: NUL-terminated UTF-8, read during the call only. `out`: receives the handle, to be freed with
 * bregman_sampler_free; untouched on failure. `error`: NULL, or `error_size` bytes that receive the message of a
 * failure, cut to fit. Thread-safe.
 *
 * BREGMAN_INVALID_ARGUMENT (NULL), BREGMAN_INVALID_CHAIN (the message names the stage, the parameter and its range),
 * BREGMAN_UNSUPPORTED (an alpha outside the range in which the solver is proven; BREGMAN_SIMD names no level).
 */
uint32_t bregman_sampler_new(const char *chain,
                             uint64_t seed,
                             struct bregman_sampler **out,
                             char *error,
                             size_t error_size);

/**
 * The same for a chain that names generators of divergences: "bregman(generator=mine, lambda=0.01) | draw".
 *
 * `generators`: `n` of them, read during the call only; their callbacks and `user` pointers must stay valid until the
 * last sampler made from this one (clones included) is freed. Each generator that the chain uses is checked on a grid
 * here: BREGMAN_INVALID_CHAIN with what is wrong with it. Thread-safe if the callbacks are.
 */
uint32_t bregman_sampler_new_with_generators(const char *chain,
                                             uint64_t seed,
                                             const struct bregman_generator *generators,
                                             size_t n,
                                             struct bregman_sampler **out,
                                             char *error,
                                             size_t error_size);

/**
 * Creates an independent sampler in the same state: chain, seed, random position, history, logit bias and mask
 * included. `out` receives the handle, to be freed with bregman_sampler_free; untouched on failure.
 *
 * BREGMAN_INVALID_ARGUMENT if either is NULL or the handle is in use.
 */
uint32_t bregman_sampler_clone(const struct bregman_sampler *sampler, struct bregman_sampler **out);

/**
 * Frees a sampler. NULL is fine. The handle, and what bregman_sampler_error returned for it, is dead afterwards.
 */
void bregman_sampler_free(struct bregman_sampler *sampler);

/**
 * Back to as created: the seed of creation, position 0, no history, no logit bias, no mask.
 */
uint32_t bregman_sampler_reset(struct bregman_sampler *sampler);

/**
 * Continues with the random numbers of `seed` at `position`. The position counts what the sampler decoded or applied:
 * it starts at 0 and every call that succeeded moved it by one. So `position` = number of tokens so far resumes a
 * sequence, on any machine.
 */
uint32_t bregman_sampler_reseed(struct bregman_sampler *sampler, uint64_t seed, uint64_t position);

/**
 * Appends `n` tokens to the history that stages about repetition look at: the prompt's, and each token that the
 * sequence went on with (BREGMAN_ACCEPT does that for drawn ones). `tokens` may be NULL if `n` is 0. What is accepted
 * before the first row is the prompt: bregman_sampler_set_prompt_length.
 *
 * BREGMAN_INVALID_ARGUMENT if one is negative; then none is taken.
 */
uint32_t bregman_sampler_accept(struct bregman_sampler *sampler, const int32_t *tokens, size_t n);

/**
 * Replaces the logit bias: `bias[i]` is added to the logit of token `ids[i]` before any stage; -infinity bans the
 * token, whatever its logit is. `n` = 0 removes the bias. Ids beyond a row's vocabulary are ignored there. The arrays
 * are copied.
 *
 * BREGMAN_INVALID_ARGUMENT if an id is negative or named twice, or a bias is NaN or +infinity; then the old bias
 * stays.
 */
uint32_t bregman_sampler_set_logit_bias(struct bregman_sampler *sampler,
                                        const int32_t *ids,
                                        const float *bias,
                                        size_t n);

/**
 * Writes the chain in its canonical form, which bregman_sampler_new takes again: NUL-terminated, cut to `size` bytes.
 * Returns its length without the terminator, however small the buffer (as snprintf does); `text` may be NULL if
 * `size` is 0. Returns 0 for a NULL handle or one in use.
 */
size_t bregman_sampler_describe(const struct bregman_sampler *sampler, char *text, size_t size);

/**
 * The message of the last failing call on this handle: a NUL-terminated text that lives until the next call on the
 * handle; "" if none has failed. For a NULL handle, a fixed text that says so.
 */
const char *bregman_sampler_error(const struct bregman_sampler *sampler);

/**
 * Says that the first `n` tokens of the history are the prompt and the others output, for a sequence that is resumed.
 * Stages with scope=output look at the output only.
 *
 * Without this call the prompt is what was accepted before the first row was looked at: before the first
 * bregman_decode, bregman_apply, bregman_process, bregman_distribution, bregman_draw_many (or a batch of these) that
 * succeeded since creation or the last reset. BREGMAN_INVALID_ARGUMENT if the history has not so many tokens.
 */
uint32_t bregman_sampler_set_prompt_length(struct bregman_sampler *sampler, size_t n);

/**
 * Allows only the tokens whose bit is set, in every row and candidate array from now on: token t is bit t % 32 of word
 * t / 32 (the layout of llguidance and xgrammar), tokens beyond the `n` words are banned. A mask that a batch gives
 * holds as well. The words are copied; no memory is taken if the mask before had as many.
 *
 * `words` NULL and `n` 0 allow all tokens again. BREGMAN_INVALID_ARGUMENT (one of these without the other, misaligned)
 * leaves the old mask.
 */
uint32_t bregman_sampler_set_mask(struct bregman_sampler *sampler, const uint32_t *words, size_t n);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BREGMAN_H */
