/*
 * Best-of-8 on a small model with llama.cpp: eight continuations of a prompt, the one with the highest reward, how far that
 * departs from the model, a noisy judge who is asked until the best is known, and abstention on a row of noise.
 * usage: best_of_8 BACKENDS MODEL        (the folder with libggml's libraries, a GGUF file)
 */
#include <bregman_decisions.h>
#include <ggml-backend.h>
#include <llama.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 8, TOKENS = 30, MOST_JUDGEMENTS = 5000 };

static char error[512];

#define ERROR error, sizeof error

/* A continuation with ln of its probability under the model, and the entropies of its rows added up. */
typedef struct candidate {
    char text[TOKENS * 64];
    double log_p, entropies;
    int tokens;
} candidate;

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

static int failed(uint32_t status)
{
    if (status != BREGMAN_OK)
        fprintf(stderr, "%s: %s\n", bregman_status_text(status), error);
    return status != BREGMAN_OK;
}

/* Decodes one row with the model's log-probability of the token and the entropy of the row. */
static uint32_t decode(bregman_sampler *sampler, const float *logits, size_t vocab, bregman_result *result)
{
    bregman_batch batch = {0};
    batch.struct_size = sizeof batch;
    batch.dtype = BREGMAN_F32;
    batch.logits = logits;
    batch.rows = 1;
    batch.vocab = batch.row_stride = vocab;
    batch.flags = BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_WANT_ENTROPY;
    uint32_t status = bregman_decode_batch(&sampler, &batch, result);
    if (status != BREGMAN_OK)
        snprintf(ERROR, "%s", bregman_sampler_error(sampler));
    return status;
}

/* Continues the prompt with the model's own distribution; `first` receives the row after the prompt. */
static int generate(struct llama_context *context, const struct llama_vocab *vocab, uint64_t seed, candidate *c, float *first)
{
    const char prompt[] = "And it came to pass";
    const size_t n_vocab = (size_t)llama_vocab_n_tokens(vocab);
    llama_token tokens[64];
    bregman_sampler *sampler = NULL;
    int32_t n = llama_tokenize(vocab, prompt, (int32_t)strlen(prompt), tokens, 64, true, true);
    llama_memory_clear(llama_get_memory(context), true);
    if (n <= 0 || llama_decode(context, llama_batch_get_one(tokens, n)) != 0 ||
        failed(bregman_sampler_new("draw", seed, &sampler, ERROR)))
        return 1;
    memcpy(first, llama_get_logits_ith(context, -1), n_vocab * sizeof *first);
    int status = 0;
    for (c->tokens = 0; status == 0 && c->tokens < TOKENS; c->tokens++) {
        bregman_result r;
        char piece[64];
        if (failed(decode(sampler, llama_get_logits_ith(context, -1), n_vocab, &r))) {
            status = 1;
            break;
        }
        c->log_p += (double)r.model_logprob;
        c->entropies += (double)r.entropy;
        if (llama_vocab_is_eog(vocab, r.token)) {
            c->tokens++;
            break;
        }
        n = llama_token_to_piece(vocab, r.token, piece, sizeof piece, 0, false);
        strncat(c->text, piece, n > 0 ? (size_t)n : 0);
        status = llama_decode(context, llama_batch_get_one(&r.token, 1)) != 0;
    }
    bregman_sampler_free(sampler);
    return status;
}

/* The toy reward: letters per word. */
static double reward(const char *text)
{
    double letters = 0, words = 0;
    for (const char *at = text; *at; at++) {
        letters += isalpha((unsigned char)*at) != 0;
        words += isalpha((unsigned char)*at) && !isalpha((unsigned char)at[1]);
    }
    return words > 0 ? letters / words : 0;
}

/* How far best-of-8 departs from the model. */
static int report(const candidate *best)
{
    double estimate, bound, win_rate;
    if (failed(bregman_best_of_n_kl_estimates(&best->log_p, 1, N, &estimate, ERROR)) ||
        failed(bregman_best_of_n_bounds(N, &bound, &win_rate, ERROR)))
        return 1;
    printf("divergence from the model: %.4f nats estimated, at most %.4f; win rate at most %.3f\n", estimate, bound, win_rate);
    return 0;
}

/* A judge who says yes with a probability that grows with the reward, asked until the best candidate is known. */
static int judge(const double *rewards, double lowest, double highest)
{
    const bregman_arm_options rule = {sizeof rule, BREGMAN_ARMS_T3C, BREGMAN_REWARDS_BERNOULLI, 0, 0, 0.5};
    double means[N] = {0}, yes[N] = {0};
    uint64_t asked[N] = {0}, t = 0, noise = 42;
    bregman_verdict verdict = {0};
    verdict.struct_size = sizeof verdict;
    for (; t < MOST_JUDGEMENTS; t++) {
        size_t arm, leader;
        if (failed(bregman_best_arm(BREGMAN_REWARDS_BERNOULLI, 0, means, asked, N, 0.1, &verdict, ERROR)))
            return 1;
        if (verdict.stop)
            break;
        if (failed(bregman_next_arm(&rule, means, asked, N, 1, t, &arm, &leader, ERROR)))
            return 1;
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        double p = 0.1 + 0.8 * (rewards[arm] - lowest) / (highest - lowest);
        yes[arm] += (double)(noise >> 11) * 0x1p-53 < p;
        asked[arm]++;
        means[arm] = yes[arm] / (double)asked[arm];
    }
    printf("judged %u times: best is candidate %zu, %s\n", (unsigned)t, verdict.best + 1,
           verdict.stop ? "with an error probability of 0.1" : "not sure yet");
    return 0;
}

/*
 * Whether to answer after a row. How foreign the row is: here simply exp of how much larger its entropy is than that of the
 * rows of the model's own texts. A real host has a better estimate.
 */
static int abstain(const char *name, const float *logits, size_t n_vocab, double usual_entropy)
{
    bregman_sampler *sampler = NULL;
    int32_t id;
    float log_p;
    size_t n;
    bregman_result r;
    uint8_t rejects;
    if (failed(bregman_sampler_new("draw", 1, &sampler, ERROR)))
        return 1;
    uint32_t status = bregman_top_logprobs(sampler, logits, n_vocab, BREGMAN_OF_MODEL, 1, &id, &log_p, &n);
    if (status == BREGMAN_OK)
        status = decode(sampler, logits, n_vocab, &r);
    bregman_sampler_free(sampler);
    if (failed(status))
        return 1;
    const double max_p = fmin(exp((double)log_p), 1), ratio = exp((double)r.entropy - usual_entropy);
    if (failed(bregman_abstain(&max_p, &ratio, 1, 0.6, 0.1, &rejects, ERROR)))
        return 1;
    printf("%s: max p %.3f, entropy %.2f: %s\n", name, max_p, (double)r.entropy, rejects ? "abstain" : "answer");
    return 0;
}

static int run(struct llama_context *context, const struct llama_vocab *vocab)
{
    static candidate candidates[N];
    static float first[1 << 18], noise[1 << 18];
    const size_t n_vocab = (size_t)llama_vocab_n_tokens(vocab);
    double rewards[N], lowest = INFINITY, highest = -INFINITY, entropies = 0, tokens = 0;
    size_t best = 0;
    if (n_vocab > sizeof first / sizeof *first)
        return 1;
    for (size_t i = 0; i < N; i++) {
        if (generate(context, vocab, i, &candidates[i], first) != 0)
            return 1;
        rewards[i] = reward(candidates[i].text);
        lowest = fmin(lowest, rewards[i]);
        highest = fmax(highest, rewards[i]);
        best = rewards[i] > rewards[best] ? i : best;
        entropies += candidates[i].entropies;
        tokens += candidates[i].tokens;
        printf("%zu. reward %.3f, ln p %.1f:%s\n", i + 1, rewards[i], candidates[i].log_p, candidates[i].text);
    }
    printf("the best of %d is %zu\n", N, best + 1);
    uint64_t state = 7;
    for (size_t i = 0; i < n_vocab; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        noise[i] = (float)(state >> 40) / 0x1p22f;
    }
    return report(&candidates[best]) || judge(rewards, lowest, highest) ||
           abstain("after the prompt", first, n_vocab, entropies / tokens) ||
           abstain("a row of noise", noise, n_vocab, entropies / tokens);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    llama_log_set(quiet, NULL);
    ggml_backend_load_all_from_path(argv[1]);
    struct llama_model *model = llama_model_load_from_file(argv[2], llama_model_default_params());
    if (model == NULL)
        return 1;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_threads = params.n_threads_batch = 1;
    struct llama_context *context = llama_init_from_model(model, params);
    int status = context == NULL || run(context, llama_model_get_vocab(model));
    llama_free(context);
    llama_model_free(model);
    return status;
}
