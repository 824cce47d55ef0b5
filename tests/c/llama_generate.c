/* Text of a real model: a bregman stage replaces each built-in sampler in turn, and the text stays the same. */
#include "llama_test.h"

#include <stdio.h>
#include <string.h>

#include "ggml-backend.h"

enum { TOKENS = 50, STAGES = 4, PENALISED = 200 };

static const char *const ours[STAGES] = {"top_k(40)", "top_p(0.95)", "min_p(0.05)", "temperature(0.8)"};

/* llama.cpp's default chain with its stage `replaced` by bregman's; none if it is STAGES. */
static struct llama_sampler *defaults(int replaced, uint32_t seed)
{
    struct llama_sampler *chain = new_chain();
    for (int i = 0; i < STAGES; i++) {
        struct llama_sampler *next;
        if (i == replaced)
            next = stage(ours[i], 1);
        else if (i == 0)
            next = llama_sampler_init_top_k(40);
        else if (i == 1)
            next = llama_sampler_init_top_p(0.95f, 0);
        else if (i == 2)
            next = llama_sampler_init_min_p(0.05f, 0);
        else
            next = llama_sampler_init_temp(0.8f);
        llama_sampler_chain_add(chain, next);
    }
    llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
    return chain;
}

void feed(struct llama_context *context, llama_token *tokens, int32_t n)
{
    CHECK(llama_decode(context, llama_batch_get_one(tokens, n)) == 0);
}

int32_t start(struct llama_context *context, unsigned number, llama_token *tokens)
{
    static const char *const prompts[] = {"And it came to pass", "In the beginning", "The LORD said unto", "Behold, the"};
    const char *prompt = prompts[number % 4];
    const struct llama_vocab *vocab = llama_model_get_vocab(llama_get_model(context));
    int32_t n = llama_tokenize(vocab, prompt, (int32_t)strlen(prompt), tokens, 64, true, true);
    CHECK(n > 0);
    llama_memory_clear(llama_get_memory(context), true);
    feed(context, tokens, n);
    return n;
}

struct llama_context *new_context(struct llama_model *model)
{
    struct llama_context_params params = llama_context_default_params();
    struct llama_context *context;
    params.n_ctx = CONTEXT;
    params.n_threads = params.n_threads_batch = 1; /* the model is too small for more */
    context = llama_init_from_model(model, params);
    CHECK(context != NULL);
    return context;
}

static void generate(struct llama_context *context, const struct llama_vocab *vocab, int replaced, int compare)
{
    static array a, b, row;
    static int32_t a_ids[MOST], b_ids[MOST];
    static double a_p[MOST], b_p[MOST];
    llama_token tokens[64];
    size_t vocabulary = (size_t)llama_vocab_n_tokens(vocab);
    struct llama_sampler *theirs = defaults(STAGES, 7), *mixed = defaults(replaced, 7);
    struct llama_sampler *again = llama_sampler_clone(mixed);
    size_t narrowed = 0;
    CHECK(vocabulary <= MOST);
    start(context, 0, tokens);
    for (int t = 0; t < TOKENS; t++) {
        size_t kept;
        llama_token token;
        from_logits(&row, llama_get_logits_ith(context, -1), vocabulary);
        copy_array(&a, &row);
        copy_array(&b, &row);
        llama_sampler_apply(theirs, &a.list);
        llama_sampler_apply(again, &b.list);
        kept = distribution(&a, a_ids, a_p);
        CHECK(kept == distribution(&b, b_ids, b_p) && memcmp(a_ids, b_ids, kept * sizeof *a_ids) == 0);
        CHECK(same_distribution(&a, &b));
        narrowed += kept < 40;
        /* As an engine samples: on its own candidate array, then accepting the token. */
        token = llama_sampler_sample(mixed, context, -1);
        CHECK(token == a.list.data[a.list.selected].id && token == b.list.data[b.list.selected].id);
        if (compare)
            compare_all(&row);
        feed(context, &token, 1);
    }
    CHECK(narrowed > TOKENS / 2); /* top-p and min-p drop tokens in most steps */
    llama_sampler_free(theirs);
    llama_sampler_free(mixed);
    llama_sampler_free(again);
}

static struct llama_sampler *penalised(struct llama_sampler *penalties)
{
    struct llama_sampler *chain = new_chain();
    llama_sampler_chain_add(chain, penalties);
    llama_sampler_chain_add(chain, llama_sampler_init_temp(0.8f));
    llama_sampler_chain_add(chain, llama_sampler_init_dist(7));
    return chain;
}

/* The history that llama.cpp passes to a stage: the prompt accepted explicitly, the text by llama_sampler_sample. */
static void generate_penalised(struct llama_context *context, const struct llama_vocab *vocab)
{
    static array row, a, b;
    llama_token tokens[64];
    int moved = 0;
    size_t vocabulary = (size_t)llama_vocab_n_tokens(vocab);
    /* Two chains with a draw for the text, and the two stages alone to compare their distributions of each row. */
    struct llama_sampler *built_in = llama_sampler_init_penalties((int32_t)vocabulary, 64, 1.3f, 0.25f, 0.5f);
    struct llama_sampler *mine = stage("penalties(repeat=1.29999995, frequency=0.25, presence=0.5, last_n=64)", 1);
    struct llama_sampler *samplers[] = {built_in, mine, penalised(llama_sampler_clone(built_in)),
                                        penalised(llama_sampler_clone(mine))};
    int32_t n = start(context, 1, tokens);
    for (int32_t t = 0; t < n; t++)
        for (int i = 0; i < 4; i++)
            llama_sampler_accept(samplers[i], tokens[t]);
    for (int t = 0; t < PENALISED; t++) {
        from_logits(&row, llama_get_logits_ith(context, -1), vocabulary);
        copy_array(&a, &row);
        copy_array(&b, &row);
        llama_sampler_apply(built_in, &a.list);
        llama_sampler_apply(mine, &b.list);
        CHECK(same_distribution(&a, &b));
        moved += !same_distribution(&row, &b);
        llama_token token = llama_sampler_sample(samplers[2], context, -1);
        CHECK(token == llama_sampler_sample(samplers[3], context, -1));
        llama_sampler_accept(built_in, token);
        llama_sampler_accept(mine, token);
        feed(context, &token, 1);
    }
    CHECK(moved > PENALISED / 2);
    for (int i = 0; i < 4; i++)
        llama_sampler_free(samplers[i]);
    printf("penalised %d (%d with a distribution that differs from the one without)\n", PENALISED, moved);
}

static void silence(enum ggml_log_level level, const char *text, void *unused)
{
    (void)unused;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

void test_generate(const char *backends, const char *model_file)
{
    struct llama_model *model;
    struct llama_context *context;
    llama_log_set(silence, NULL);
    ggml_backend_load_all_from_path(backends);
    llama_backend_init();
    model = llama_model_load_from_file(model_file, llama_model_default_params());
    CHECK(model != NULL);
    context = new_context(model);
    for (int replaced = 0; replaced < STAGES; replaced++)
        generate(context, llama_model_get_vocab(model), replaced, 1);
    printf("generated %d\n", STAGES * TOKENS);
    generate_penalised(context, llama_model_get_vocab(model));
    llama_free(context);
    test_truncate(model);
    test_speculate(model);
    test_threads(model);
    llama_model_free(model);
    llama_backend_free();
}
