/*
 * bregman: turns rows of LLM logits into tokens, on the CPU. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Generated from src/ffi by `make header`; do not edit.
 *
 * Errors: every function that can fail returns a status, BREGMAN_OK or one of the others below. A call that fails
 * changes nothing and writes no output unless its description says so. Its message is on the handle
 * (bregman_sampler_error); functions that create a sampler write it to a buffer of the caller.
 *
 * Pointers: the library checks pointers for NULL and alignment, and lengths, enums and struct sizes for their ranges.
 * The caller guarantees that non-NULL pointers are valid: that arrays have the stated length, stay alive and unchanged
 * during the call, and that outputs overlap nothing. Inputs are not read after the call, except where stated.
 *
 * Ownership: a handle is freed with bregman_sampler_free. Nothing else that a function returns is freed; texts and
 * tables are static except where stated. A handle holds the state of its sequence only. The buffers for decoding belong
 * to the thread, grow to the vocabulary, and are freed when it ends.
 *
 * Threads: one thread at a time may use a handle. Different handles are independent. Functions without a handle are
 * thread-safe.
 *
 * Limits: the text of a chain has at most 65 536 bytes and 64 stages, of which at most 16 may read the whole row; a row
 * has at most INT32_MAX logits. Lists of token ids, biases and breakers are limited by the text alone. Nothing limits the
 * history; what is kept of it is a few bytes for each token, and up to 160 for stages that look for repetitions in
 * more than 4096 tokens.
 *
 * Process: no panic leaves the library. Where memory is refused, calls fail with BREGMAN_OUT_OF_MEMORY, or abort the
 * process in the cases that are listed there. The library writes nothing to
 * stdout, and to stderr only the report of a defect of its own (BREGMAN_INTERNAL). It starts threads only for a batch
 * that asks for them; the shared library stays in memory when a host closes it (on ELF systems; elsewhere do not unload
 * it after that). The caller's floating-point environment (rounding, flushing of subnormal numbers, traps) changes no
 * answer: it is put aside for the call, callbacks included.
 *
 * Promise: the same chain, seed, position and logits give the same token, bit for bit, on every instruction set, with
 * any number of threads, in any batch. Stages that look at the history, or that learn (bregman_stage.learns), depend
 * on the tokens so far as well.
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
 * Kind of parameter: from `min` to `max` secret keys, separated by spaces: whole numbers from 0 to 2^64 - 1, in decimal
 * or as 0x and hexadecimal, such as "0x9d3c55aa10f2e671 42". Descriptions, messages and logs of this library show
 * "hidden" in their place; hosts should show no more.
 */
#define BREGMAN_KIND_KEYS 7

/**
 * What a stage of llama.cpp does when an apply fails: it leaves the candidates unchanged, so that llama_sampler_sample
 * aborts the process if the stage was to select a token. The default.
 */
#define BREGMAN_LLAMA_ABORT 0

/**
 * What a stage of llama.cpp does when an apply fails: it keeps the most likely candidate only, so that the process goes
 * on (bregman_llama_set_on_failure).
 */
#define BREGMAN_LLAMA_FALLBACK 1

/**
 * Version of the binary interface. The shared library's SONAME follows it. Within a version, functions and trailing
 * struct fields may be added; nothing that exists changes its meaning.
 */
#define BREGMAN_ABI_VERSION 1

/**
 * Status: success.
 */
#define BREGMAN_OK 0

/**
 * Status: an argument is NULL, misaligned or out of its range, or the handle is in use by another call.
 */
#define BREGMAN_INVALID_ARGUMENT 1

/**
 * Status: the text of the chain is too long, is not UTF-8 or does not parse, or a parameter is out of its range.
 */
#define BREGMAN_INVALID_CHAIN 2

/**
 * Status: a logit that is not masked is NaN or +infinity, and the chain does not begin with ban_invalid.
 */
#define BREGMAN_INVALID_LOGITS 3

/**
 * Status: no token can be sampled; every logit is masked or -infinity.
 */
#define BREGMAN_EMPTY_SUPPORT 4

/**
 * Status: a generator of the caller returned NaN, or the solver found no solution with it.
 */
#define BREGMAN_NO_CONVERGENCE 5

/**
 * Status: the caller's buffers are too small for the result; the required length was written.
 */
#define BREGMAN_BUFFER_TOO_SMALL 6

/**
 * Status: the call is valid, but not with this chain, in this version or on this machine.
 */
#define BREGMAN_UNSUPPORTED 7

/**
 * Status: a defect of this library. Please report it.
 */
#define BREGMAN_INTERNAL 8

/**
 * Status: a sparse row (bregman_batch.ids) does not hold what the chain needs; decode the whole row, or a longer list.
 */
#define BREGMAN_INCOMPLETE 9

/**
 * There was no memory for the call, which changed nothing. Every call that needs memory may fail with it. The process is
 * aborted, as by any failed allocation of a Rust program, only where memory is refused to the few KB of a chain when its
 * text is read (bregman_sampler_new, bregman_sampler_load, bregman_watermark_score), to bregman_llama_attach, to the
 * batches that start threads, or to the text of another error.
 */
#define BREGMAN_OUT_OF_MEMORY 10

/**
 * Format of logits: IEEE 754 single precision, 4-byte aligned.
 */
#define BREGMAN_F32 0

/**
 * Format of logits: IEEE 754 half precision, 2-byte aligned.
 */
#define BREGMAN_F16 1

/**
 * Format of logits: bfloat16, 2-byte aligned.
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
 * Flag: append each drawn token to the history of its sampler, as bregman_sampler_accept does.
 */
#define BREGMAN_ACCEPT 8

/**
 * Flag: fill `bregman_result.ln_kept_mass`.
 */
#define BREGMAN_WANT_LN_KEPT 16

/**
 * Flag: leave the random position, and what the chain has learnt, as they are: for a grammar that is checked after the
 * draw. If the token is banned, draw again at the same position with the mask. If it stands, call bregman_sampler_reseed
 * with the same seed and the next position; a chain with a stage that learns (bregman_stage.learns) decodes the row once
 * more without this flag instead, which gives the same token. Not together with BREGMAN_ACCEPT.
 */
#define BREGMAN_STAY 32

/**
 * Source of log-probabilities: the model, that is the untouched logits (no mask, no bias, no stage, temperature 1).
 */
#define BREGMAN_OF_MODEL 0

/**
 * Source of log-probabilities: the decoded distribution.
 */
#define BREGMAN_OF_DECODED 1

/**
 * Rule of a draft: the chain draws each token as it does without a draft, and a drafted token that differs ends the
 * draft. The text is that of decoding without a draft, token for token. For every chain, and for trees.
 */
#define BREGMAN_RULE_MATCH 0

/**
 * Rule of a draft: token x is accepted with probability min(1, p(x) / q(x)), else replaced by one drawn from max(p - q, 0)
 * (arXiv 2211.17192, 2302.01318). The text has the distribution of decoding without a draft.
 */
#define BREGMAN_RULE_TOKEN 1

/**
 * Rule of a draft: the block rule (arXiv 2403.10444), which accepts at least as many tokens on average as
 * BREGMAN_RULE_TOKEN does. The text has the distribution of decoding without a draft.
 */
#define BREGMAN_RULE_BLOCK 2

/**
 * What to compute besides the token; each costs a pass over the row or part of one.
 */
typedef struct Want Want;

/**
 * A chain and the state of one sequence: seed and position of its random numbers, history, logit bias, mask, and what
 * stages that learn have learnt. Opaque.
 *
 * One thread at a time may use a handle; different handles are independent, clones too. A call on a handle that
 * another call is using fails with BREGMAN_INVALID_ARGUMENT and changes nothing (bregman_sampler_free: see there).
 */
typedef struct bregman_sampler bregman_sampler;

/**
 * Rows of logits that one call decodes: a base pointer and a stride.
 */
typedef struct bregman_batch {
    /**
     * sizeof(bregman_batch), set by the caller. The larger struct of a later version is accepted if its additional
     * fields are 0.
     */
    uint32_t struct_size;
    /**
     * BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16.
     */
    uint32_t dtype;
    /**
     * The logits, read only: row r begins at element r * `row_stride`.
     */
    const void *logits;
    /**
     * Number of rows. With 0 the call does nothing.
     */
    size_t rows;
    /**
     * Logits per row, from 1 to INT32_MAX; of sparse rows the largest number of them.
     */
    size_t vocab;
    /**
     * Distance between the starts of consecutive rows, in elements; at least `vocab`.
     */
    size_t row_stride;
    /**
     * NULL, or `mask_stride` words for each row: token t is allowed if bit t % 32 of word t / 32 is set (the layout of
     * llguidance and xgrammar). A mask of the sampler (bregman_sampler_set_mask) applies as well.
     */
    const uint32_t *mask;
    /**
     * Distance between the masks of consecutive rows, in words; at least 1. Tokens beyond the last word are banned.
     * Ignored without a mask.
     */
    size_t mask_stride;
    /**
     * 0, or any of BREGMAN_WANT_KEPT_MASS, BREGMAN_WANT_MODEL_LOGPROB, BREGMAN_WANT_ENTROPY, BREGMAN_WANT_LN_KEPT,
     * BREGMAN_ACCEPT and BREGMAN_STAY, or'ed.
     */
    uint32_t flags;
    /**
     * 0 or 1 to decode all rows on the caller's thread; n for up to n - 1 threads of the library's own pool to help it.
     * They are started when they are first wanted, with the host's signals blocked: at most one for each core that the
     * thread of that call may run on but one, and at most 255. They serve one call at a time, and calls at the same time
     * leave a core to each other: a call that gets none does all the work itself. The results do not depend on it.
     */
    uint32_t threads;
    /**
     * NULL for dense rows: element i of a row is the logit of token i. Else the rows are sparse: `ids`, laid out as the
     * logits (`row_stride`), has the token of each element, in any order, each token once; -1 for an element to be left out. `vocab` is then the number of
     * elements of a row, masks are by token, and the other fields below apply.
     *
     * Decoding a sparse row gives what the whole row would give: the same token and support, probabilities to 1e-6. If
     * that takes tokens that are not listed, or their weight where it is not known (see below), the row ends with
     * BREGMAN_INCOMPLETE and nothing moves. Figures that the row does not tell are NaN, such ranks 0. A chain works on a
     * list of the most likely tokens if a stage such as top_k, min_p or top_p drops all others; entropy, variance and the
     * number of all tokens are known of a whole row only, and a mask or an edit of a token that is not listed makes the
     * weight of the rest uncertain.
     */
    const int32_t *ids;
    /**
     * NULL if every row has `vocab` elements, or the number of elements of each row, from 1 to `vocab`; what follows them is
     * not read. Ignored if `ids` is NULL.
     */
    const uint32_t *lengths;
    /**
     * NULL if there are no other tokens. Else for each row ln of the sum of exp(l / rest_temperature) over the tokens that
     * are not listed, of untouched logits: -infinity if none of them can be sampled, +infinity if the sum is not known. Ignored if `ids`
     * is NULL.
     */
    const double *log_rest;
    /**
     * NULL, or for each row a number that no logit of a token that is not listed exceeds; tokens that are listed below it
     * count as uncertain. With NULL it is the smallest finite logit that is listed, as for lists of the largest. Ignored if
     * `ids` or `log_rest` is NULL.
     */
    const float *bound;
    /**
     * The temperature of `log_rest`; 0 stands for 1. `log_rest` serves stages that find the distribution at this
     * temperature (to the precision of f32). Ignored if `ids` or `log_rest` is NULL.
     */
    float rest_temperature;
    /**
     * NULL: sampler i reads row i. Else sampler i reads row `row_index[i]`, with the mask and the other inputs of that
     * row: several samplers may read one row, and rows may be left out. `rows` is then the number of samplers, results
     * and indices, and the inputs have as many rows as the largest index needs.
     */
    const size_t *row_index;
} bregman_batch;

/**
 * Outputs of bregman_decode_batch_answers in addition to the tokens, and of bregman_model_answers. Every array may be
 * NULL, and is then not computed. The elements of a row that fails are not written.
 */
typedef struct bregman_answers {
    /**
     * sizeof(bregman_answers), set by the caller. The larger struct of a later version is accepted if its additional
     * fields are 0.
     */
    uint32_t struct_size;
    /**
     * Source of log-probabilities, ranks and most likely tokens: BREGMAN_OF_MODEL or BREGMAN_OF_DECODED.
     */
    uint32_t source;
    /**
     * NULL, or one element per row: ln p of its token under `source`. NaN for BREGMAN_OF_MODEL if an untouched logit
     * is NaN or +infinity (a mask may hide it from the decoder).
     */
    float *logprobs;
    /**
     * NULL, or one element per row: the rank of its token, that is the number of tokens that are at least as likely,
     * itself included; 1 for the most likely. 0 where the log-probability is NaN.
     */
    uint32_t *ranks;
    /**
     * Number of most likely tokens per row.
     */
    size_t top;
    /**
     * Distance between consecutive rows in `top_ids` and `top_logprobs`, in elements; at least `top`.
     */
    size_t top_stride;
    /**
     * NULL, or the `top` most likely tokens of each row in descending order of probability (ties: ascending id), then
     * -1 if the distribution has fewer.
     */
    int32_t *top_ids;
    /**
     * NULL, or ln p of these tokens, then -infinity if the distribution has fewer; all NaN where `logprobs` is NaN.
     */
    float *top_logprobs;
    /**
     * Largest number of kept tokens to write per row; `bregman_result.support` is how many there are.
     */
    size_t kept;
    /**
     * Distance between consecutive rows in `kept_ids`, in elements; at least `kept`.
     */
    size_t kept_stride;
    /**
     * NULL, or the tokens with positive probability under the decoded distribution, the most likely first, then -1 if
     * there are fewer than `kept`. With `kept_offsets`: `rows` * `kept` elements.
     */
    int32_t *kept_ids;
    /**
     * NULL, or `kept_mask_stride` words for each row: bit t % 32 of word t / 32 is set if token t has positive
     * probability. Tokens beyond the last word are left out.
     */
    uint32_t *kept_mask;
    /**
     * Distance between consecutive rows in `kept_mask`, in words; at least 1 unless it is NULL.
     */
    size_t kept_mask_stride;
    /**
     * Number of tokens per row whose log-probabilities the caller asks for.
     */
    size_t given;
    /**
     * Distance between consecutive rows in `given_ids`, `given_logprobs` and `given_ranks`, in elements; at least
     * `given`.
     */
    size_t given_stride;
    /**
     * The tokens asked for, read only; -1 asks for none. Any other id that is not in the vocabulary fails its row with
     * BREGMAN_INVALID_ARGUMENT. Not NULL if `given_logprobs` or `given_ranks` is not.
     */
    const int32_t *given_ids;
    /**
     * NULL, or ln p of these tokens under `source`: -infinity for a token that cannot be sampled, NaN for -1 and where
     * `logprobs` would be NaN.
     */
    float *given_logprobs;
    /**
     * NULL, or the ranks of these tokens, as `ranks`; 0 where ln p is -infinity or NaN. Under BREGMAN_OF_MODEL each
     * rank reads the row once.
     */
    uint32_t *given_ranks;
    /**
     * NULL, or one element per row: ln p of its token under the other source (the decoded distribution's for
     * BREGMAN_OF_MODEL), as `logprobs`.
     */
    float *other_logprobs;
    /**
     * NULL, or ln p under the other source of the `top` tokens of each row, `top_stride` apart: -infinity where that
     * cannot be sampled or there is no token.
     */
    float *other_top_logprobs;
    /**
     * NULL, or `rows` + 1 elements: the kept tokens of row r are elements `kept_offsets[r]` to `kept_offsets[r + 1]` - 1 of
     * `kept_ids`, without gaps (`kept_stride` is not used). A row that fails has none. At most `kept` are written per
     * row: if that is less than bregman_result.support, the most likely ones.
     */
    size_t *kept_offsets;
} bregman_answers;

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
     * Smallest value of a BREGMAN_KIND_NUMBER or BREGMAN_KIND_COUNT, fewest keys of a BREGMAN_KIND_KEYS; otherwise
     * 0.
     */
    double min;
    /**
     * Largest value of a BREGMAN_KIND_NUMBER or BREGMAN_KIND_COUNT, most keys of a BREGMAN_KIND_KEYS; otherwise
     * 0.
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
     * bregman_process or bregman_distribution; to resume it, use a saved state (bregman_sampler_save). For a macro, 1 if
     * one of the stages that it can stand for learns; bregman_sampler_describe shows the stages of a given chain.
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
 * A callback on vectors: writes a function of x[0..n) to out[0..n). `user` is that of the generator.
 *
 * It must be a pure function of x and must return normally (no longjmp, no C++ exception). It may be called from any
 * thread, and from several at the same time.
 */
typedef void (*bregman_vector_fn)(void *user, const double *x, double *out, size_t n);

/**
 * The generator φ of a Bregman divergence: a strictly convex function on [0, 1] with φ(0) finite. Constants and linear
 * terms of φ have no effect. φ, f and f_inverse are required.
 */
typedef struct bregman_generator {
    /**
     * sizeof(bregman_generator), set by the caller; the same for all elements of an array.
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The name that the chain uses: NUL-terminated UTF-8, copied.
     */
    const char *name;
    /**
     * Passed to each callback; may be NULL.
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
     * f'(x), with x f'(x) nondecreasing. Required for the dual, otherwise NULL.
     */
    bregman_vector_fn f_prime;
} bregman_generator;

/**
 * The result of one row.
 */
typedef struct bregman_result {
    /**
     * The token, from 0 to vocab - 1; -1 unless `status` is BREGMAN_OK.
     */
    int32_t token;
    /**
     * BREGMAN_OK, or why this row has no token. The message is on the row's sampler (bregman_sampler_error).
     */
    uint32_t status;
    /**
     * Size of the support: the number of tokens with positive probability under the decoded distribution (k*). 0
     * without a token.
     */
    uint32_t support;
    /**
     * Probability of the token under the decoded distribution, in (0, 1]; NaN without a token.
     */
    float p;
    /**
     * Probability mass of the support before truncation, in (0, 1]: under the distribution that the first truncating
     * stage received, after mask, bias and temperature. 1 if no token was dropped; 1e-45, the smallest f32, if it is
     * less than that. NaN unless BREGMAN_WANT_KEPT_MASS. (`ln_kept_mass` is that of the untouched row.)
     */
    float kept_mass;
    /**
     * Natural logarithm of the token's probability under the untouched logits (no mask, no bias, no stage, temperature
     * 1). NaN unless BREGMAN_WANT_MODEL_LOGPROB, or if an untouched logit is NaN or +infinity.
     */
    float model_logprob;
    /**
     * Entropy of the decoded distribution, in nats. NaN unless BREGMAN_WANT_ENTROPY.
     */
    float entropy;
    /**
     * Natural logarithm of the model's probability mass on the support, at most 0 and exact near it: under the
     * untouched logits (no mask, no bias, no penalty) at the temperature T that the first truncating stage received (1
     * after a stage that gives every token another logit, such as smoothing). Where masks, truncations and temperatures
     * before them are all that a chain has, ln p = (ln p of the untouched row at T) - ln_kept_mass. For probabilities
     * (.5, .3, .2), a mask of the last two and top_k(1) it is ln .3, and `kept_mass` is .6. NaN unless
     * BREGMAN_WANT_LN_KEPT, or if an untouched logit is NaN or +infinity.
     */
    float ln_kept_mass;
} bregman_result;

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
 * An array of candidates, with the layout of llama.cpp's `llama_token_data_array`.
 */
typedef struct bregman_candidates {
    /**
     * The candidates. They are changed in place; the pointer stays.
     */
    struct bregman_candidate *data;
    /**
     * Number of candidates, from 1 to INT32_MAX.
     */
    size_t size;
    /**
     * Position in `data` of the selected token; -1 for none. Written only.
     */
    int64_t selected;
    /**
     * Not 0 if the candidates are in descending order of logit. Written only.
     */
    uint8_t sorted;
} bregman_candidates;

/**
 * Tokens that a draft model, or a table of n-grams, proposes for one sequence.
 */
typedef struct bregman_draft {
    /**
     * sizeof(bregman_draft), set by the caller; the same for all elements of an array. The larger struct of a later
     * version is accepted if its additional fields are 0.
     */
    uint32_t struct_size;
    /**
     * BREGMAN_RULE_MATCH, BREGMAN_RULE_TOKEN or BREGMAN_RULE_BLOCK.
     */
    uint32_t rule;
    /**
     * The drafted tokens, `n` of them; may be NULL if `n` is 0.
     */
    const int32_t *tokens;
    /**
     * Number of drafted tokens; 0 decodes the sequence's one row.
     */
    size_t n;
    /**
     * NULL for a line, in which each token follows the one before. Else (BREGMAN_RULE_MATCH only) for each token of a tree
     * the place of the token that it follows, -1 if it follows the accepted text; a token stands after the one that it
     * follows.
     */
    const int32_t *parents;
    /**
     * NULL if the tokens were not drawn: each then had probability 1. Else `n` + 1 offsets: the distribution that token i
     * was drawn from, after the draft's own chain, has the entries `q_offsets[i]` to `q_offsets[i + 1]` - 1 of `q_ids` and
     * `q_probs`. Not read under BREGMAN_RULE_MATCH.
     */
    const size_t *q_offsets;
    /**
     * The tokens of the distributions, in any order, none twice in one. Tokens beyond the vocabulary are allowed.
     */
    const int32_t *q_ids;
    /**
     * Their probabilities. Those of one distribution sum to 1 within 0.001 and are divided by their sum.
     */
    const float *q_probs;
} bregman_draft;

/**
 * A callback for failures of a stage of llama.cpp: `message` says why an apply failed, NUL-terminated UTF-8, valid
 * during the call. It runs on the thread that applies, must not call a function on the stage or its sampler, and must
 * return normally (no longjmp, no C++ exception).
 */
typedef void (*bregman_llama_failure_fn)(void *user, const char *message);

/**
 * What a detector says of a text.
 */
typedef struct bregman_watermark {
    /**
     * sizeof(bregman_watermark), set by the caller before the call.
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The stage's statistic, larger for a marked text. watermark: the sum of -ln(1 - u) over the tokens counted.
     * synthid: the mean of the bits (hash=transformers: with weights that fall from layer to layer). green_list: by
     * how many standard deviations there are more green tokens than expected. 0 if no token counts.
     */
    double score;
    /**
     * The probability that a text which knows nothing of the key scores as much, from 0 to 1. 1 if no token counts.
     */
    double p_value;
    /**
     * Number of tokens that were counted: tokens whose context occurred before are not.
     */
    size_t counted;
} bregman_watermark;

/**
 * Every function of this header, under its name without the prefix `bregman_`. Described at the functions themselves.
 * Static.
 *
 * The table grows at its end. Field `f` is in the library's table if `offsetof(bregman_api, f) < api->struct_size`: a
 * host built with a later header than the library's checks this before it uses a field.
 */
typedef struct bregman_api {
    /**
     * sizeof(bregman_api) in the library. It may be smaller or larger than in this header.
     */
    uint32_t struct_size;
    /**
     * BREGMAN_ABI_VERSION of the library.
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
    /**
     * bregman_model_answers
     */
    uint32_t (*model_answers)(const struct bregman_batch *batch, const struct bregman_answers *answers);
    /**
     * bregman_distribution_batch
     */
    uint32_t (*distribution_batch)(struct bregman_sampler *const *samplers,
                                   const struct bregman_batch *batch,
                                   size_t *offsets,
                                   int32_t *ids,
                                   float *probs,
                                   size_t capacity);
    /**
     * bregman_sampler_save
     */
    uint32_t (*sampler_save)(const struct bregman_sampler *sampler, void *bytes, size_t capacity, size_t *len);
    /**
     * bregman_sampler_load
     */
    uint32_t (*sampler_load)(const void *bytes,
                             size_t len,
                             const struct bregman_generator *generators,
                             size_t n,
                             struct bregman_sampler **out,
                             char *error,
                             size_t error_size);
    /**
     * bregman_sampler_rewind
     */
    uint32_t (*sampler_rewind)(struct bregman_sampler *sampler, size_t n);
    /**
     * bregman_sampler_where
     */
    uint32_t (*sampler_where)(const struct bregman_sampler *sampler,
                              uint64_t *seed,
                              uint64_t *position,
                              size_t *history,
                              size_t *prompt);
    /**
     * bregman_sampler_history
     */
    uint32_t (*sampler_history)(const struct bregman_sampler *sampler, int32_t *tokens, size_t capacity, size_t *len);
    /**
     * bregman_verify
     */
    uint32_t (*verify)(struct bregman_sampler *const *samplers,
                       const struct bregman_draft *drafts,
                       size_t sequences,
                       const struct bregman_batch *rows,
                       uint32_t *accepted,
                       int32_t *path,
                       struct bregman_result *results);
    /**
     * bregman_llama_set_on_failure
     */
    uint32_t (*llama_set_on_failure)(void *llama_sampler,
                                     uint32_t on_failure,
                                     bregman_llama_failure_fn report,
                                     void *user);
    /**
     * bregman_llama_failures
     */
    uint32_t (*llama_failures)(const void *llama_sampler, uint64_t *out);
    /**
     * bregman_reduce
     */
    uint32_t (*reduce)(const struct bregman_batch *batch,
                       int32_t first,
                       size_t n,
                       float temperature,
                       int32_t *ids,
                       float *logits,
                       double *log_rest,
                       float *bound);
    /**
     * bregman_watermark_score
     */
    uint32_t (*watermark_score)(const char *stage,
                                const int32_t *tokens,
                                size_t n,
                                struct bregman_watermark *out,
                                char *error,
                                size_t error_size);
} bregman_api;

/**
 * The type of bregman_get_api: what a host casts the result of `dlsym` to.
 */
typedef const struct bregman_api *(*bregman_get_api_fn)(uint32_t abi);



#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Writes the most likely tokens of one row. Draws nothing and advances nothing.
 *
 * `source`: BREGMAN_OF_MODEL, which does not use the chain, or BREGMAN_OF_DECODED. `ids` and `logprobs` have `n`
 * elements and receive `*len` tokens and their ln p, in descending order (ties: ascending id). `*len` is `n`, or the
 * number of tokens with positive probability if that is smaller; -1 and -infinity fill the rest. Fails with
 * BREGMAN_INVALID_ARGUMENT (source, NULL, misaligned, vocab); other errors as bregman_decode.
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
 * Answers about the model's distribution of many rows, without samplers: log-probabilities of a prompt's tokens, scores
 * of the choices of a test, the most likely tokens at each place.
 *
 * `answers->source` is BREGMAN_OF_MODEL: the untouched logits at temperature 1. Of `answers` the most likely tokens
 * (`top`) and the answers about given tokens (`given`) may be asked for; the other arrays, which are about a decoded
 * token, are NULL. `batch->flags` is 0 and `batch->mask` NULL. Rows and arrays are as in bregman_decode_batch_answers.
 *
 * Returns the status of the first row that failed, or BREGMAN_OK. A row that fails (BREGMAN_INVALID_LOGITS: a NaN or
 * +infinity; BREGMAN_EMPTY_SUPPORT: every logit -infinity; BREGMAN_INVALID_ARGUMENT: a given id that is not in the row)
 * has NaN log-probabilities, ranks 0 and ids -1; the others have their answers. If an argument is invalid
 * (BREGMAN_INVALID_ARGUMENT, BREGMAN_UNSUPPORTED), nothing is written. There is no handle, so there is no message.
 * Thread-safe.
 */
uint32_t bregman_model_answers(const struct bregman_batch *batch, const struct bregman_answers *answers);

/**
 * The table of all functions of this header for version `abi` of the binary interface (the host's
 * BREGMAN_ABI_VERSION): the only symbol that a host has to look up if it loads the library at run time. The same static
 * table at every call; NULL if this library does not have that version. Thread-safe.
 */
const struct bregman_api *bregman_get_api(uint32_t abi);

/**
 * Applies the chain to an engine's candidate array in place, as one stage of the engine's own chain, and advances the
 * random position by one.
 *
 * The candidates may be any subset of the vocabulary, in any order; `p`, `selected` and `sorted` are not read. A
 * truncating stage moves the kept candidates to the front in descending order of logit: `size` is then their number,
 * `p` their probability, `sorted` 1 and `selected` -1. Without a truncating stage the array keeps its size and order,
 * and `p` and `selected` are unchanged; `sorted` becomes 0 if a mask, a bias or a stage may have changed which logits
 * are larger; masked tokens have logit -infinity, and those that a leading `xtc` drops are removed, with `selected`
 * -1. If the chain ends with a drawing stage, `selected` is the position of the token that it drew, and `p` is written
 * in either case.
 *
 * The logits that are left are those of the stages' definitions, ln p after a bregman stage with alpha other than 1:
 * their softmax is the decoded distribution. They are finite; if the largest is beyond +-1024, all are taken relative
 * to it, because a float would lose their differences.
 *
 * A call that fails changes nothing: BREGMAN_INVALID_ARGUMENT (NULL, misaligned, `size` above INT32_MAX),
 * BREGMAN_EMPTY_SUPPORT (`size` is 0, every logit is masked or -infinity, or bans leave none),
 * BREGMAN_INVALID_LOGITS, BREGMAN_NO_CONVERGENCE.
 */
uint32_t bregman_apply(struct bregman_sampler *sampler, struct bregman_candidates *candidates);

/**
 * Decodes `batch->rows` rows: row r (or the row that `batch->row_index` names) with `samplers[r]` into `results[r]`.
 * `samplers` and `results` have `batch->rows` elements.
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
 * Decodes one row of `vocab` f32 logits into a token, and advances the random position by one. The token is not added
 * to the history: call bregman_sampler_accept. The logits are only read. On failure nothing advances, and `*out` (if
 * `out` is valid) has token -1 and the status.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, `vocab` 0 or above INT32_MAX), BREGMAN_INVALID_LOGITS (a
 * logit that is not masked is NaN or +infinity), BREGMAN_EMPTY_SUPPORT (every logit is masked or -infinity, or bans
 * leave none; the message names what took the last token), BREGMAN_NO_CONVERGENCE (a generator of the caller),
 * BREGMAN_UNSUPPORTED (the chain does not end with a drawing stage).
 */
uint32_t bregman_decode(struct bregman_sampler *sampler, const float *logits, size_t vocab, struct bregman_result *out);

/**
 * Writes the decoded distribution of one row: what a drawing stage at the end of the chain draws from. A drawing stage
 * that changes the distribution does so here too: `greedy` leaves one token. Draws nothing and advances nothing.
 *
 * `ids` and `probs` have `capacity` elements and receive `*len` entries in descending order of probability (ties:
 * ascending id). The probabilities sum to 1 up to the rounding of f32. If `capacity` is too small, `*len` receives the
 * required number, nothing else is written, and the status is BREGMAN_BUFFER_TOO_SMALL; with `capacity` 0 both arrays
 * may be NULL. If the chain drops no token, this sorts the whole vocabulary. Other errors as bregman_decode.
 *
 * A stage that uses random numbers (xtc's coin) takes them from the handle's seed and position, and this call does not
 * move the position: call bregman_sampler_reseed with the number of output tokens before each row. Not for chains with a
 * stage that learns (bregman_stage.learns): it does not learn from tokens that the host draws.
 */
uint32_t bregman_distribution(struct bregman_sampler *sampler,
                              const float *logits,
                              size_t vocab,
                              int32_t *ids,
                              float *probs,
                              size_t capacity,
                              size_t *len);

/**
 * Replaces the logits of one row by ln p of the decoded distribution, -infinity off its support: for hosts that draw
 * themselves. Draws nothing and advances nothing. The chain may end with a drawing stage or not. Set the temperature
 * in the chain, not behind it. On failure the logits are unchanged. Errors as bregman_decode.
 *
 * Not for chains with a stage that learns (bregman_stage.learns): it does not learn from tokens that the host draws.
 */
uint32_t bregman_process(struct bregman_sampler *sampler, float *logits, size_t vocab);

/**
 * The decoded distributions of `batch->rows` rows, each as bregman_distribution gives it. Draws nothing and advances
 * nothing; the mask and the other inputs of a row apply as in bregman_decode_batch; `batch->flags` is 0.
 *
 * `offsets` has `batch->rows` + 1 elements: the entries of row r are elements `offsets[r]` to `offsets[r + 1]` - 1 of `ids`
 * and `probs`, which have `capacity` elements. If `capacity` is too small, the status is BREGMAN_BUFFER_TOO_SMALL,
 * `offsets` is written all the same (its last element is the capacity needed), and what is in `ids` and `probs` is not
 * specified; with `capacity` 0 both may be NULL.
 *
 * Returns the status of the first row that failed, or BREGMAN_OK; a row that fails has no entries, and its message is on
 * `samplers[r]`. A sampler that is in the batch twice fails from its second row on (BREGMAN_INVALID_ARGUMENT). If an
 * argument is invalid (BREGMAN_INVALID_ARGUMENT, BREGMAN_UNSUPPORTED), nothing is written and there is no message.
 * With `batch->threads` above 1 every row is decoded twice.
 */
uint32_t bregman_distribution_batch(struct bregman_sampler *const *samplers,
                                    const struct bregman_batch *batch,
                                    size_t *offsets,
                                    int32_t *ids,
                                    float *probs,
                                    size_t capacity);

/**
 * Draws `n` different tokens from the decoded distribution of one row, without replacement: each in proportion to its
 * probability among the tokens not drawn yet. For best-of-n, sampled beams, or several children of a search node.
 *
 * `ids`, `logprobs` and `scores` have `n` elements and receive `*len` entries in the order of the draw; `*len` is `n`,
 * or the size of the support if that is smaller. `logprobs` are ln p under the decoded distribution. `scores` (may be
 * NULL) are `logprobs` plus the Gumbel noise of each token, in descending order.
 *
 * The noise depends only on seed, position and token id. So the first token is the one that the chain with `gumbel` as
 * its drawing stage decodes at this position, and a larger `n` appends tokens to the same ones. A drawing stage at the
 * end of the chain draws nothing here; `greedy` leaves one token. Advances the random position by one, and adds
 * nothing to the history. Fails with BREGMAN_INVALID_ARGUMENT if `n` is 0; other errors as bregman_decode.
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
 * The version of the binary interface of this library, that is the BREGMAN_ABI_VERSION it was built with. Compare it
 * with the header's before any other call. Thread-safe.
 */
uint32_t bregman_abi_version(void);

/**
 * The version of the library, such as "0.1.0". Static; thread-safe.
 */
const char *bregman_version(void);

/**
 * The instruction set in use: "scalar", "avx2", "avx512" or "neon". Results do not depend on it. The environment
 * variable BREGMAN_SIMD, read once, selects a lower level; if it names no level of this build and machine, this
 * returns "" and creating a sampler fails with BREGMAN_UNSUPPORTED. Static; thread-safe.
 */
const char *bregman_simd_level(void);

/**
 * A status in words, such as "invalid argument"; "unknown status" for any other number. The details of a failure are
 * in the message on the handle: bregman_sampler_error. Static; thread-safe.
 */
const char *bregman_status_text(uint32_t status);

/**
 * The callbacks of a bregman stage as a `struct llama_sampler_i`: name, accept, apply, reset, clone and free. All
 * further slots, 32 in total, are NULL, so that llama.cpp of any version may read the table. For hosts that call
 * llama_sampler_init themselves; only bregman_llama_attach makes a `ctx` for it. Static; thread-safe.
 */
const void *bregman_llama_iface(void);

/**
 * Makes a sampler a stage of llama.cpp: calls the host's `llama_sampler_init` and writes its `struct llama_sampler *`
 * to `*out`, ready for llama_sampler_chain_add. Needs no llama.h; works with llama.cpp from 2025-02 on.
 *
 * `llama_sampler_init`: the address of that function in the host's libllama. `sampler`: on success the stage owns it,
 * and llama_sampler_free (of the stage or of its chain) frees it; on failure the caller still owns it. `out`:
 * unchanged on failure.
 *
 * The stage applies the chain as bregman_apply does, appends accepted tokens to the history, and clones with its whole
 * state. A chain that ends with a drawing stage selects a token, and belongs at the end of llama.cpp's chain.
 * llama_sampler_reset resets it as bregman_sampler_reset does. llama_sampler_apply cannot report an error: an apply
 * that fails leaves the candidates unchanged, with its message on the handle (bregman_llama_sampler,
 * bregman_sampler_error), unless bregman_llama_set_on_failure says otherwise.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned), BREGMAN_INTERNAL (llama_sampler_init returned NULL).
 */
uint32_t bregman_llama_attach(const void *llama_sampler_init, struct bregman_sampler *sampler, void **out);

/**
 * The sampler of a stage that bregman_llama_attach made, or of a clone of one, for bregman_sampler_error,
 * bregman_sampler_reseed or bregman_sampler_set_logit_bias. The stage still owns it. NULL for NULL and for any other
 * llama_sampler. Thread-safe.
 */
struct bregman_sampler *bregman_llama_sampler(const void *llama_sampler);

/**
 * Sets what a stage of llama.cpp does when an apply fails; clones inherit it.
 *
 * `on_failure`: BREGMAN_LLAMA_ABORT or BREGMAN_LLAMA_FALLBACK. With the second a failed apply keeps one
 * candidate, with `p` 1, and selects it if the chain draws: the one with the largest logit, bias included, among those
 * that the sampler's mask and bias allow; if they allow none, the one with the largest logit of all; if no logit is a
 * number, the first. (The stages of the chain are not used.) Such a row counts as decoded: the random position advances
 * by one (unless memory was refused). An array without candidates stays empty.
 *
 * `report`: NULL, or called after each failed apply, with `user`, which may be NULL; both must stay valid until the
 * stage and its clones are freed.
 *
 * One thread at a time may use a stage. Fails with BREGMAN_INVALID_ARGUMENT (not a stage of bregman; another number,
 * with the message on the stage's sampler); nothing changes then.
 */
uint32_t bregman_llama_set_on_failure(void *llama_sampler,
                                      uint32_t on_failure,
                                      bregman_llama_failure_fn report,
                                      void *user);

/**
 * Writes to `*out` how many applies of a stage of llama.cpp have failed, those of its clones included. May be called
 * while another thread uses the stage.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (not a stage of bregman; `out` is NULL or misaligned); `out` is unchanged then.
 */
uint32_t bregman_llama_failures(const void *llama_sampler, uint64_t *out);

/**
 * Reduces each row of a batch, which is a shard of a vocabulary or a whole one, to its `n` largest logits and what a sparse
 * row needs to know of the others: for tensor parallelism, where each rank has the logits of a part of the vocabulary, and
 * for engines that move logits.
 *
 * `first` is the token of the shard's first element. `temperature` is that at which the chain first needs probabilities
 * (bregman_batch.rest_temperature); 0 stands for 1. `ids` and `logits` receive `n` elements for each row, in descending
 * order of logit (ties: ascending id); where the shard has no more, ids are -1 and logits -infinity. `log_rest` and `bound`
 * receive one element for each row. Dense rows in any format; `batch->mask` is NULL and `batch->flags` 0.
 *
 * To decode, put the lists of all ranks one behind the other: `vocab` is n times the number of ranks, log_rest is the
 * logarithm of the sum of the exponentials of theirs, bound the largest of theirs. The tokens are those of the whole row, or
 * the status is BREGMAN_INCOMPLETE; then a rank that gathers the whole row decodes it at the same position.
 *
 * Returns the status of the first row that failed (BREGMAN_INVALID_LOGITS: a NaN or +infinity), whose ids are -1 and whose
 * log_rest is NaN; or BREGMAN_OK. If an argument is invalid (BREGMAN_INVALID_ARGUMENT, BREGMAN_UNSUPPORTED), nothing is
 * written. There is no handle, so there is no message. Thread-safe.
 */
uint32_t bregman_reduce(const struct bregman_batch *batch,
                        int32_t first,
                        size_t n,
                        float temperature,
                        int32_t *ids,
                        float *logits,
                        double *log_rest,
                        float *bound);

/**
 * Creates a sampler from the text of a chain, such as "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", at
 * position 0 of the random numbers of `seed`. Every seed is reproducible; none means "random".
 *
 * `chain`: NUL-terminated UTF-8 of at most 65 536 bytes and 64 stages, of which at most 16 may read the whole row; not
 * used after the call. `out`: receives the handle, which the caller frees with bregman_sampler_free; unchanged on
 * failure. `error`: NULL, or a buffer of `error_size` bytes for the message of a failure, which is cut to fit and
 * NUL-terminated. Thread-safe.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (NULL), BREGMAN_INVALID_CHAIN (the message names the stage, the parameter and
 * its range), BREGMAN_UNSUPPORTED (an alpha outside the range in which the solver is proven; BREGMAN_SIMD names no
 * level of this machine).
 */
uint32_t bregman_sampler_new(const char *chain,
                             uint64_t seed,
                             struct bregman_sampler **out,
                             char *error,
                             size_t error_size);

/**
 * bregman_sampler_new for a chain that names generators of divergences: "bregman(generator=mine, lambda=0.01) | draw".
 *
 * `generators`: an array of `n`, not used after the call; the callbacks and `user` pointers must stay valid until the
 * last sampler made from this one, clones included, is freed. Each generator that the chain uses is checked here on a
 * grid in [0, 1]; the message of BREGMAN_INVALID_CHAIN says what is wrong with it. Thread-safe if the callbacks are.
 */
uint32_t bregman_sampler_new_with_generators(const char *chain,
                                             uint64_t seed,
                                             const struct bregman_generator *generators,
                                             size_t n,
                                             struct bregman_sampler **out,
                                             char *error,
                                             size_t error_size);

/**
 * Creates an independent sampler in the same state: chain, seed, random position, history, logit bias, mask, and what
 * stages that learn have learnt. `out` receives the handle, which the caller frees with bregman_sampler_free;
 * unchanged on failure.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, handle in use).
 */
uint32_t bregman_sampler_clone(const struct bregman_sampler *sampler, struct bregman_sampler **out);

/**
 * Frees a sampler; NULL does nothing. No call on the handle may begin after this one, and the text that
 * bregman_sampler_error returned is no longer valid. If another call is using the handle (on another thread, or
 * further up on this one, from a generator's callback), that call ends as usual and frees the handle then.
 */
void bregman_sampler_free(struct bregman_sampler *sampler);

/**
 * Starts another sequence: the seed of creation, position 0, and no history or learnt state. The logit bias and the
 * mask stay, so that a reset never allows what the host banned. Fails with BREGMAN_INVALID_ARGUMENT (NULL, handle in
 * use).
 */
uint32_t bregman_sampler_reset(struct bregman_sampler *sampler);

/**
 * Continues with the random numbers of `seed` at `position`. The position starts at 0, and every successful
 * bregman_decode, bregman_apply, bregman_draw_many and row of a batch advances it by one.
 *
 * To resume a sequence elsewhere, use bregman_sampler_save and bregman_sampler_load. Without a saved state, create the
 * sampler from the same chain, accept the same history, set the prompt length, and reseed with the number of rows decoded
 * so far; this does not resume a chain with a stage that learns (bregman_stage.learns), whose draws also depend on the
 * tokens drawn so far. Fails with BREGMAN_INVALID_ARGUMENT (NULL, handle in use).
 */
uint32_t bregman_sampler_reseed(struct bregman_sampler *sampler,
                                uint64_t seed,
                                uint64_t position);

/**
 * Appends `n` tokens to the history that stages such as penalties and dry look at: those of the prompt, and each token
 * with which the sequence continued. BREGMAN_ACCEPT does this for drawn tokens. Tokens accepted before the first row
 * are the prompt (bregman_sampler_set_prompt_length). `tokens` may be NULL if `n` is 0.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, a negative token, handle in use).
 */
uint32_t bregman_sampler_accept(struct bregman_sampler *sampler, const int32_t *tokens, size_t n);

/**
 * Replaces the logit bias: `bias[i]` is added to the logit of token `ids[i]` before any stage, and -infinity bans the
 * token. `ids` and `bias` have `n` elements and are copied; `n` = 0 removes the bias. Ids that are not in the
 * vocabulary of a row have no effect on it.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an id that is negative or repeated, a bias that is NaN or +infinity, NULL,
 * misaligned, handle in use); the old bias stays.
 */
uint32_t bregman_sampler_set_logit_bias(struct bregman_sampler *sampler,
                                        const int32_t *ids,
                                        const float *bias,
                                        size_t n);

/**
 * Writes the chain in its canonical form, which has stages in the place of macros: NUL-terminated, cut to `size`
 * bytes. bregman_sampler_new accepts it, unless a stage has a secret (BREGMAN_KIND_KEYS), for which "hidden" stands in
 * it. Returns the length of the whole text without the terminator, as snprintf does. `text` may be NULL if `size` is 0. Returns 0 if the handle is NULL or in use.
 */
size_t bregman_sampler_describe(const struct bregman_sampler *sampler,
                                char *text,
                                size_t size);

/**
 * The message of the last call on this handle that failed, "" if none has: NUL-terminated UTF-8 in English, valid
 * until the next call on the handle. If the handle is NULL or in use, a static text that says so.
 */
const char *bregman_sampler_error(const struct bregman_sampler *sampler);

/**
 * Writes the sampler as bytes: chain, seeds, random position, history, prompt length, logit bias, mask, and what the chain
 * has learnt. bregman_sampler_load makes a sampler of them that goes on as this one would, in another process, language
 * or machine. The same state gives the same bytes everywhere. docs/state.md describes them. Generators of the caller are
 * not in them, only their names. The bytes hold what the chain's text holds, keys of watermarks included: keep them as
 * you keep those.
 *
 * `bytes` has `capacity` bytes and receives `*len`. If `capacity` is too small, `*len` receives the required number,
 * nothing else is written, and the status is BREGMAN_BUFFER_TOO_SMALL; with `capacity` 0 `bytes` may be NULL. Fails with
 * BREGMAN_INVALID_ARGUMENT (NULL, misaligned, handle in use).
 */
uint32_t bregman_sampler_save(const struct bregman_sampler *sampler,
                              void *bytes,
                              size_t capacity,
                              size_t *len);

/**
 * Creates a sampler from `len` bytes that bregman_sampler_save wrote, of this or an earlier version of the library.
 *
 * `generators`: an array of `n` that holds at least those that the chain names, as for
 * bregman_sampler_new_with_generators; NULL and 0 if it names none. `out`: receives the handle, which the caller frees
 * with bregman_sampler_free; unchanged on failure. `error`: NULL, or a buffer of `error_size` bytes for the message of a
 * failure. Thread-safe.
 *
 * The bytes may come from anywhere: those that are not a state fail with BREGMAN_INVALID_ARGUMENT, as do NULL, misaligned
 * arrays and missing generators. The checksum finds accidents; it does not prove who wrote the bytes. Fails with
 * BREGMAN_UNSUPPORTED if BREGMAN_SIMD names no level of this machine.
 */
uint32_t bregman_sampler_load(const void *bytes,
                              size_t len,
                              const struct bregman_generator *generators,
                              size_t n,
                              struct bregman_sampler **out,
                              char *error,
                              size_t error_size);

/**
 * Takes the last `n` tokens of the history back: the sampler is as it was when they had not been decoded yet. That is the
 * history, the random position, which goes back by the rows that those tokens took and by rows decoded since, and what
 * the chain has learnt. The same logits then give the same tokens. Seed, logit bias and mask stay. With `n` = 0 nothing
 * changes.
 *
 * If the prompt is cut, or if it ended with the first row and all output is taken back, tokens accepted before the next
 * row are prompt again. Tokens that one call accepted count as decoded one row each, as far as there were rows: for exact
 * steps accept each token before the next row. Fails with BREGMAN_INVALID_ARGUMENT (NULL, `n` above the length of the
 * history, handle in use), and nothing is changed.
 */
uint32_t bregman_sampler_rewind(struct bregman_sampler *sampler,
                                size_t n);

/**
 * Where a sampler is: its seed, the position of its next random number, the tokens of its history, and how many of those
 * are the prompt (all of them before the first row). Each output may be NULL. Fails with BREGMAN_INVALID_ARGUMENT (NULL
 * sampler, misaligned, handle in use), and nothing is written.
 */
uint32_t bregman_sampler_where(const struct bregman_sampler *sampler,
                               uint64_t *seed,
                               uint64_t *position,
                               size_t *history,
                               size_t *prompt);

/**
 * Copies the history, prompt first. `tokens` has `capacity` elements and receives `*len`. If `capacity` is too small,
 * `*len` receives the required number, nothing else is written, and the status is BREGMAN_BUFFER_TOO_SMALL; with
 * `capacity` 0 `tokens` may be NULL. Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, handle in use).
 */
uint32_t bregman_sampler_history(const struct bregman_sampler *sampler, int32_t *tokens, size_t capacity, size_t *len);

/**
 * Sets the length of the prompt: the first `n` tokens of the history are the prompt, the others output. Stages with
 * scope=output look at the output only. For sequences that are resumed.
 *
 * Without this call the prompt ends at the first successful bregman_decode, bregman_apply, bregman_process,
 * bregman_distribution, bregman_draw_many, bregman_top_logprobs of BREGMAN_OF_DECODED, or row of a batch, since
 * creation or the last reset. Fails with BREGMAN_INVALID_ARGUMENT (NULL, `n` above the length of the history, handle
 * in use).
 */
uint32_t bregman_sampler_set_prompt_length(struct bregman_sampler *sampler, size_t n);

/**
 * Sets the mask of the sampler, which holds for every row and candidate array from now on: token t is allowed if bit t
 * % 32 of word t / 32 is set (the layout of llguidance and xgrammar), and tokens beyond the last word are banned. If a
 * batch has a mask too, a token must be allowed by both. `words` has `n` elements and is copied, without allocating if
 * the mask before was as long.
 *
 * `words` NULL and `n` 0 remove the mask. Fails with BREGMAN_INVALID_ARGUMENT (only one of these, misaligned, handle
 * in use) and BREGMAN_OUT_OF_MEMORY; the old mask stays.
 */
uint32_t bregman_sampler_set_mask(struct bregman_sampler *sampler, const uint32_t *words, size_t n);

/**
 * Verifies drafts: finds how many of each sequence's drafted tokens are accepted, and draws the token that follows them.
 *
 * Sequence s has the sampler `samplers[s]`, the draft `drafts[s]` and `drafts[s].n` + 1 consecutive rows of `rows`: the
 * first holds the logits after its accepted text, row i + 1 those after drafted token i and what that follows.
 * `rows->rows` is the sum. `accepted` has `sequences` elements and receives the number of accepted drafted tokens.
 * `results` has `rows->rows` elements: of each sequence's the first accepted + 1 are its new tokens in order, the others
 * have token -1 and status BREGMAN_OK. `path` is NULL or has `rows->rows` elements: of each sequence's the first
 * accepted are the places of the accepted tokens in its draft, the others -1. `rows->flags` and `rows->threads` mean
 * what they mean for bregman_decode_batch; BREGMAN_STAY is refused. Sparse rows (`rows->ids`) are verified with
 * BREGMAN_RULE_MATCH only: the other rules accept a token by its exact probability, of which a sparse row tells 6 digits.
 *
 * Before each row is decoded, the tokens accepted so far are in the history of the sampler, so that penalties and other
 * stages see them. Afterwards the accepted drafted tokens stay in it; the last new token is appended with BREGMAN_ACCEPT,
 * else call bregman_sampler_accept with it. The random position moves by accepted + 1. With BREGMAN_RULE_MATCH tokens and
 * results are those of decoding one row after the other. With the other rules tokens are drawn with random numbers of
 * their own, independent of those that bregman_decode uses at any position, so that a draft which was drawn with the
 * same seed does no harm; `p` is the token's probability under the decoded distribution of its row.
 *
 * Sequences are independent: a failed one changes nothing in its sampler and does not affect the others, and neither
 * their order nor the number of threads changes a token. Its rows of `results` have its status, its message is on its
 * sampler, its `accepted` is 0. Returns the status of the first sequence that failed, or BREGMAN_OK. Errors of a sequence
 * are those of bregman_decode for each row, and BREGMAN_INVALID_ARGUMENT (a field of its draft, whose message names it;
 * a drafted token that its distribution gives probability 0; a sampler that is NULL, in use, or given twice) and
 * BREGMAN_UNSUPPORTED (a chain that learns from its draws, or sparse rows, under another rule than BREGMAN_RULE_MATCH). If a field of
 * `rows` is invalid or `rows->rows` is not the sum, every sequence fails. If the arguments cannot be read
 * (BREGMAN_INVALID_ARGUMENT: NULL, misaligned, struct_size; BREGMAN_UNSUPPORTED: fields of a later version are set),
 * nothing is written.
 */
uint32_t bregman_verify(struct bregman_sampler *const *samplers,
                        const struct bregman_draft *drafts,
                        size_t sequences,
                        const struct bregman_batch *rows,
                        uint32_t *accepted,
                        int32_t *path,
                        struct bregman_result *results);

/**
 * Looks for a watermark in a text of `n` tokens: the output from its beginning, without the prompt. Needs no sampler,
 * no logits and no model.
 *
 * `stage`: the stage that marked it, as in a chain and with its parameters, such as "watermark(key=0x9d3c55aa10f2e671,
 * width=4)"; NUL-terminated UTF-8. green_list needs its parameter vocab here. `tokens` may be NULL if `n` is 0. `out`
 * receives the result; unchanged on failure. `error`: NULL, or a buffer of `error_size` bytes for the message of a
 * failure, which is cut to fit, NUL-terminated, and does not contain the key. Thread-safe; it allocates and takes time
 * with `n`.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, struct_size too small, a token that is negative or not in the
 * vocabulary), BREGMAN_INVALID_CHAIN (not the text of one watermark stage).
 */
uint32_t bregman_watermark_score(const char *stage,
                                 const int32_t *tokens,
                                 size_t n,
                                 struct bregman_watermark *out,
                                 char *error,
                                 size_t error_size);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BREGMAN_H */
