/*
 * Adds a bregman chain to an unmodified llama.cpp program: LD_PRELOAD this library, and the chain in BREGMAN_CHAIN replaces
 * the last sampler, llama.cpp's own draw ("dist"), of every chain that the program makes.
 *
 *     BREGMAN_CHAIN='bregman(alpha=1.5, floor=0.01) | draw' LD_PRELOAD=libbregman_preload.so llama-server -m model.gguf
 *
 * The program's other samplers run before it: select them with `--samplers temperature`, or none with `--samplers ""`. If
 * the chain does not draw, the program's own draw follows it. Seeds are the program's; its "random" seed (0xFFFFFFFF) is
 * random here, too. Without BREGMAN_CHAIN nothing changes.
 *
 * Limits: the program must load libllama as a shared library with global symbols (Python and Node do not). With mirostat,
 * adaptive-p or greedy sampling the program makes no "dist", so the chain is not used. The samplers of a draft model get
 * the chain as well. Sampling on the GPU ends before the chain. The program reports the seed of a chain as unknown. An
 * invalid chain ends the program at its start, with the reason.
 */
#define _GNU_SOURCE
#include <bregman.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* As in llama.h, the same in every version since 2025-02. */
struct llama_sampler;
struct llama_sampler_chain_params {
    bool no_perf;
};
typedef struct llama_sampler *(*dist_fn)(uint32_t seed);
typedef struct llama_sampler *(*chain_init_fn)(struct llama_sampler_chain_params params);
typedef void (*chain_add_fn)(struct llama_sampler *chain, struct llama_sampler *sampler);

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bregman: %s: %s\n", what, why);
    _exit(2);
}

/* Looks up a function of the libllama that is loaded after this library. */
static void find(const char *name, void *function)
{
    void *address = dlsym(RTLD_NEXT, name);
    if (address == NULL)
        fail(name, "not found: the program does not share its libllama");
    memcpy(function, &address, sizeof address);
}

static const char *chain_text(void)
{
    const char *text = getenv("BREGMAN_CHAIN");
    return text != NULL && *text != '\0' ? text : NULL;
}

static bregman_sampler *make(uint64_t seed)
{
    char error[512];
    bregman_sampler *sampler = NULL;
    if (bregman_sampler_new(chain_text(), seed, &sampler, error, sizeof error) != BREGMAN_OK)
        fail("BREGMAN_CHAIN", error);
    return sampler;
}

/* An invalid chain ends the program: it must not run without it. */
__attribute__((constructor)) static void check_chain(void)
{
    if (chain_text() != NULL)
        bregman_sampler_free(make(0));
}

/* Whether the chain draws. */
static bool draws(bregman_sampler *sampler)
{
    const float logit = 0.0f;
    bregman_result result;
    bregman_sampler *probe = NULL;
    if (bregman_sampler_clone(sampler, &probe) != BREGMAN_OK)
        fail("BREGMAN_CHAIN", bregman_sampler_error(sampler));
    bool drawn = bregman_decode(probe, &logit, 1, &result) != BREGMAN_UNSUPPORTED;
    bregman_sampler_free(probe);
    return drawn;
}

static uint64_t seed_of(uint32_t seed)
{
    uint64_t random = seed;
    if (seed == UINT32_MAX && getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        fail("getrandom", "no random seed");
    return random;
}

/* Replaces llama.cpp's function: the program calls this one. */
__attribute__((visibility("default"))) struct llama_sampler *llama_sampler_init_dist(uint32_t seed)
{
    dist_fn dist;
    find("llama_sampler_init_dist", &dist);
    if (chain_text() == NULL)
        return dist(seed);
    void *init, *stage = NULL;
    find("llama_sampler_init", &init);
    bregman_sampler *sampler = make(seed_of(seed));
    bool drawing = draws(sampler);
    if (bregman_llama_attach(init, sampler, &stage) != BREGMAN_OK)
        fail("bregman_llama_attach", "llama_sampler_init made no sampler");
    if (drawing)
        return stage;
    chain_init_fn chain_init;
    chain_add_fn chain_add;
    find("llama_sampler_chain_init", &chain_init);
    find("llama_sampler_chain_add", &chain_add);
    struct llama_sampler *both = chain_init((struct llama_sampler_chain_params){.no_perf = true});
    chain_add(both, stage);
    chain_add(both, dist(seed));
    return both;
}
