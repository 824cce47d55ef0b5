/* Decoding with bregman: a row of logits to a token, in either of two ways. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "decode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bregman.h"
#include "llama.h"
#include "text.h"

struct decoder {
    enum face face;
    size_t n_vocab;
    bregman_sampler *sampler; /* raw only */
    /* Stage only: the chain owns the stage, which owns its bregman_sampler. */
    struct llama_sampler *chain;
    void *stage;
    llama_token_data *candidates;
};

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "generate: %s: %s\n", what, why);
    return -1;
}

static bregman_sampler *sampler_new(const char *chain, uint64_t seed)
{
    bregman_sampler *sampler = NULL;
    char error[512] = "";
    uint32_t status = bregman_sampler_new(chain, seed, &sampler, error, sizeof error);
    if (status == BREGMAN_OK)
        return sampler;
    fail(chain, *error ? error : bregman_status_text(status));
    return NULL;
}

/* Whether the chain draws by itself, tried with a second sampler so that the state of the first does not change. -1 on
 * failure. */
static int chain_draws(const char *chain)
{
    bregman_sampler *probe = sampler_new(chain, 0);
    if (!probe)
        return -1;
    bregman_candidate only = {.id = 0, .logit = 0.0f, .p = 0.0f};
    bregman_candidates candidates = {.data = &only, .size = 1, .selected = -1, .sorted = 0};
    uint32_t status = bregman_apply(probe, &candidates);
    int draws = candidates.selected >= 0;
    if (status != BREGMAN_OK)
        draws = fail(chain, bregman_sampler_error(probe));
    bregman_sampler_free(probe);
    return draws;
}

/* Builds llama.cpp's chain: the stage and, if it does not draw, llama.cpp's own draw after it. */
static int stage_open(decoder *d, const char *text, uint64_t seed, int draws)
{
    d->candidates = must_alloc(NULL, d->n_vocab, sizeof *d->candidates);
    d->chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
    bregman_sampler *sampler = d->chain ? sampler_new(text, seed) : NULL;
    if (!sampler)
        return -1;

    struct llama_sampler *(*init)(struct llama_sampler_i *, llama_sampler_context_t) = llama_sampler_init;
    void *address;
    memcpy(&address, &init, sizeof address); /* ISO C has no cast from a function to a void pointer */
    uint32_t status = bregman_llama_attach(address, sampler, &d->stage);
    if (status != BREGMAN_OK) {
        bregman_sampler_free(sampler); /* no stage owns it */
        return fail("bregman_llama_attach", bregman_status_text(status));
    }
    llama_sampler_chain_add(d->chain, d->stage);
    if (!draws)
        llama_sampler_chain_add(d->chain, llama_sampler_init_dist((uint32_t)seed));
    return 0;
}

static int raw_open(decoder *d, const char *text, uint64_t seed, int draws)
{
    if (!draws)
        return fail(text, "this chain does not draw: end it with '| draw', or use --face stage");
    d->sampler = sampler_new(text, seed);
    return d->sampler ? 0 : -1;
}

decoder *decoder_new(enum face face, const char *chain, uint64_t seed, size_t n_vocab)
{
    int draws = chain_draws(chain);
    if (draws < 0)
        return NULL;
    decoder *d = must_alloc(NULL, 1, sizeof *d);
    *d = (decoder){.face = face, .n_vocab = n_vocab};
    int status = face == FACE_RAW ? raw_open(d, chain, seed, draws) : stage_open(d, chain, seed, draws);
    if (status != 0) {
        decoder_free(d);
        return NULL;
    }
    return d;
}

void decoder_free(decoder *d)
{
    if (d->chain)
        llama_sampler_free(d->chain);
    bregman_sampler_free(d->sampler);
    free(d->candidates);
    free(d);
}

int decoder_accept(decoder *d, const int32_t *tokens, size_t n)
{
    if (d->face == FACE_RAW) {
        if (bregman_sampler_accept(d->sampler, tokens, n) != BREGMAN_OK)
            return fail("bregman", bregman_sampler_error(d->sampler));
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        llama_sampler_accept(d->chain, tokens[i]);
    return 0;
}

static int raw_next(decoder *d, const float *logits, decision *out)
{
    bregman_batch batch = {
        .struct_size = sizeof batch,
        .dtype = BREGMAN_F32,
        .logits = logits,
        .rows = 1,
        .vocab = d->n_vocab,
        .row_stride = d->n_vocab,
        .flags = BREGMAN_WANT_KEPT_MASS | BREGMAN_ACCEPT,
    };
    bregman_result result;
    double start = now();
    uint32_t status = bregman_decode_batch(&d->sampler, &batch, &result);
    out->microseconds = now() - start;
    if (status != BREGMAN_OK)
        return fail("bregman", bregman_sampler_error(d->sampler));
    out->token = result.token;
    out->support = result.support;
    out->kept_mass = (double)result.kept_mass;
    return 0;
}

/* Counts the candidates that the chain kept, and sums their probability under the softmax of the untouched row. */
static void measure(const llama_token_data_array *left, const float *logits, size_t n_vocab, decision *out)
{
    float top = -INFINITY;
    for (size_t i = 0; i < n_vocab; i++)
        top = logits[i] > top ? logits[i] : top;
    double all = 0.0, kept = 0.0;
    for (size_t i = 0; i < n_vocab; i++)
        all += exp((double)logits[i] - (double)top);
    out->support = 0;
    for (size_t i = 0; i < left->size; i++) {
        if (left->data[i].logit == -INFINITY) /* dropped in place */
            continue;
        out->support++;
        kept += exp((double)logits[left->data[i].id] - (double)top);
    }
    out->kept_mass = kept / all;
}

static int stage_next(decoder *d, const float *logits, decision *out)
{
    double start = now();
    for (size_t i = 0; i < d->n_vocab; i++)
        d->candidates[i] = (llama_token_data){.id = (llama_token)i, .logit = logits[i], .p = 0.0f};
    llama_token_data_array left = {.data = d->candidates, .size = d->n_vocab, .selected = -1, .sorted = false};
    llama_sampler_apply(d->chain, &left);
    double spent = now() - start;
    /* A stage that fails leaves the candidates unchanged; the message is on its handle. */
    const char *why = bregman_sampler_error(bregman_llama_sampler(d->stage));
    if (left.selected < 0 || (size_t)left.selected >= left.size || *why)
        return fail("bregman", *why ? why : "llama.cpp's chain selected no token");
    out->token = left.data[left.selected].id;
    measure(&left, logits, d->n_vocab, out);

    start = now();
    llama_sampler_accept(d->chain, out->token);
    out->microseconds = spent + now() - start;
    return 0;
}

int decoder_next(decoder *d, const float *logits, decision *out)
{
    return d->face == FACE_RAW ? raw_next(d, logits, out) : stage_next(d, logits, out);
}
