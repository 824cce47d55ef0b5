/*
 * A llama.cpp program with bregman as a sampler of its chain.
 * usage: llama BACKENDS MODEL        (the folder with libggml's libraries, a GGUF file)
 */
#include <bregman_llama.h>
#include <ggml-backend.h>

#include <stdio.h>
#include <string.h>

enum { TOKENS = 40 };

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

/* The chain of one request; NULL, with a message, if its text is invalid. */
static struct llama_sampler *request_chain(const char *text, uint64_t seed)
{
    char error[512];
    struct llama_sampler *stage = bregman_llama_try_init(text, seed, error, sizeof error);
    if (stage == NULL) {
        fprintf(stderr, "%s\n", error);
        return NULL;
    }
    struct llama_sampler *chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
    llama_sampler_chain_add(chain, stage); /* the chain owns the stage now */
    return chain;
}

static int generate(struct llama_context *context, const struct llama_vocab *vocab, struct llama_sampler *chain)
{
    const char prompt[] = "And it came to pass";
    llama_token tokens[64], token;
    int32_t n = llama_tokenize(vocab, prompt, (int32_t)strlen(prompt), tokens, 64, true, true);
    if (n <= 0 || llama_decode(context, llama_batch_get_one(tokens, n)) != 0)
        return 1;
    for (int32_t i = 0; i < n; i++)
        llama_sampler_accept(chain, tokens[i]); /* penalties look at the prompt, too */
    for (int i = 0; i < TOKENS; i++) {
        char piece[64];
        token = llama_sampler_sample(chain, context, -1); /* applies and accepts */
        if (llama_vocab_is_eog(vocab, token))
            break;
        n = llama_token_to_piece(vocab, token, piece, sizeof piece, 0, false);
        printf("%.*s", n > 0 ? (int)n : 0, piece);
        if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0)
            return 1;
    }
    printf("\n");
    return 0;
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
    struct llama_sampler *chain = request_chain("temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw", 42);
    int failed = context == NULL || chain == NULL || generate(context, llama_model_get_vocab(model), chain);
    if (chain != NULL)
        llama_sampler_free(chain);
    llama_free(context);
    llama_model_free(model);
    return failed;
}
