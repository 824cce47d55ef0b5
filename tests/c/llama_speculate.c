/*
 * Speculative decoding as in llama.cpp: drafts of a few tokens, verified in one batch. A copy of the sampler runs over the
 * whole draft; the sampler itself advances by the accepted tokens. The text is that of plain decoding.
 */
#include "llama_test.h"

#include <stdio.h>
#include <string.h>

enum { TOKENS = 120, DRAFT = 4 };

static const char CHAIN[] = "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw";

static void plain(struct llama_context *context, llama_token *text)
{
    struct llama_sampler *sampler = stage(CHAIN, 11);
    llama_token prompt[64];
    start(context, 0, prompt);
    for (int i = 0; i < TOKENS; i++) {
        text[i] = llama_sampler_sample(sampler, context, -1);
        feed(context, &text[i], 1);
    }
    llama_sampler_free(sampler);
}

/* Feeds tokens from position `at` on, with logits for each. */
static void feed_all(struct llama_context *context, const llama_token *tokens, int32_t n, llama_pos at)
{
    struct llama_batch batch = llama_batch_init(n, 0, 1);
    for (int32_t i = 0; i < n; i++) {
        batch.token[i] = tokens[i];
        batch.pos[i] = at + i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    batch.n_tokens = n;
    CHECK(llama_decode(context, batch) == 0);
    llama_batch_free(batch);
}

/* A draft that is partly right: the plain text, with an error at a varying place. */
static void make_draft(llama_token *draft, const llama_token *text, int done, unsigned round)
{
    for (int i = 0; i < DRAFT; i++)
        draft[i] = done + i < TOKENS ? text[done + i] : 1;
    if (round % (DRAFT + 1) < DRAFT)
        draft[round % (DRAFT + 1)] ^= 1;
}

void test_speculate(struct llama_model *model)
{
    struct llama_context *context = new_context(model);
    struct llama_sampler *sampler = stage(CHAIN, 11), *ahead;
    llama_token text[TOKENS], prompt[64], checked[DRAFT + 1];
    int done = 0;
    unsigned rounds = 0, refused = 0;
    plain(context, text);
    llama_pos at = start(context, 0, prompt);
    ahead = llama_sampler_clone(sampler);
    CHECK(ahead != NULL);
    checked[0] = llama_sampler_sample(sampler, context, -1);
    CHECK(checked[0] == text[done++]);
    while (done < TOKENS) {
        llama_token fed[DRAFT + 1] = {text[done - 1]};
        llama_token seen[DRAFT + 1];
        int held = 0;
        make_draft(fed + 1, text, done, rounds++);
        feed_all(context, fed, DRAFT + 1, at);
        llama_sampler_copy(sampler, ahead);
        for (int i = 0; i <= DRAFT; i++)
            seen[i] = llama_sampler_sample(ahead, context, i); /* accepts, too */
        while (held < DRAFT && seen[held] == fed[held + 1])
            held++;
        /* The accepted tokens, and the sampler's own token after them. */
        for (int i = 0; i <= held && done < TOKENS; i++) {
            llama_token token = llama_sampler_sample(sampler, context, i);
            CHECK(token == seen[i] && token == text[done]);
            done++;
        }
        refused += held < DRAFT;
        at += 1 + held;
        llama_memory_seq_rm(llama_get_memory(context), 0, at, -1);
    }
    CHECK(refused > rounds / 2 && refused < rounds);
    printf("speculated %d (%u batches)\n", done, rounds);
    llama_sampler_free(sampler);
    llama_sampler_free(ahead);
    llama_free(context);
}
