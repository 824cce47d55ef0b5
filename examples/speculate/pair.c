#include "pair.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stop(const char *what, const char *why)
{
    fprintf(stderr, "speculate: %s: %s\n", what, why);
    exit(1);
}

void *allocate(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (memory == NULL)
        stop("calloc", "no memory");
    return memory;
}

void open_model(struct run *run, const char *file)
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
    for (size_t i = 0; i < run->n_vocab && run->n_ends < MOST_LISTED; i++)
        if (llama_vocab_is_eog(run->vocab, (llama_token)i))
            run->ends[run->n_ends++] = (llama_token)i;
}

void close_model(struct run *run)
{
    llama_free(run->context);
    llama_model_free(run->model);
}

size_t read_prompt(const struct run *run, size_t n, llama_token *text)
{
    const char *prompt = options.prompts[n % options.n_prompts];
    int32_t tokens = llama_tokenize(run->vocab, prompt, (int32_t)strlen(prompt), text, MOST_TEXT / 4, true, true);
    if (tokens <= 0)
        stop(prompt, "the prompt is empty or too long");
    return (size_t)tokens;
}

void evaluate(struct run *run, const llama_token *text, size_t n, size_t rows, float *logits)
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
        float *row = logits + r * run->n_vocab;
        memcpy(row, llama_get_logits_ith(run->context, (int32_t)(n - rows - same + r)), run->n_vocab * sizeof *row);
        for (size_t i = 0; i < run->n_ends; i++)
            row[run->ends[i]] = -INFINITY;
    }
    llama_batch_free(batch);
    memcpy(run->cache, text, n * sizeof *text);
    run->cached = n;
}

void evaluate_draft(struct run *run, const llama_token *text, size_t n, float *row)
{
    size_t skip = options.window > 0 && options.window < n ? n - options.window : 0;
    evaluate(run, text + skip, n - skip, 1, row);
}

void check(bregman_sampler *sampler, uint32_t status)
{
    if (status != BREGMAN_OK)
        stop(bregman_status_text(status), bregman_sampler_error(sampler));
}

bregman_sampler *new_sampler(const char *chain, const char *draw, uint64_t seed)
{
    bregman_sampler *sampler = NULL;
    char whole[1024], error[512];
    snprintf(whole, sizeof whole, "%s%s%s", chain, *chain ? " | " : "", draw);
    if (bregman_sampler_new(whole, seed, &sampler, error, sizeof error) != BREGMAN_OK)
        stop(whole, error);
    return sampler;
}
