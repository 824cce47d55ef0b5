/* Evaluation with llama.cpp: a model to rows of logits. */
#define _GNU_SOURCE /* dladdr, _SC_NPROCESSORS_ONLN */
#include "engine.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ggml-backend.h"

enum { MOST_CTX = 2048, MOST_THREADS = 4, TINY = 20000000 /* parameters */ };

/* llama.cpp's log is not printed; its first error is kept for the message of a failure. */
static char complaint[512];

static void keep_complaint(enum ggml_log_level level, const char *text, void *unused)
{
    (void)unused;
    if (level == GGML_LOG_LEVEL_ERROR && !*complaint)
        snprintf(complaint, sizeof complaint, "%s", text);
}

static int fail(const char *what)
{
    fprintf(stderr, "generate: %s\n", what);
    return -1;
}

static int llama_failed(const char *what)
{
    complaint[strcspn(complaint, "\n")] = '\0';
    fprintf(stderr, "generate: llama.cpp %s%s%s\n", what, *complaint ? ": " : "", complaint);
    return -1;
}

/* The prebuilt llama.cpp has its backends, one for each kind of processor, as libraries beside libllama. */
static int load_backends(void)
{
    void (*function)(void) = llama_backend_init;
    void *address;
    Dl_info info;
    memcpy(&address, &function, sizeof address); /* ISO C has no cast from a function to a void pointer */
    const char *slash = dladdr(address, &info) && info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
    if (!slash) {
        ggml_backend_load_all();
    } else {
        str dir = {0};
        str_add(&dir, info.dli_fname, (size_t)(slash - info.dli_fname));
        ggml_backend_load_all_from_path(dir.data);
        free(dir.data);
    }
    return ggml_backend_dev_count() > 0 ? 0 : llama_failed("found no backend beside its library");
}

/* For a tiny model synchronising threads costs more than they save. */
static int32_t default_threads(const struct llama_model *model)
{
    long n = llama_model_n_params(model) < TINY ? 1 : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : (int32_t)n;
}

int engine_open(engine *e, const char *model, uint32_t n_ctx, uint32_t threads, bool verbose)
{
    *e = (engine){0};
    if (!verbose)
        llama_log_set(keep_complaint, NULL);
    if (load_backends() != 0)
        return -1;
    llama_backend_init();

    *complaint = '\0'; /* backends for other machines log errors */
    e->model = llama_model_load_from_file(model, llama_model_default_params());
    if (!e->model) {
        fprintf(stderr, "generate: model %s\n", model);
        return llama_failed("cannot load it");
    }
    if (llama_model_has_encoder(e->model) || !llama_model_has_decoder(e->model))
        return fail("this model does not continue text (it has an encoder, or no decoder)");
    e->vocab = llama_model_get_vocab(e->model);
    e->n_vocab = (size_t)llama_vocab_n_tokens(e->vocab);

    if (n_ctx == 0) {
        int32_t trained = llama_model_n_ctx_train(e->model);
        n_ctx = trained > 0 && trained < MOST_CTX ? (uint32_t)trained : MOST_CTX;
    }
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = n_ctx;
    params.n_threads = threads > 0 ? (int32_t)threads : default_threads(e->model);
    params.n_threads_batch = params.n_threads;
    e->context = llama_init_from_model(e->model, params);
    if (!e->context)
        return llama_failed("cannot create a context");
    /* llama.cpp rounds the size up; the requested size is the limit. */
    e->n_ctx = n_ctx < llama_n_ctx(e->context) ? n_ctx : llama_n_ctx(e->context);
    return 0;
}

void engine_close(engine *e)
{
    free(e->prompt);
    if (e->context)
        llama_free(e->context);
    if (e->model)
        llama_model_free(e->model);
    llama_backend_free();
}

static int tokenize(engine *e, const char *text)
{
    size_t length = strlen(text);
    if (length > INT32_MAX / 2)
        return fail("the prompt is too long");
    /* Every token has at least one byte, except for the few around the text. */
    int32_t room = (int32_t)length + 8;
    e->prompt = must_alloc(e->prompt, (size_t)room, sizeof *e->prompt);
    int32_t n = llama_tokenize(e->vocab, text, (int32_t)length, e->prompt, room, true, true);
    if (n < 0 && n != INT32_MIN) {
        room = -n;
        e->prompt = must_alloc(e->prompt, (size_t)room, sizeof *e->prompt);
        n = llama_tokenize(e->vocab, text, (int32_t)length, e->prompt, room, true, true);
    }
    if (n < 0)
        return llama_failed("cannot tokenize the prompt");
    if (n == 0)
        return fail("the prompt is empty, and this model has no token to begin with");
    e->n_prompt = (size_t)n;
    return 0;
}

static enum fed decode(engine *e, llama_token *tokens, size_t n)
{
    if (e->position + n > e->n_ctx)
        return FED_FULL;
    int32_t status = llama_decode(e->context, llama_batch_get_one(tokens, (int32_t)n));
    if (status == 1) /* no room in the cache */
        return FED_FULL;
    if (status != 0) {
        llama_failed("cannot evaluate the model");
        return FED_FAILED;
    }
    e->position += n;
    return FED_OK;
}

int engine_start(engine *e, const char *prompt)
{
    if (tokenize(e, prompt) != 0)
        return -1;
    llama_memory_t memory = llama_get_memory(e->context);
    if (memory)
        llama_memory_clear(memory, true);
    e->position = 0;

    size_t most = llama_n_batch(e->context);
    for (size_t at = 0; at < e->n_prompt;) {
        size_t n = e->n_prompt - at < most ? e->n_prompt - at : most;
        enum fed fed = decode(e, e->prompt + at, n);
        if (fed == FED_FULL)
            fprintf(stderr, "generate: the prompt has %zu tokens, the context %zu\n", e->n_prompt, e->n_ctx);
        if (fed != FED_OK)
            return -1;
        at += n;
    }
    return 0;
}

enum fed engine_feed(engine *e, llama_token token)
{
    return decode(e, &token, 1);
}

const float *engine_logits(engine *e)
{
    const float *row = llama_get_logits_ith(e->context, -1); /* waits for the computation */
    if (!row)
        llama_failed("has no logits");
    return row;
}

bool engine_is_end(const engine *e, llama_token token)
{
    return llama_vocab_is_eog(e->vocab, token);
}

int engine_piece(const engine *e, llama_token token, bool control, str *out)
{
    char small[64];
    int32_t n = llama_token_to_piece(e->vocab, token, small, sizeof small, 0, control);
    if (n >= 0) {
        str_add(out, small, (size_t)n);
        return 0;
    }
    char *large = must_alloc(NULL, (size_t)-n, 1);
    n = llama_token_to_piece(e->vocab, token, large, -n, 0, control);
    if (n >= 0)
        str_add(out, large, (size_t)n);
    free(large);
    return n >= 0 ? 0 : llama_failed("cannot spell a token");
}
