/* One drafted token at each of many positions of a text, many times: the share that each way accepts, and what theory says. */
#include "pair.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { GREEDY, DRAWN, SAME_NOISE, COUPLED, TOKEN_RULE, N_WAYS };

static const struct way {
    const char *name, *target, *draft;
    uint32_t rule;
    int own_seed;
} WAYS[N_WAYS] = {
    [GREEDY] = {"greedy draft", "draw", "greedy", BREGMAN_RULE_MATCH, 0},
    [DRAWN] = {"drawn draft", "draw", "draw", BREGMAN_RULE_MATCH, 1},
    [SAME_NOISE] = {"drawn, same seed", "draw", "draw", BREGMAN_RULE_MATCH, 0},
    [COUPLED] = {"both gumbel", "gumbel", "gumbel", BREGMAN_RULE_MATCH, 0},
    [TOKEN_RULE] = {"token rule", "draw", "draw", BREGMAN_RULE_TOKEN, 1},
};

/* Sums over positions: what theory says each way accepts (of SAME_NOISE it says nothing), and what was accepted. */
struct sums {
    size_t positions, accepted[N_WAYS];
    double theory[N_WAYS], variance[N_WAYS], squares;
};

/* The distributions of both models at one position. */
struct laws {
    size_t vocab, n_p, n_q;
    int32_t *p_ids, *q_ids;
    float *p, *q;
    double *q_of; /* q of every token; 0 outside of its support */
};

/* Both models' probabilities of a token that both may draw. */
struct both {
    double p, q;
};

static int by_ratio(const void *a, const void *b)
{
    const struct both *x = a, *y = b;
    double left = x->p * y->q, right = y->p * x->q;
    return (left > right) - (left < right);
}

/* The probability that two draws by the same Gumbel noise agree: the sum over tokens i of both supports of
   1 / sum over j of max(p_j / p_i, q_j / q_i), in order of p / q (arXiv 2408.07978). */
static double coupled(struct both *tokens, size_t n)
{
    double below = 1, above = 0, sum = 0; /* q of tokens with a smaller ratio, p of those with a larger one or the same */
    qsort(tokens, n, sizeof *tokens, by_ratio);
    for (size_t i = 0; i < n; i++)
        below -= tokens[i].q; /* left: the tokens that only the draft may draw, whose ratio is 0 */
    above = 1;
    for (size_t i = 0; i < n; i++) {
        sum += 1 / (above / tokens[i].p + below / tokens[i].q);
        above -= tokens[i].p;
        below += tokens[i].q;
    }
    return sum;
}

/* What theory says of a position, given the most likely token of the draft. */
static void predict(const struct laws *laws, int32_t likeliest, struct both *tokens, double *theory)
{
    size_t n = 0;
    theory[GREEDY] = theory[DRAWN] = theory[TOKEN_RULE] = 0;
    for (size_t i = 0; i < laws->n_p; i++) {
        double p = laws->p[i], q = laws->q_of[laws->p_ids[i]];
        theory[DRAWN] += p * q;
        theory[TOKEN_RULE] += fmin(p, q);
        if (laws->p_ids[i] == likeliest)
            theory[GREEDY] = p;
        if (p > 0 && q > 0)
            tokens[n++] = (struct both){p, q};
    }
    theory[COUPLED] = coupled(tokens, n);
}

/* Drafts and verifies one token with each of many seeds; `rows` are the target's row and any other, for the token after. */
static size_t accepted_of(const struct way *way, bregman_sampler *target, bregman_sampler *drafter, const struct laws *laws,
                          const float *rows, const float *draft_row, uint64_t position)
{
    size_t sum = 0, offsets[2] = {0, laws->n_q};
    bregman_batch batch = {.struct_size = sizeof batch, .dtype = BREGMAN_F32, .logits = rows, .rows = 2};
    batch.vocab = batch.row_stride = laws->vocab;
    for (uint64_t seed = 0; seed < options.draws; seed++) {
        uint32_t accepted;
        bregman_result drafted, results[2];
        bregman_draft draft = {.struct_size = sizeof draft, .rule = way->rule, .tokens = &drafted.token, .n = 1};
        if (way->rule != BREGMAN_RULE_MATCH)
            draft.q_offsets = offsets, draft.q_ids = laws->q_ids, draft.q_probs = laws->q;
        check(target, bregman_sampler_reseed(target, seed, position));
        check(drafter, bregman_sampler_reseed(drafter, way->own_seed ? seed + 1000000 : seed, position));
        check(drafter, bregman_decode(drafter, draft_row, laws->vocab, &drafted));
        check(target, bregman_verify(&target, &draft, 1, &batch, &accepted, NULL, results));
        check(target, bregman_sampler_rewind(target, accepted));
        sum += accepted;
    }
    return sum;
}

/* Both models' rows at the positions of one text that the target writes, and one row more. */
static void read_rows(struct pair *pair, size_t number, llama_token *text, size_t prompt, float *rows, float *draft_rows)
{
    size_t vocab = pair->target.n_vocab;
    bregman_sampler *sampler = new_sampler(options.chains[0], "draw", number);
    check(sampler, bregman_sampler_accept(sampler, text, prompt));
    pair->target.cached = pair->drafter.cached = 0;
    for (size_t i = 0; i <= options.tokens; i++) {
        bregman_result result;
        evaluate(&pair->target, text, prompt + i, 1, rows + i * vocab);
        if (i == options.tokens)
            break;
        evaluate_draft(&pair->drafter, text, prompt + i, draft_rows + i * vocab);
        check(sampler, bregman_decode(sampler, rows + i * vocab, vocab, &result));
        check(sampler, bregman_sampler_accept(sampler, &result.token, 1));
        text[prompt + i] = result.token;
    }
    bregman_sampler_free(sampler);
}

/* Measures a chain at the positions of one text. */
static void measure(const char *chain, const llama_token *text, size_t prompt, const float *rows, const float *draft_rows,
                    struct laws *laws, struct both *tokens, struct sums *sums)
{
    bregman_sampler *targets[N_WAYS], *drafters[N_WAYS];
    for (size_t w = 0; w < N_WAYS; w++) {
        targets[w] = new_sampler(chain, WAYS[w].target, 0);
        drafters[w] = new_sampler(chain, WAYS[w].draft, 0);
        check(targets[w], bregman_sampler_accept(targets[w], text, prompt));
        check(drafters[w], bregman_sampler_accept(drafters[w], text, prompt));
    }
    for (size_t i = 0; i < options.tokens; i++) {
        const float *row = rows + i * laws->vocab, *draft_row = draft_rows + i * laws->vocab;
        bregman_result likeliest;
        double theory[N_WAYS] = {0};
        check(targets[0], bregman_distribution(targets[0], row, laws->vocab, laws->p_ids, laws->p, laws->vocab, &laws->n_p));
        check(drafters[DRAWN], bregman_distribution(drafters[DRAWN], draft_row, laws->vocab, laws->q_ids, laws->q, laws->vocab,
                                                    &laws->n_q));
        check(drafters[GREEDY], bregman_decode(drafters[GREEDY], draft_row, laws->vocab, &likeliest));
        for (size_t j = 0; j < laws->n_q; j++)
            laws->q_of[laws->q_ids[j]] = laws->q[j];
        predict(laws, likeliest.token, tokens, theory);
        for (size_t j = 0; j < laws->n_q; j++)
            laws->q_of[laws->q_ids[j]] = 0;
        for (size_t w = 0; w < N_WAYS; w++) {
            /* A random position of its own for each position of each text, so that all noise is independent. */
            sums->accepted[w] += accepted_of(&WAYS[w], targets[w], drafters[w], laws, row, draft_row, sums->positions);
            sums->theory[w] += theory[w];
            sums->variance[w] += theory[w] * (1 - theory[w]);
            check(targets[w], bregman_sampler_accept(targets[w], &text[prompt + i], 1));
            check(drafters[w], bregman_sampler_accept(drafters[w], &text[prompt + i], 1));
        }
        sums->squares += theory[TOKEN_RULE] * theory[TOKEN_RULE];
        sums->positions++;
    }
    for (size_t w = 0; w < N_WAYS; w++) {
        bregman_sampler_free(targets[w]);
        bregman_sampler_free(drafters[w]);
    }
}

/* A line of the table; 1 if a measured share is more than four standard deviations away from what theory says. */
static int print_line(const char *chain, const struct sums *sums)
{
    int failed = 0;
    double n = (double)sums->positions, draws = n * (double)options.draws;
    double optimum = sums->theory[TOKEN_RULE] / n;
    printf("| `");
    for (; *chain != '\0'; chain++)
        printf(*chain == '|' ? "\\%c" : "%c", *chain);
    printf("` | %.3f ± %.3f | %.3f", optimum, 1.96 * sqrt((sums->squares / n - optimum * optimum) / n), sums->theory[COUPLED] / n);
    for (size_t w = 0; w < N_WAYS; w++) {
        double share = (double)sums->accepted[w] / draws;
        double deviation = sqrt(sums->variance[w] * (double)options.draws) / draws;
        int differs = w != SAME_NOISE && fabs(share - sums->theory[w] / n) > 4 * deviation + 1e-6;
        printf(" | %.3f ± %.3f%s", share, 1.96 * sqrt(share * (1 - share) / draws), differs ? " NOT WHAT THEORY SAYS" : "");
        failed |= differs;
    }
    printf(" |\n");
    return failed;
}

int print_acceptance(struct pair *pair)
{
    size_t vocab = pair->target.n_vocab, texts = (options.positions + options.tokens - 1) / options.tokens;
    float *rows = allocate((options.tokens + 1) * vocab, sizeof *rows), *draft_rows = allocate(options.tokens * vocab, sizeof *rows);
    struct both *tokens = allocate(vocab, sizeof *tokens);
    struct sums sums[MOST_LISTED] = {0};
    struct laws laws = {.vocab = vocab};
    llama_token text[MOST_TEXT];
    int failed = 0;
    laws.p_ids = allocate(vocab, sizeof *laws.p_ids);
    laws.q_ids = allocate(vocab, sizeof *laws.q_ids);
    laws.p = allocate(vocab, sizeof *laws.p);
    laws.q = allocate(vocab, sizeof *laws.q);
    laws.q_of = allocate(vocab, sizeof *laws.q_of);
    for (size_t t = 0; t < texts; t++) {
        size_t prompt = read_prompt(&pair->target, t, text);
        read_rows(pair, t, text, prompt, rows, draft_rows);
        for (size_t c = 0; c < options.n_chains; c++)
            measure(options.chains[c], text, prompt, rows, draft_rows, &laws, tokens, &sums[c]);
    }
    printf("One drafted token at %zu positions, %zu seeds at each; ± 1.96 standard deviations, of the optimum over positions:\n\n"
           "| chain | optimum | both gumbel, formula",
           sums[0].positions, options.draws);
    for (size_t w = 0; w < N_WAYS; w++)
        printf(" | %s", WAYS[w].name);
    printf(" |\n|---|---|---");
    for (size_t w = 0; w < N_WAYS; w++)
        printf("|---");
    printf("|\n");
    for (size_t c = 0; c < options.n_chains; c++)
        failed |= print_line(options.chains[c], &sums[c]);
    printf("\n");
    free(rows);
    free(draft_rows);
    free(tokens);
    free(laws.p_ids);
    free(laws.q_ids);
    free(laws.p);
    free(laws.q);
    free(laws.q_of);
    return failed;
}
