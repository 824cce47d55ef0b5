// The chain of libllama-common, with which llama-server and llama-cli sample: with a bregman stage in place of its draw,
// and (with the preload library) with the chain from the environment.
//
// usage: llama_common stage|draw BACKENDS MODEL
#include "bregman_llama.h"
#include "ggml-backend.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

// No package has a header of libllama-common; these functions have kept their signatures. Only the default constructor of
// the parameters is needed, and more room than they take.
struct common_sampler;
struct common_params_sampling {
    common_params_sampling();
    ~common_params_sampling();
    alignas(64) unsigned char members[1 << 16];
};
common_sampler *common_sampler_init(const llama_model *model, common_params_sampling &params);
void common_sampler_free(common_sampler *sampler);
llama_sampler *common_sampler_get(const common_sampler *sampler);
llama_token common_sampler_sample(common_sampler *sampler, llama_context *context, int index, bool grammar_first);
void common_sampler_accept(common_sampler *sampler, llama_token token, bool grammar);
common_sampler *common_sampler_clone(common_sampler *sampler);

static void check(bool good, const char *what, int line) {
    if (!good) {
        std::fprintf(stderr, "llama_common.cpp:%d: not so: %s\n", line, what);
        std::exit(1);
    }
}
#define CHECK(condition) check(condition, #condition, __LINE__)

static void start(llama_context *context) {
    const llama_vocab *vocab = llama_model_get_vocab(llama_get_model(context));
    const char prompt[] = "And it came to pass";
    llama_token tokens[64];
    const int32_t n = llama_tokenize(vocab, prompt, static_cast<int32_t>(std::strlen(prompt)), tokens, 64, true, true);
    llama_memory_clear(llama_get_memory(context), true);
    CHECK(n > 0 && llama_decode(context, llama_batch_get_one(tokens, n)) == 0);
}

static std::vector<llama_token> write(common_sampler *sampler, llama_context *context) {
    std::vector<llama_token> text;
    start(context);
    for (int i = 0; i < 50; i++) {
        llama_token token = common_sampler_sample(sampler, context, -1, false);
        common_sampler_accept(sampler, token, true);
        text.push_back(token);
        CHECK(llama_decode(context, llama_batch_get_one(&token, 1)) == 0);
    }
    return text;
}

static std::vector<llama_token> write(bregman_sampler *sampler, llama_context *context) {
    std::vector<llama_token> text;
    const int32_t vocab = llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context)));
    start(context);
    for (int i = 0; i < 50; i++) {
        bregman_result r;
        CHECK(bregman_decode(sampler, llama_get_logits_ith(context, -1), static_cast<size_t>(vocab), &r) == BREGMAN_OK);
        text.push_back(r.token);
        CHECK(llama_decode(context, llama_batch_get_one(&r.token, 1)) == 0);
    }
    return text;
}

// common_sampler's chain with its last sampler, the draw, replaced; a clone of it draws the same tokens.
static void with_stage(common_sampler *sampler, llama_context *context) {
    llama_sampler *chain = common_sampler_get(sampler);
    llama_sampler_free(llama_sampler_chain_remove(chain, llama_sampler_chain_n(chain) - 1));
    llama_sampler_chain_add(chain, bregman_llama_init("bregman(alpha=1.5, floor=0.02) | draw", 5));
    common_sampler *clone = common_sampler_clone(sampler);
    bregman_sampler *whole = nullptr;
    const char defaults[] = "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw";
    CHECK(bregman_sampler_new(defaults, 5, &whole, nullptr, 0) == BREGMAN_OK);
    const std::vector<llama_token> text = write(sampler, context);
    CHECK(write(clone, context) == text && write(whole, context) == text);
    bregman_sampler_free(whole);
    common_sampler_free(clone);
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    ggml_backend_load_all_from_path(argv[2]);
    llama_model *model = llama_model_load_from_file(argv[3], llama_model_default_params());
    CHECK(model != nullptr);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_threads = params.n_threads_batch = 1;
    llama_context *context = llama_init_from_model(model, params);
    common_params_sampling sampling;
    common_sampler *sampler = common_sampler_init(model, sampling);
    CHECK(context != nullptr && sampler != nullptr);
    if (std::strcmp(argv[1], "stage") == 0)
        with_stage(sampler, context);
    else
        for (const llama_token token : write(sampler, context))
            std::printf("%d ", token);
    std::printf("\ndone 1\n");
    common_sampler_free(sampler);
    llama_free(context);
    llama_model_free(model);
    return 0;
}
