/* Writes texts with a model of llama.cpp and several chains of bregman's at once.
 *
 *   write MODEL.gguf PROMPTS CHAINS TOKENS SAMPLES OUT [FIRST STEP]
 *
 * PROMPTS has a prompt a line (\n, \t and \\ are escapes), CHAINS a chain a line, each of which draws. After every prompt
 * each chain writes SAMPLES texts of TOKENS tokens. Tokens that end a text are banned, so that all have the same length.
 * OUT receives a line for each text: prompt, chain and sample by number, then each token with its -ln p under the model,
 * as TOKEN:NATS. With FIRST and STEP only every STEP-th prompt is continued, from FIRST on: several processes, of one thread
 * each, share the work. A run that was stopped goes on where it was. */
#define _GNU_SOURCE
#include "model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bregman.h"

enum { MOST_CHAINS = 64, MOST_TEXTS = 256, MOST_PROMPT = 1024 };

static struct {
    struct llama_context *context;
    const struct llama_vocab *vocab;
    size_t n_vocab;
    size_t words;          /* of a mask */
    uint32_t *mask;        /* the same for each text */
    char *chains[MOST_CHAINS];
    size_t n_chains, samples, n_texts, n_tokens;
    bregman_sampler *samplers[MOST_TEXTS];
    bregman_result results[MOST_TEXTS];
    float logprobs[MOST_TEXTS];
    llama_token *tokens; /* n_texts times n_tokens */
    float *nats;
} w;

static void *allocate(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (!memory)
        fail("no memory");
    return memory;
}

/* Draws the next token of texts from `first` on, one for each row of logits, and puts it at position `at`. */
static void draw(const float *logits, size_t first, size_t rows, size_t at)
{
    bregman_batch batch = {
        .struct_size = sizeof batch,
        .dtype = BREGMAN_F32,
        .logits = logits,
        .rows = rows,
        .vocab = w.n_vocab,
        .row_stride = w.n_vocab,
        .mask = w.mask,
        .mask_stride = w.words,
        .flags = BREGMAN_ACCEPT,
    };
    bregman_answers answers = {.struct_size = sizeof answers, .source = BREGMAN_OF_MODEL, .logprobs = w.logprobs};
    uint32_t status = bregman_decode_batch_answers(w.samplers + first, &batch, w.results, &answers);
    for (size_t i = 0; i < rows; i++) {
        if (status != BREGMAN_OK && *bregman_sampler_error(w.samplers[first + i]))
            fail("%s: %s", w.chains[(first + i) / w.samples], bregman_sampler_error(w.samplers[first + i]));
        w.tokens[(first + i) * w.n_tokens + at] = w.results[i].token;
        w.nats[(first + i) * w.n_tokens + at] = -w.logprobs[i];
    }
    if (status != BREGMAN_OK)
        fail("bregman: %s", bregman_status_text(status));
}

static void put(struct llama_batch *batch, llama_token token, size_t position, size_t text, bool logits)
{
    int j = batch->n_tokens++;
    batch->token[j] = token;
    batch->pos[j] = (llama_pos)position;
    batch->n_seq_id[j] = 1;
    batch->seq_id[j][0] = (llama_seq_id)text;
    batch->logits[j] = logits;
}

static void continue_with(char *prompt, size_t number, FILE *out)
{
    static llama_token before[MOST_PROMPT];
    unescape(prompt);
    size_t n = (size_t)tokenize(w.vocab, prompt, before, MOST_PROMPT);
    if (n + w.n_tokens > llama_n_ctx(w.context) / w.n_texts)
        fail("prompt %zu and its text are longer than the context", number);
    llama_memory_t memory = llama_get_memory(w.context);
    llama_memory_clear(memory, true);
    struct llama_batch batch = llama_batch_init((int32_t)(n > w.n_texts ? n : w.n_texts), 0, 1);
    for (size_t i = 0; i < n; i++)
        put(&batch, before[i], i, 0, i + 1 == n);
    if (llama_decode(w.context, batch))
        fail("llama.cpp could not evaluate prompt %zu", number);
    for (size_t t = 0; t < w.n_texts; t++) {
        if (t > 0)
            llama_memory_seq_cp(memory, 0, (llama_seq_id)t, -1, -1);
        char error[512] = "";
        /* The same seeds for every chain. */
        uint64_t seed = number * 1000 + t % w.samples;
        if (bregman_sampler_new(w.chains[t / w.samples], seed, &w.samplers[t], error, sizeof error) != BREGMAN_OK)
            fail("%s: %s", w.chains[t / w.samples], error);
        bregman_sampler_accept(w.samplers[t], before, n);
        bregman_sampler_set_prompt_length(w.samplers[t], n);
        draw(llama_get_logits_ith(w.context, -1), t, 1, 0);
    }
    for (size_t at = 1; at < w.n_tokens; at++) {
        batch.n_tokens = 0;
        for (size_t t = 0; t < w.n_texts; t++)
            put(&batch, w.tokens[t * w.n_tokens + at - 1], n + at - 1, t, true);
        if (llama_decode(w.context, batch))
            fail("llama.cpp could not evaluate the texts of prompt %zu", number);
        draw(llama_get_logits(w.context), 0, w.n_texts, at);
    }
    llama_batch_free(batch);
    for (size_t t = 0; t < w.n_texts; t++) {
        fprintf(out, "%zu\t%zu\t%zu\t", number, t / w.samples, t % w.samples);
        for (size_t at = 0; at < w.n_tokens; at++)
            fprintf(out, "%s%" PRId32 ":%.4f", at ? " " : "", w.tokens[t * w.n_tokens + at],
                    (double)w.nats[t * w.n_tokens + at]);
        fputc('\n', out);
        bregman_sampler_free(w.samplers[t]);
    }
    /* The mark behind a prompt that is done. */
    if (fprintf(out, "=%zu\n", number) < 0 || fflush(out))
        fail("the texts could not be written");
}

/* How many prompts a former run finished; cuts off what it left of the next one. */
static size_t resume(const char *path)
{
    FILE *old = fopen(path, "r");
    if (!old)
        return 0;
    char *line = NULL;
    size_t room = 0, done = 0;
    long end = 0;
    while (getline(&line, &room, old) > 0) {
        if (*line == '=') {
            done++;
            end = ftell(old);
        }
    }
    free(line);
    fclose(old);
    if (truncate(path, end))
        fail("%s cannot be cut to what is done", path);
    return done;
}

static void read_chains(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail("%s cannot be read", path);
    char line[LONGEST_LINE];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (w.n_chains == MOST_CHAINS)
            fail("more than %d chains", MOST_CHAINS);
        w.chains[w.n_chains++] = strdup(line);
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 7 && argc != 9)
        fail("usage: write MODEL.gguf PROMPTS CHAINS TOKENS SAMPLES OUT [FIRST STEP]");
    size_t first = argc == 9 ? strtoul(argv[7], NULL, 10) : 0, step = argc == 9 ? strtoul(argv[8], NULL, 10) : 1;
    read_chains(argv[3]);
    w.n_tokens = strtoul(argv[4], NULL, 10);
    w.samples = strtoul(argv[5], NULL, 10);
    w.n_texts = w.n_chains * w.samples;
    if (w.n_tokens == 0 || w.n_texts == 0 || w.n_texts > MOST_TEXTS || step == 0)
        fail("from 1 to %d texts of 1 or more tokens", MOST_TEXTS);

    struct llama_model *model = load(argv[1]);
    struct llama_context_params parameters = llama_context_default_params();
    uint32_t each = (uint32_t)llama_model_n_ctx_train(model);
    each = each < 256 ? each : 256;
    parameters.n_ctx = each * (uint32_t)w.n_texts;
    parameters.n_batch = parameters.n_ubatch = MOST_PROMPT;
    parameters.n_seq_max = (uint32_t)w.n_texts;
    parameters.kv_unified = false; /* each text looks at its own tokens only */
    parameters.n_threads = parameters.n_threads_batch = 1;
    w.context = llama_init_from_model(model, parameters);
    if (!w.context)
        fail("llama.cpp made no context");
    w.vocab = llama_model_get_vocab(model);
    w.n_vocab = (size_t)llama_vocab_n_tokens(w.vocab);
    w.words = (w.n_vocab + 31) / 32;
    w.mask = allocate(w.n_texts * w.words, sizeof *w.mask);
    for (size_t i = 0; i < w.n_vocab; i++)
        if (!llama_vocab_is_eog(w.vocab, (llama_token)i))
            w.mask[i / 32] |= UINT32_C(1) << i % 32;
    for (size_t t = 1; t < w.n_texts; t++)
        memcpy(w.mask + t * w.words, w.mask, w.words * sizeof *w.mask);
    w.tokens = allocate(w.n_texts * w.n_tokens, sizeof *w.tokens);
    w.nats = allocate(w.n_texts * w.n_tokens, sizeof *w.nats);

    size_t done = resume(argv[6]);
    FILE *prompts = fopen(argv[2], "r"), *out = fopen(argv[6], "a");
    if (!prompts || !out)
        fail("%s cannot be read, or %s not written", argv[2], argv[6]);
    static char line[LONGEST_LINE];
    for (size_t number = 0; fgets(line, sizeof line, prompts); number++) {
        if (number % step != first)
            continue;
        if (done > 0) {
            done--;
        } else {
            line[strcspn(line, "\n")] = '\0';
            continue_with(line, number, out);
        }
        printf("%zu\n", number);
        fflush(stdout);
    }
    llama_free(w.context);
    llama_model_free(model);
    return fclose(out);
}
