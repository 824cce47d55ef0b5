/*
 * Speculative decoding with two models of llama.cpp: a draft model proposes tokens, the target model reads them all in one
 * batch, and bregman_verify says how many stand. Five ways beside plain decoding, the same prompt and seeds for each.
 * usage: speculate BACKENDS TARGET DRAFT [--window N] [--gamma N] [--tokens N] [--seeds N] [--threads N] [--chain TEXT] [--prompt TEXT]
 *   BACKENDS   the folder with libggml's libraries
 *   --window   the draft model sees only the last N tokens (0: all), so that one model can be target and draft
 *   --gamma    tokens a draft
 *   --chain    the stages before the draw, of target and draft
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <bregman.h>
#include <ggml-backend.h>
#include <llama.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_TEXT = 1024, MOST_DRAFT = 16 };

static struct {
    const char *chain, *prompt;
    size_t window, gamma, tokens, seeds, threads;
} options = {"temperature(0.8) | top_k(40)", "And it came to pass", 0, 4, 60, 8, 1};

/* A model with the tokens that are in its cache. */
struct run {
    struct llama_model *model;
    struct llama_context *context;
    const struct llama_vocab *vocab;
    size_t n_vocab, cached;
    llama_token cache[MOST_TEXT];
};

/* A way to decode: how the draft chooses tokens, and the rule that verifies them. */
struct way {
    const char *name, *target, *draft; /* drawing stages; no draft: plain decoding */
    uint32_t rule;
    int own_seed;
};

static const struct way WAYS[] = {
    {"plain", "draw", NULL, BREGMAN_RULE_MATCH, 0},
    {"greedy draft, match", "draw", "greedy", BREGMAN_RULE_MATCH, 0}, /* what llama.cpp does */
    {"drawn draft, match", "draw", "draw", BREGMAN_RULE_MATCH, 0},
    {"token rule", "draw", "draw", BREGMAN_RULE_TOKEN, 1},
    {"block rule", "draw", "draw", BREGMAN_RULE_BLOCK, 1},
    {"plain, gumbel", "gumbel", NULL, BREGMAN_RULE_MATCH, 0},
    {"gumbel draft, match", "gumbel", "gumbel", BREGMAN_RULE_MATCH, 0}, /* coupled: same seed, same position */
};
enum { N_WAYS = sizeof WAYS / sizeof *WAYS };

struct figures {
    size_t rounds, tested, accepted, tokens, differs;
    double seconds, verifying;
};

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "speculate: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void open_model(struct run *run, const char *file)
{
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = MOST_TEXT;
    params.n_batch = MOST_TEXT;
    params.n_threads = params.n_threads_batch = (int32_t)options.threads;
    run->model = llama_model_load_from_file(file, llama_model_default_params());
    if (run->model == NULL)
        stop(file, "cannot load the model");
    run->context = llama_init_from_model(run->model, params);
    if (run->context == NULL)
        stop(file, "cannot create a context");
    run->vocab = llama_model_get_vocab(run->model);
    run->n_vocab = (size_t)llama_vocab_n_tokens(run->vocab);
}

static void close_model(struct run *run)
{
    llama_free(run->context);
    llama_model_free(run->model);
}

/* Copies the logits after each of the last `rows` tokens of a text. What the cache has of the text is not computed again. */
static void evaluate(struct run *run, const llama_token *text, size_t n, size_t rows, float *logits)
{
    size_t same = 0, most = n - rows;
    while (same < most && same < run->cached && run->cache[same] == text[same])
        same++;
    llama_memory_seq_rm(llama_get_memory(run->context), 0, (llama_pos)same, -1);
    struct llama_batch batch = llama_batch_init((int32_t)(n - same), 0, 1);
    for (size_t i = same; i < n; i++) {
        int32_t at = batch.n_tokens++;
        batch.token[at] = text[i];
        batch.pos[at] = (llama_pos)i;
        batch.n_seq_id[at] = 1;
        batch.seq_id[at][0] = 0;
        batch.logits[at] = i >= n - rows;
    }
    if (llama_decode(run->context, batch) != 0)
        stop("llama_decode", "cannot evaluate the model");
    for (size_t r = 0; r < rows; r++) {
        const float *row = llama_get_logits_ith(run->context, (int32_t)(n - rows - same + r));
        memcpy(logits + r * run->n_vocab, row, run->n_vocab * sizeof *row);
    }
    llama_batch_free(batch);
    memcpy(run->cache, text, n * sizeof *text);
    run->cached = n;
}

static void check(bregman_sampler *sampler, uint32_t status)
{
    if (status != BREGMAN_OK)
        stop(bregman_status_text(status), bregman_sampler_error(sampler));
}

static bregman_sampler *new_sampler(const char *draw, uint64_t seed)
{
    bregman_sampler *sampler = NULL;
    char chain[1024], error[512];
    snprintf(chain, sizeof chain, "%s%s%s", options.chain, *options.chain ? " | " : "", draw);
    if (bregman_sampler_new(chain, seed, &sampler, error, sizeof error) != BREGMAN_OK)
        stop(chain, error);
    return sampler;
}

/* A draft with the distributions that its tokens were drawn from. */
struct draft {
    bregman_sampler *sampler;
    llama_token tokens[MOST_DRAFT];
    size_t offsets[MOST_DRAFT + 1], capacity;
    int32_t *ids;
    float *probs;
};

/* Drafts tokens to follow a text. */
static void make_draft(struct draft *draft, struct run *model, const struct way *way, llama_token *text, size_t n, float *row)
{
    size_t skip;
    for (size_t i = 0; i < options.gamma; i++) {
        bregman_result result;
        skip = options.window > 0 && options.window < n + i ? n + i - options.window : 0;
        evaluate(model, text + skip, n + i - skip, 1, row);
        if (way->rule != BREGMAN_RULE_MATCH) {
            size_t at = draft->offsets[i], len = 0;
            check(draft->sampler, bregman_distribution(draft->sampler, row, model->n_vocab, draft->ids + at,
                                                       draft->probs + at, draft->capacity - at, &len));
            draft->offsets[i + 1] = at + len;
        }
        check(draft->sampler, bregman_decode(draft->sampler, row, model->n_vocab, &result));
        check(draft->sampler, bregman_sampler_accept(draft->sampler, &result.token, 1));
        text[n + i] = draft->tokens[i] = result.token;
    }
}

/* One round: the tokens that it adds to the text. */
static size_t advance(struct run *target, struct run *drafter, const struct way *way, bregman_sampler *sampler,
                      struct draft *draft, llama_token *text, size_t n, float *logits, struct figures *figures)
{
    size_t drafted = way->draft == NULL ? 0 : options.gamma;
    uint64_t position;
    uint32_t accepted = 0;
    bregman_result results[MOST_DRAFT + 1];
    bregman_draft proposal = {.struct_size = sizeof proposal, .rule = way->rule, .tokens = draft->tokens, .n = drafted};
    bregman_batch rows = {.struct_size = sizeof rows, .dtype = BREGMAN_F32, .logits = logits, .rows = drafted + 1};
    if (drafted > 0)
        make_draft(draft, drafter, way, text, n, logits);
    if (way->rule != BREGMAN_RULE_MATCH) {
        proposal.q_offsets = draft->offsets;
        proposal.q_ids = draft->ids;
        proposal.q_probs = draft->probs;
    }
    evaluate(target, text, n + drafted, drafted + 1, logits);
    rows.vocab = rows.row_stride = target->n_vocab;
    rows.flags = BREGMAN_ACCEPT;
    double start = now();
    check(sampler, bregman_verify(&sampler, &proposal, 1, &rows, &accepted, NULL, results));
    figures->verifying += now() - start;
    for (size_t i = 0; i <= accepted; i++)
        text[n + i] = results[i].token;
    if (drafted > 0) {
        /* The draft's sampler follows: without what was refused, with the new token, at the target's position. */
        check(sampler, bregman_sampler_where(sampler, NULL, &position, NULL, NULL));
        check(draft->sampler, bregman_sampler_rewind(draft->sampler, drafted - accepted));
        check(draft->sampler, bregman_sampler_accept(draft->sampler, &text[n + accepted], 1));
        uint64_t seed;
        check(draft->sampler, bregman_sampler_where(draft->sampler, &seed, NULL, NULL, NULL));
        check(draft->sampler, bregman_sampler_reseed(draft->sampler, seed, position));
    }
    figures->rounds++;
    figures->accepted += accepted;
    figures->tested += accepted < drafted ? accepted + 1 : accepted;
    return accepted + 1;
}

/* Writes a text of the prompt and `options.tokens` more. */
static void write_text(struct run *target, struct run *drafter, const struct way *way, uint64_t seed, llama_token *text,
                       size_t prompt, struct figures *figures)
{
    struct draft draft = {0};
    bregman_sampler *sampler = new_sampler(way->target, seed);
    size_t n = prompt;
    float *logits = malloc((options.gamma + 1) * target->n_vocab * sizeof *logits);
    draft.sampler = new_sampler(way->draft == NULL ? "draw" : way->draft, way->own_seed ? seed + 1000000 : seed);
    draft.capacity = options.gamma * target->n_vocab;
    draft.ids = malloc(draft.capacity * sizeof *draft.ids);
    draft.probs = malloc(draft.capacity * sizeof *draft.probs);
    if (logits == NULL || draft.ids == NULL || draft.probs == NULL)
        stop("malloc", "no memory");
    check(sampler, bregman_sampler_accept(sampler, text, prompt));
    check(draft.sampler, bregman_sampler_accept(draft.sampler, text, prompt));
    target->cached = drafter->cached = 0;
    double start = now();
    while (n < prompt + options.tokens)
        n += advance(target, drafter, way, sampler, &draft, text, n, logits, figures);
    figures->seconds += now() - start;
    figures->tokens += n - prompt;
    bregman_sampler_free(sampler);
    bregman_sampler_free(draft.sampler);
    free(logits);
    free(draft.ids);
    free(draft.probs);
}

static size_t number(const char *text, size_t least, size_t most)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    if (*end != '\0' || n < least || n > most)
        stop(text, "not a number in the range of this option");
    return (size_t)n;
}

static void read_options(int argc, char **argv)
{
    for (int i = 0; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--chain") == 0)
            options.chain = value;
        else if (strcmp(argv[i], "--prompt") == 0)
            options.prompt = value;
        else if (strcmp(argv[i], "--window") == 0)
            options.window = number(value, 0, MOST_TEXT);
        else if (strcmp(argv[i], "--gamma") == 0)
            options.gamma = number(value, 1, MOST_DRAFT);
        else if (strcmp(argv[i], "--tokens") == 0)
            options.tokens = number(value, 1, MOST_TEXT / 2);
        else if (strcmp(argv[i], "--seeds") == 0)
            options.seeds = number(value, 1, 1000000);
        else if (strcmp(argv[i], "--threads") == 0)
            options.threads = number(value, 1, 256);
        else
            stop(argv[i], "no such option");
    }
    if (argc % 2 != 0)
        stop(argv[argc - 1], "an option without its value");
}

int main(int argc, char **argv)
{
    static struct run target, drafter;
    static llama_token text[MOST_TEXT], plain[MOST_TEXT];
    struct figures figures[N_WAYS] = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: speculate BACKENDS TARGET DRAFT [--window N] [--gamma N] [--tokens N] [--seeds N] "
                        "[--threads N] [--chain TEXT] [--prompt TEXT]\n");
        return 2;
    }
    read_options(argc - 4, argv + 4);
    llama_log_set(quiet, NULL);
    ggml_backend_load_all_from_path(argv[1]);
    open_model(&target, argv[2]);
    open_model(&drafter, argv[3]);
    if (target.n_vocab != drafter.n_vocab)
        stop(argv[3], "its vocabulary is not that of the target");
    int32_t prompt = llama_tokenize(target.vocab, options.prompt, (int32_t)strlen(options.prompt), text, MOST_TEXT / 4, true, true);
    if (prompt <= 0)
        stop(options.prompt, "the prompt is empty or too long");

    int failed = 0;
    for (uint64_t seed = 0; seed < options.seeds; seed++)
        for (size_t w = 0; w < N_WAYS; w++) {
            write_text(&target, &drafter, &WAYS[w], seed, text, (size_t)prompt, &figures[w]);
            size_t bytes = ((size_t)prompt + options.tokens) * sizeof *text;
            if (WAYS[w].draft == NULL)
                memcpy(plain, text, bytes);
            else if (WAYS[w].rule == BREGMAN_RULE_MATCH)
                figures[w].differs += memcmp(plain, text, bytes) != 0;
        }

    printf("%s, %zu tokens a draft, %zu texts of %zu tokens\n\n", options.chain, options.gamma, options.seeds, options.tokens);
    printf("| way | drafted tokens accepted | tokens a target call | tokens a second | verifying, us a row | text |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t w = 0; w < N_WAYS; w++) {
        const struct figures *f = &figures[w];
        size_t rows = f->rounds * (WAYS[w].draft == NULL ? 1 : options.gamma + 1);
        printf("| %s | ", WAYS[w].name);
        if (f->tested > 0)
            printf("%.3f", (double)f->accepted / (double)f->tested);
        printf(" | %.2f | %.0f | %.1f | ", (double)f->tokens / (double)f->rounds, (double)f->tokens / f->seconds,
               f->verifying / (double)rows * 1e6);
        if (WAYS[w].draft == NULL)
            printf("|\n");
        else if (WAYS[w].rule != BREGMAN_RULE_MATCH)
            printf("same distribution |\n");
        else
            printf("%s |\n", f->differs == 0 ? "that of plain decoding" : "DIFFERS");
        failed |= f->differs != 0;
    }
    close_model(&target);
    close_model(&drafter);
    return failed;
}
