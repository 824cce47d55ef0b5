/*
 * A thousand tokens of a real model for each truncation that llama.cpp and bregman both have: at each step the stage keeps
 * the tokens that the built-in sampler keeps, with the same probabilities, and the chain with the stage writes the text. A
 * new truncation needs an entry in the table below.
 */
#include "llama_test.h"

#include <math.h>
#include <stdio.h>

enum { TOKENS = 1000, TEXT = 200 };

typedef struct truncation {
    const char *name;
    struct llama_sampler *(*theirs)(void);
    const char *ours;
    /* Whether rounding in single precision decides about one of these sorted logits; such a step is left out. */
    bool (*is_near_cut)(const double *sorted, size_t n);
    unsigned long most_near; /* largest number of steps that are left out */
    unsigned long least_cut;  /* least number of steps that drop tokens: xtc only where two are above its threshold */
} truncation;

static struct llama_sampler *top_k(void) { return llama_sampler_init_top_k(40); }
static struct llama_sampler *top_p(void) { return llama_sampler_init_top_p(0.9f, 1); }
static struct llama_sampler *min_p(void) { return llama_sampler_init_min_p(0.05f, 1); }

static struct llama_sampler *typical(void) { return llama_sampler_init_typical(0.9f, 1); }
static struct llama_sampler *top_n_sigma(void) { return llama_sampler_init_top_n_sigma(1.0f); }
/* With probability 1, so that no random number is involved: they differ. */
static struct llama_sampler *xtc(void) { return llama_sampler_init_xtc(1.0f, 0.03f, 1, 1); }

static bool near_top_k(const double *l, size_t n) { return is_tie(l, n, 40); }
static bool near_top_p(const double *l, size_t n) { return is_near_top_p(l, n, (double)0.9f); }
static bool near_min_p(const double *l, size_t n) { return is_near_min_p(l, n, (double)0.05f); }
static bool near_typical(const double *l, size_t n) { return is_near_typical(l, n, (double)0.9f); }
static bool near_top_n_sigma(const double *l, size_t n) { return is_near_top_n_sigma(l, n, 1.0); }
static bool near_xtc(const double *l, size_t n) { return is_near_xtc(l, n, (double)0.03f); }

static const truncation truncations[] = {
    {"top_k", top_k, "top_k(40)", near_top_k, TOKENS / 50, TOKENS},
    {"top_p", top_p, "top_p(0.899999976)", near_top_p, TOKENS / 50, TOKENS},
    {"min_p", min_p, "min_p(0.0500000007)", near_min_p, TOKENS / 50, TOKENS},
    {"typical", typical, "typical(0.899999976, rule=exceed)", near_typical, TOKENS / 4, TOKENS},
    {"top_n_sigma", top_n_sigma, "top_n_sigma(1)", near_top_n_sigma, TOKENS / 10, TOKENS},
    {"xtc", xtc, "xtc(1, threshold=0.0299999993)", near_xtc, TOKENS / 50, TOKENS / 10},
};

/* A chain that draws with llama.cpp's own sampler. */
static struct llama_sampler *chain_with(const char *ours, uint32_t seed)
{
    struct llama_sampler *chain = new_chain();
    llama_sampler_chain_add(chain, stage(ours, 1));
    llama_sampler_chain_add(chain, llama_sampler_init_temp(0.8f));
    llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
    return chain;
}

static bool is_in(const array *a, llama_token token)
{
    for (size_t i = 0; i < a->list.size; i++)
        if (a->list.data[i].id == token)
            return a->list.data[i].logit > -INFINITY;
    return false;
}

static void write_with(struct llama_context *context, const truncation *t)
{
    static array a, b;
    static double sorted[MOST];
    size_t vocabulary = (size_t)llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context)));
    struct llama_sampler *theirs = t->theirs(), *ours = stage(t->ours, 1);
    unsigned long near_cut = 0, kept = 0, cut = 0;
    for (unsigned i = 0; i < TOKENS; i += TEXT) {
        struct llama_sampler *chain = chain_with(t->ours, 100 + i);
        llama_token tokens[64], token;
        start(context, i / TEXT, tokens);
        for (int j = 0; j < TEXT; j++) {
            from_logits(&a, llama_get_logits_ith(context, -1), vocabulary);
            copy_array(&b, &a);
            bool near = t->is_near_cut(sorted, sorted_logits(&a, sorted));
            llama_sampler_apply(theirs, &a.list);
            llama_sampler_apply(ours, &b.list);
            if (!near)
                CHECK(same_distribution(&a, &b));
            near_cut += near;
            size_t left = sorted_logits(&b, sorted); /* xtc bans in place */
            kept += left;
            cut += left < vocabulary;
            token = llama_sampler_sample(chain, context, -1);
            CHECK(is_in(&b, token));
            feed(context, &token, 1);
        }
        llama_sampler_free(chain);
    }
    CHECK(cut >= t->least_cut);
    CHECK(near_cut < t->most_near && kept > TOKENS);
    printf("%s tokens %d (%lu near a cut, %.1f kept)\n", t->name, TOKENS, near_cut, (double)kept / TOKENS);
    llama_sampler_free(theirs);
    llama_sampler_free(ours);
}

void test_truncate(struct llama_model *model)
{
    struct llama_context *context = new_context(model);
    for (size_t t = 0; t < sizeof truncations / sizeof *truncations; t++)
        write_with(context, &truncations[t]);
    llama_free(context);
}
