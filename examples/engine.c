/*
 * A minimal C engine: raw logits to tokens, with the mask of a grammar, a draft that is verified, a sequence that is
 * resumed elsewhere, and a string that is taken back. Its "model" is a formula, so that it runs without one.
 */
#include <bregman.h>

#include <stdio.h>
#include <string.h>

enum { VOCAB = 512, WORDS = (VOCAB + 31) / 32, TOKENS = 32, DRAFT = 4 };

static const char CHAIN[] = "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw";

/* The logits after `token` at a position: the engine's forward pass. */
static void forward(int32_t token, size_t position, float *logits)
{
    for (uint32_t i = 0; i < VOCAB; i++)
        logits[i] = (float)((i * 7919u + (uint32_t)token * 31337u + (uint32_t)position * 104729u) % 1009u) / 100.0f;
}

static int fail(const bregman_sampler *sampler, uint32_t status)
{
    fprintf(stderr, "%s: %s\n", bregman_status_text(status), bregman_sampler_error(sampler));
    return 1;
}

/* The decode loop: one sampler per sequence, one call per token. */
static int plain(bregman_sampler *sampler, const int32_t *prompt, size_t n, int32_t *text)
{
    float logits[VOCAB];
    bregman_result r = {0};
    uint32_t status = bregman_sampler_accept(sampler, prompt, n);
    r.token = prompt[n - 1];
    for (size_t i = 0; i < TOKENS && status == BREGMAN_OK; i++) {
        forward(r.token, i, logits);
        status = bregman_decode(sampler, logits, VOCAB, &r);
        if (status == BREGMAN_OK) {
            text[i] = r.token;
            status = bregman_sampler_accept(sampler, &r.token, 1);
        }
    }
    return status == BREGMAN_OK ? 0 : fail(sampler, status);
}

/* One row with the mask of a grammar: a bit for each token. */
static uint32_t decode_masked(bregman_sampler *sampler, const float *logits, const uint32_t *mask, bregman_result *r)
{
    bregman_batch batch = {0};
    batch.struct_size = sizeof batch;
    batch.dtype = BREGMAN_F32;
    batch.logits = logits;
    batch.rows = 1;
    batch.vocab = batch.row_stride = VOCAB;
    batch.mask = mask;
    batch.mask_stride = WORDS;
    batch.flags = BREGMAN_ACCEPT;
    return bregman_decode_batch(&sampler, &batch, r);
}

/*
 * One round of speculative decoding: the tokens of a draft are verified in one call. Returns the number of new tokens (the
 * accepted ones of the draft, and one of the sampler's own), 0 on failure.
 */
static size_t speculate(bregman_sampler *sampler, int32_t last, size_t position, const int32_t *tokens, int32_t *out)
{
    float logits[(DRAFT + 1) * VOCAB]; /* one batch of the target model gives the rows after each token of the draft */
    forward(last, position, logits);
    for (size_t i = 0; i < DRAFT; i++)
        forward(tokens[i], position + i + 1, logits + (i + 1) * VOCAB);

    bregman_result results[DRAFT + 1];
    uint32_t accepted = 0;
    bregman_draft draft = {0};
    draft.struct_size = sizeof draft;
    draft.rule = BREGMAN_RULE_MATCH;
    draft.tokens = tokens;
    draft.n = DRAFT;
    bregman_batch rows = {0};
    rows.struct_size = sizeof rows;
    rows.dtype = BREGMAN_F32;
    rows.logits = logits;
    rows.rows = DRAFT + 1;
    rows.vocab = rows.row_stride = VOCAB;
    rows.flags = BREGMAN_ACCEPT;
    if (bregman_verify(&sampler, &draft, 1, &rows, &accepted, NULL, results) != BREGMAN_OK)
        return 0; /* nothing has changed */
    for (size_t i = 0; i <= accepted; i++)
        out[i] = results[i].token;
    return accepted + 1;
}

static int check_speculation(const int32_t *prompt, size_t n, const int32_t *text)
{
    bregman_sampler *sampler = NULL;
    int32_t last = prompt[n - 1], out[DRAFT + 1];
    size_t done = 0;
    if (bregman_sampler_new(CHAIN, 42, &sampler, NULL, 0) != BREGMAN_OK)
        return 1;
    bregman_sampler_accept(sampler, prompt, n);
    while (done < TOKENS) {
        int32_t draft[DRAFT] = {0}; /* correct for two tokens */
        memcpy(draft, text + done, sizeof *draft * (TOKENS - done < 2 ? TOKENS - done : 2));
        size_t brought = speculate(sampler, last, done, draft, out);
        for (size_t i = 0; i < brought && done < TOKENS; i++)
            if (out[i] != text[done++])
                brought = 0;
        if (brought == 0) {
            bregman_sampler_free(sampler);
            return 1;
        }
        last = out[brought - 1];
    }
    bregman_sampler_free(sampler);
    return 0;
}

/* Another machine resumes the sequence after `at` tokens, from the bytes of its state. */
static int check_resumption(const int32_t *prompt, size_t n, const int32_t *text, size_t at)
{
    bregman_sampler *here = NULL, *there = NULL;
    float logits[VOCAB];
    bregman_result r;
    int wrong = 0;
    if (bregman_sampler_new(CHAIN, 42, &here, NULL, 0) != BREGMAN_OK)
        return 1;
    bregman_sampler_accept(here, prompt, n);
    for (size_t i = 0; i < at; i++) {
        forward(i == 0 ? prompt[n - 1] : text[i - 1], i, logits);
        wrong += bregman_decode(here, logits, VOCAB, &r) != BREGMAN_OK;
        bregman_sampler_accept(here, &r.token, 1);
    }

    unsigned char bytes[4096];
    size_t size = 0;
    char error[256] = "";
    if (bregman_sampler_save(here, bytes, sizeof bytes, &size) != BREGMAN_OK ||
        bregman_sampler_load(bytes, size, NULL, 0, &there, error, sizeof error) != BREGMAN_OK) {
        fprintf(stderr, "%s %s\n", bregman_sampler_error(here), error);
        bregman_sampler_free(here);
        return 1;
    }

    bregman_sampler_free(here);
    for (size_t i = at; i < TOKENS; i++) {
        forward(text[i - 1], i, logits);
        wrong += bregman_decode(there, logits, VOCAB, &r) != BREGMAN_OK || r.token != text[i];
        bregman_sampler_accept(there, &r.token, 1);
    }
    /* The last three tokens are taken back, and come again. */
    wrong += bregman_sampler_rewind(there, 3) != BREGMAN_OK;
    for (size_t i = TOKENS - 3; i < TOKENS; i++) {
        forward(text[i - 1], i, logits);
        wrong += bregman_decode(there, logits, VOCAB, &r) != BREGMAN_OK || r.token != text[i];
        bregman_sampler_accept(there, &r.token, 1);
    }
    bregman_sampler_free(there);
    return wrong;
}

/* A string of several tokens that must not stand in the text: where it is complete, it is taken back, and its first token is
   banned in the row in which it began. */
static int check_string_ban(const int32_t *prompt, size_t n, const int32_t *text)
{
    enum { STRING = 3 };
    const int32_t *string = text + 10; /* would otherwise stand there */
    bregman_sampler *sampler = NULL;
    float logits[VOCAB];
    uint32_t mask[WORDS];
    int32_t written[TOKENS];
    size_t banned = TOKENS, taken_back = 0;
    int wrong = 0;
    if (bregman_sampler_new(CHAIN, 42, &sampler, NULL, 0) != BREGMAN_OK)
        return 1;
    memset(mask, 0xff, sizeof mask);
    mask[string[0] / 32] &= ~(1u << string[0] % 32);
    bregman_sampler_accept(sampler, prompt, n);
    for (size_t i = 0; i < TOKENS && wrong == 0;) {
        bregman_result r;
        forward(i == 0 ? prompt[n - 1] : written[i - 1], i, logits);
        if (i == banned)
            wrong += decode_masked(sampler, logits, mask, &r) != BREGMAN_OK;
        else {
            wrong += bregman_decode(sampler, logits, VOCAB, &r) != BREGMAN_OK;
            wrong += bregman_sampler_accept(sampler, &r.token, 1) != BREGMAN_OK;
        }
        written[i++] = r.token;
        if (i >= STRING && memcmp(written + i - STRING, string, STRING * sizeof *string) == 0) {
            wrong += bregman_sampler_rewind(sampler, STRING) != BREGMAN_OK;
            i -= STRING;
            banned = i; /* the row in which the string began */
            taken_back++;
        }
    }
    bregman_sampler_free(sampler);
    return wrong + (taken_back == 0) + (memcmp(written, text, 10 * sizeof *text) != 0);
}

/* A grammar that is checked after the draw: draw, and draw again under the mask only if the token is banned. */
static uint32_t decode_lazily(bregman_sampler *sampler, const float *logits, const uint32_t *mask, bregman_result *r)
{
    uint64_t seed, position;
    bregman_batch batch = {0};
    batch.struct_size = sizeof batch;
    batch.dtype = BREGMAN_F32;
    batch.logits = logits;
    batch.rows = 1;
    batch.vocab = batch.row_stride = VOCAB;
    batch.flags = BREGMAN_STAY; /* the position stays */
    uint32_t status = bregman_decode_batch(&sampler, &batch, r);
    if (status != BREGMAN_OK)
        return status;
    if (mask[r->token / 32] >> r->token % 32 & 1u) {
        bregman_sampler_where(sampler, &seed, &position, NULL, NULL);
        return bregman_sampler_reseed(sampler, seed, position + 1); /* the token stands */
    }
    batch.mask = mask;
    batch.mask_stride = WORDS;
    batch.flags = 0;
    return bregman_decode_batch(&sampler, &batch, r);
}

/* With `gumbel` and no truncation before the mask, both orders give the same token. */
static int check_lazy_mask(void)
{
    bregman_sampler *first = NULL, *lazy = NULL;
    float logits[VOCAB];
    uint32_t mask[WORDS] = {0};
    bregman_result r = {0}, l = {0};
    int wrong = 0;
    if (bregman_sampler_new("temperature(0.8) | gumbel", 42, &first, NULL, 0) != BREGMAN_OK)
        return 1;
    if (bregman_sampler_clone(first, &lazy) != BREGMAN_OK) {
        bregman_sampler_free(first);
        return 1;
    }
    for (uint32_t t = 0; t < VOCAB; t += 2)
        mask[t / 32] |= 1u << t % 32;
    for (size_t i = 0; i < TOKENS; i++) {
        forward(r.token, i, logits);
        wrong += decode_masked(first, logits, mask, &r) != BREGMAN_OK;
        wrong += decode_lazily(lazy, logits, mask, &l) != BREGMAN_OK || l.token != r.token;
        bregman_sampler_accept(lazy, &l.token, 1);
    }
    bregman_sampler_free(first);
    bregman_sampler_free(lazy);
    return wrong;
}

/* A grammar that allows every fifth token, and then none at all. */
static int check_mask(void)
{
    bregman_sampler *sampler = NULL;
    float logits[VOCAB];
    uint32_t mask[WORDS] = {0};
    bregman_result r = {0};
    int wrong = 0;
    if (bregman_sampler_new(CHAIN, 42, &sampler, NULL, 0) != BREGMAN_OK)
        return 1;
    for (uint32_t t = 0; t < VOCAB; t += 5)
        mask[t / 32] |= 1u << t % 32;
    forward(1, 0, logits);
    wrong += decode_masked(sampler, logits, mask, &r) != BREGMAN_OK || r.token % 5 != 0;
    memset(mask, 0, sizeof mask);
    wrong += decode_masked(sampler, logits, mask, &r) != BREGMAN_EMPTY_SUPPORT || r.token != -1;
    bregman_sampler_free(sampler);
    return wrong;
}

int main(void)
{
    const int32_t prompt[] = {17, 4, 99};
    int32_t text[TOKENS];
    bregman_sampler *sampler = NULL;
    char error[512];
    if (bregman_sampler_new(CHAIN, 42, &sampler, error, sizeof error) != BREGMAN_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    int failed = plain(sampler, prompt, 3, text);
    bregman_sampler_free(sampler);
    if (failed || check_speculation(prompt, 3, text) || check_resumption(prompt, 3, text, 20) ||
        check_string_ban(prompt, 3, text) || check_mask() || check_lazy_mask())
        return 1;
    printf("%d tokens; the draft, the resumed sequence and the masked rows agree\n", TOKENS);
    return 0;
}
