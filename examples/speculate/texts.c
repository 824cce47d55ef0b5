/* Texts, decoded in every way with drafts of several tokens: what is accepted, how long it takes, whether the text stays. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "pair.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A way to decode: how target and draft choose tokens, and the rule that verifies them. */
struct way {
    const char *name, *target, *draft; /* drawing stages; no target: llama.cpp's samplers; no draft: plain decoding */
    uint32_t rule;
    int own_seed;
};

static const struct way WAYS[] = {
    {"plain", "draw", NULL, BREGMAN_RULE_MATCH, 0},
    {"greedy draft, match", "draw", "greedy", BREGMAN_RULE_MATCH, 0},
    {"drawn draft, match", "draw", "draw", BREGMAN_RULE_MATCH, 1},
    {"token rule", "draw", "draw", BREGMAN_RULE_TOKEN, 1},
    {"block rule", "draw", "draw", BREGMAN_RULE_BLOCK, 1},
    {"plain, gumbel", "gumbel", NULL, BREGMAN_RULE_MATCH, 0},
    {"gumbel draft, match", "gumbel", "gumbel", BREGMAN_RULE_MATCH, 0}, /* coupled: same seed, same position */
    {"plain, llama.cpp's samplers", NULL, NULL, BREGMAN_RULE_MATCH, 0},
    {"greedy draft, llama.cpp's samplers", NULL, "greedy", BREGMAN_RULE_MATCH, 0}, /* its own way: sample and compare */
};
enum { N_WAYS = sizeof WAYS / sizeof *WAYS };

struct figures {
    size_t rounds, accepted, squares, tokens, differs;
    double seconds, verifying;
};

/* The samplers of one text, and a draft with the distributions that its tokens were drawn from. */
struct sequence {
    bregman_sampler *target, *drafter;
    struct llama_sampler *llama;
    llama_token draft[MOST_DRAFT];
    size_t offsets[MOST_DRAFT + 1], capacity;
    int32_t *ids;
    float *probs, *logits;
    llama_token_data *candidates;
};

/* Seconds of processor time, which other programs on the machine do not change as they change the time of day. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* llama.cpp's samplers for a chain that they have, else NULL. */
static struct llama_sampler *llama_chain(const char *chain, uint64_t seed)
{
    float temperature;
    int k, end = 0;
    if (sscanf(chain, "temperature(%f) | top_k(%d)%n", &temperature, &k, &end) != 2 || chain[end] != '\0')
        return NULL;
    struct llama_sampler *samplers = llama_sampler_chain_init(llama_sampler_chain_default_params());
    llama_sampler_chain_add(samplers, llama_sampler_init_top_k(k));
    llama_sampler_chain_add(samplers, llama_sampler_init_temp(temperature));
    llama_sampler_chain_add(samplers, llama_sampler_init_dist((uint32_t)seed));
    return samplers;
}

/* Drafts tokens to follow a text. */
static void make_draft(struct sequence *s, struct run *model, const struct way *way, llama_token *text, size_t n)
{
    for (size_t i = 0; i < options.gamma; i++) {
        bregman_result result;
        evaluate_draft(model, text, n + i, s->logits);
        if (way->rule != BREGMAN_RULE_MATCH) {
            size_t at = s->offsets[i], len = 0;
            check(s->drafter, bregman_distribution(s->drafter, s->logits, model->n_vocab, s->ids + at, s->probs + at,
                                                   s->capacity - at, &len));
            s->offsets[i + 1] = at + len;
        }
        check(s->drafter, bregman_decode(s->drafter, s->logits, model->n_vocab, &result));
        check(s->drafter, bregman_sampler_accept(s->drafter, &result.token, 1));
        text[n + i] = s->draft[i] = result.token;
    }
}

/* Verifies `n` drafted tokens: writes the new tokens and returns how many of the drafted ones stand. */
static size_t verify(struct sequence *s, const struct way *way, size_t n, size_t vocab, llama_token *tokens)
{
    uint32_t accepted = 0;
    bregman_result results[MOST_DRAFT + 1];
    bregman_draft draft = {.struct_size = sizeof draft, .rule = way->rule, .tokens = s->draft, .n = n};
    bregman_batch rows = {.struct_size = sizeof rows, .dtype = BREGMAN_F32, .logits = s->logits, .rows = n + 1};
    rows.vocab = rows.row_stride = vocab;
    rows.flags = BREGMAN_ACCEPT;
    if (way->rule != BREGMAN_RULE_MATCH) {
        draft.q_offsets = s->offsets;
        draft.q_ids = s->ids;
        draft.q_probs = s->probs;
    }
    check(s->target, bregman_verify(&s->target, &draft, 1, &rows, &accepted, NULL, results));
    for (size_t i = 0; i <= accepted; i++)
        tokens[i] = results[i].token;
    return accepted;
}

/* The same with llama.cpp's samplers: one sample after the other, until one is not the drafted token. */
static size_t sample_and_compare(struct sequence *s, size_t n, size_t vocab, llama_token *tokens)
{
    for (size_t i = 0;; i++) {
        for (size_t t = 0; t < vocab; t++)
            s->candidates[t] = (llama_token_data){(llama_token)t, s->logits[i * vocab + t], 0};
        llama_token_data_array row = {s->candidates, vocab, -1, false};
        llama_sampler_apply(s->llama, &row);
        tokens[i] = row.data[row.selected].id;
        llama_sampler_accept(s->llama, tokens[i]);
        if (i == n || tokens[i] != s->draft[i])
            return i;
    }
}

/* One round: the number of tokens that it adds to the text. */
static size_t advance(struct pair *pair, const struct way *way, struct sequence *s, llama_token *text, size_t n,
                      struct figures *figures)
{
    size_t drafted = way->draft == NULL ? 0 : options.gamma, vocab = pair->target.n_vocab;
    llama_token tokens[MOST_DRAFT + 1];
    if (drafted > 0)
        make_draft(s, &pair->drafter, way, text, n);
    evaluate(&pair->target, text, n + drafted, drafted + 1, s->logits);
    double start = now();
    size_t accepted = way->target == NULL ? sample_and_compare(s, drafted, vocab, tokens) : verify(s, way, drafted, vocab, tokens);
    figures->verifying += now() - start;
    memcpy(text + n, tokens, (accepted + 1) * sizeof *tokens);
    if (drafted > 0) {
        /* The draft's sampler follows: without what was refused, with the new token, at the target's position. */
        uint64_t seed, position;
        check(s->target, bregman_sampler_where(s->target, NULL, &position, NULL, NULL));
        check(s->drafter, bregman_sampler_rewind(s->drafter, drafted - accepted));
        check(s->drafter, bregman_sampler_accept(s->drafter, &text[n + accepted], 1));
        check(s->drafter, bregman_sampler_where(s->drafter, &seed, NULL, NULL, NULL));
        check(s->drafter, bregman_sampler_reseed(s->drafter, seed, position));
    }
    figures->rounds++;
    figures->accepted += accepted;
    figures->squares += accepted * accepted;
    return accepted + 1;
}

/* Adds `options.tokens` tokens to a prompt. */
static void write_text(struct pair *pair, const struct way *way, const char *chain, uint64_t seed, llama_token *text, size_t n,
                       struct figures *figures)
{
    size_t end = n + options.tokens, vocab = pair->target.n_vocab;
    struct sequence s = {.capacity = options.gamma * vocab};
    s.target = new_sampler(chain, way->target == NULL ? "draw" : way->target, seed);
    s.drafter = new_sampler(chain, way->draft == NULL ? "draw" : way->draft, way->own_seed ? seed + 1000000 : seed);
    s.llama = llama_chain(chain, seed);
    s.logits = allocate((options.gamma + 1) * vocab, sizeof *s.logits);
    s.candidates = allocate(vocab, sizeof *s.candidates);
    s.ids = allocate(s.capacity, sizeof *s.ids);
    s.probs = allocate(s.capacity, sizeof *s.probs);
    check(s.target, bregman_sampler_accept(s.target, text, n));
    check(s.drafter, bregman_sampler_accept(s.drafter, text, n));
    pair->target.cached = pair->drafter.cached = 0;
    /* The prompt is read before the clock runs. */
    evaluate(&pair->target, text, n, 1, s.logits);
    evaluate_draft(&pair->drafter, text, n, s.logits);
    double start = now();
    while (n < end) {
        size_t more = advance(pair, way, &s, text, n, figures);
        figures->tokens += more;
        n += more;
    }
    figures->seconds += now() - start;
    bregman_sampler_free(s.target);
    bregman_sampler_free(s.drafter);
    if (s.llama != NULL)
        llama_sampler_free(s.llama);
    free(s.logits);
    free(s.candidates);
    free(s.ids);
    free(s.probs);
}

static void print_line(const struct way *way, const struct figures *f, const struct figures *plain)
{
    double rounds = (double)f->rounds, mean = (double)f->accepted / rounds, variance = (double)f->squares / rounds - mean * mean;
    double drafted = way->draft == NULL ? 0 : (double)options.gamma;
    printf("| %s | ", way->name);
    if (drafted > 0)
        printf("%.2f ± %.2f of %.0f", mean, 1.96 * sqrt(variance / rounds), drafted);
    printf(" | %.1f | %.2f | %.0f | ", (double)f->tokens / f->seconds,
           (double)f->tokens / f->seconds / ((double)plain->tokens / plain->seconds),
           f->verifying / rounds * 1e6);
    if (way->draft == NULL)
        printf("|\n");
    else if (way->rule != BREGMAN_RULE_MATCH)
        printf("same distribution |\n");
    else
        printf("%s |\n", f->differs == 0 ? "that of plain decoding" : "DIFFERS");
}

static int print_chain(struct pair *pair, const char *chain)
{
    static llama_token text[MOST_TEXT], plain[MOST_TEXT];
    struct figures figures[N_WAYS] = {0};
    struct llama_sampler *llama = llama_chain(chain, 0);
    size_t ways = llama == NULL ? N_WAYS - 2 : N_WAYS;
    int failed = 0;
    if (llama != NULL)
        llama_sampler_free(llama);
    for (uint64_t seed = 0; seed < options.seeds; seed++)
        for (size_t w = 0; w < ways; w++) {
            size_t prompt = read_prompt(&pair->target, seed, text);
            write_text(pair, &WAYS[w], chain, seed, text, prompt, &figures[w]);
            size_t bytes = (prompt + options.tokens) * sizeof *text;
            if (WAYS[w].draft == NULL)
                memcpy(plain, text, bytes);
            else if (WAYS[w].rule == BREGMAN_RULE_MATCH && memcmp(plain, text, bytes) != 0)
                figures[w].differs++;
        }
    printf("`%s`, %zu tokens a draft, %zu texts of %zu tokens:\n\n", chain, options.gamma, options.seeds, options.tokens);
    printf("| way | accepted | tokens a second of CPU time | to plain | verifying, us a round | text |\n|---|---|--:|--:|--:|---|\n");
    for (size_t w = 0; w < ways; w++) {
        print_line(&WAYS[w], &figures[w], &figures[0]);
        failed |= figures[w].differs != 0;
    }
    printf("\n");
    return failed;
}

int print_texts(struct pair *pair)
{
    int failed = 0;
    for (size_t c = 0; c < options.n_chains; c++)
        failed |= print_chain(pair, options.chains[c]);
    return failed;
}
