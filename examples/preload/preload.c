/*
 * Adds a bregman chain to an unmodified llama.cpp program: LD_PRELOAD this library, and the chain in BREGMAN_CHAIN replaces
 * the last sampler, llama.cpp's own draw ("dist"), of every chain that the program makes.
 *
 *     BREGMAN_CHAIN='bregman(alpha=1.5, floor=0.01) | draw' LD_PRELOAD=libbregman_preload.so llama-server -m model.gguf
 *
 * A request to llama-server may bring a chain of its own, in a comment on the first line of its grammar; a grammar may follow
 * on the next lines. It takes the place of BREGMAN_CHAIN, which need not be set:
 *
 *     {"prompt": "Once", "samplers": [], "grammar": "# bregman: temperature(0.8) | top_k(floor=0.02) | draw"}
 *
 * The program's other samplers run before the chain: select them with `--samplers temperature`, or none with `--samplers ""`
 * (`"samplers": []` in a request). If the chain does not draw, the program's own draw follows it. Seeds are the program's;
 * its "random" seed (0xFFFFFFFF) is random here, too. Without BREGMAN_CHAIN only the requests with a chain change.
 *
 * On stderr: which chain is in use, once; the first row that the chain could not decode, and at the end of the program the
 * number of such rows. They get the most likely token that is allowed. An invalid BREGMAN_CHAIN ends a program that uses
 * libllama with the reason: at its start, or, if it loads libllama later, when it first makes a draw; other programs do not
 * notice. A request with an invalid chain is refused by the server ("failed to parse grammar"), with the reason on stderr.
 *
 * Limits: the program must load libllama as a shared library with global symbols (Python and Node do not). With mirostat,
 * adaptive-p or greedy sampling the program makes no "dist", so no chain is used. A request with a json_schema cannot bring
 * a chain: the server leaves the schema out if there is a grammar. The samplers of a draft model get BREGMAN_CHAIN as well.
 * Sampling on the GPU ends before the chain. The program reports the seed of a chain as unknown.
 */
#define _GNU_SOURCE
#include <bregman.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define REPLACES __attribute__((visibility("default")))

/* As in llama.h, the same in every version since 2025-02. */
struct llama_sampler;
struct llama_vocab;
struct llama_sampler_chain_params {
    bool no_perf;
};
typedef struct llama_sampler *(*init_fn)(const void *iface, void *ctx);
typedef struct llama_sampler *(*dist_fn)(uint32_t seed);
typedef struct llama_sampler *(*grammar_fn)(const struct llama_vocab *vocab, const char *text, const char *root);
typedef struct llama_sampler_chain_params (*chain_params_fn)(void);
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

/* The chain for all requests. */
static const char *chain_text(void)
{
    const char *text = getenv("BREGMAN_CHAIN");
    return text != NULL && *text != '\0' ? text : NULL;
}

static bregman_sampler *make(const char *chain, uint64_t seed)
{
    char error[512];
    bregman_sampler *sampler = NULL;
    if (bregman_sampler_new(chain, seed, &sampler, error, sizeof error) != BREGMAN_OK)
        fail("BREGMAN_CHAIN", error);
    return sampler;
}

/* An invalid chain ends the program: it must not run without it. */
static void check_chain(void)
{
    bregman_sampler_free(make(chain_text(), 0));
    fprintf(stderr, "bregman: the chain `%s` replaces llama.cpp's draw\n", chain_text());
}

static pthread_once_t checked = PTHREAD_ONCE_INIT;

__attribute__((constructor)) static void at_start(void)
{
    if (chain_text() != NULL && dlsym(RTLD_NEXT, "llama_sampler_init_dist") != NULL)
        pthread_once(&checked, check_chain);
}

static atomic_ullong failures;

/* Called for each row that a chain could not decode. */
static void report(void *user, const char *message)
{
    (void)user;
    if (atomic_fetch_add(&failures, 1) == 0)
        fprintf(stderr, "bregman: a row was not decoded, and the most likely allowed token was taken: %s\n", message);
}

__attribute__((destructor)) static void at_end(void)
{
    unsigned long long n = atomic_load(&failures);
    if (n > 0)
        fprintf(stderr, "bregman: %llu rows were not decoded in all\n", n);
}

/* The chain of the request whose samplers this thread is making, from its grammar to its draw. */
static _Thread_local char *of_request;

static void forget_request(void)
{
    free(of_request);
    of_request = NULL;
}

/* The program calls this before it makes the samplers of a request. */
REPLACES struct llama_sampler_chain_params llama_sampler_chain_default_params(void)
{
    chain_params_fn params;
    find("llama_sampler_chain_default_params", &params);
    if (of_request != NULL) /* with mirostat, say */
        fprintf(stderr, "bregman: the chain of a request is not used: llama.cpp made no draw for it\n");
    forget_request();
    return params();
}

static const char *no_name(const struct llama_sampler *sampler)
{
    (void)sampler;
    return "bregman-no-grammar";
}

static void change_nothing(struct llama_sampler *sampler, void *candidates)
{
    (void)sampler;
    (void)candidates;
}

/* A sampler in the place of a grammar that is only a chain. NULL are: accept, which the program may omit, and all others,
 * which a sampler without a context does not need. */
static const struct {
    const char *(*name)(const struct llama_sampler *);
    void (*accept)(void);
    void (*apply)(struct llama_sampler *, void *);
    void (*others[29])(void);
} no_grammar = {.name = no_name, .apply = change_nothing};

/* Takes the chain out of a request's grammar. */
REPLACES struct llama_sampler *llama_sampler_init_grammar(const struct llama_vocab *vocab, const char *text, const char *root)
{
    static const char mark[] = "# bregman:";
    char error[512];
    bregman_sampler *sampler = NULL;
    grammar_fn grammar;
    find("llama_sampler_init_grammar", &grammar);
    if (text == NULL || strncmp(text, mark, sizeof mark - 1) != 0)
        return grammar(vocab, text, root);
    text += sizeof mark - 1;
    size_t length = strcspn(text, "\r\n");
    forget_request();
    of_request = strndup(text, length);
    if (bregman_sampler_new(of_request, 0, &sampler, error, sizeof error) != BREGMAN_OK) {
        fprintf(stderr, "bregman: the chain of a request is refused: %s\n", error);
        forget_request();
        return NULL;
    }
    bregman_sampler_free(sampler);
    text += length;
    if (text[strspn(text, " \t\r\n")] != '\0')
        return grammar(vocab, text, root);
    init_fn init;
    find("llama_sampler_init", &init);
    return init(&no_grammar, NULL);
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

/* A stage that does not end the program when a row cannot be decoded. */
static struct llama_sampler *stage_of(bregman_sampler *sampler)
{
    void *init, *stage = NULL;
    find("llama_sampler_init", &init);
    if (bregman_llama_attach(init, sampler, &stage) != BREGMAN_OK)
        fail("bregman_llama_attach", "llama_sampler_init made no sampler");
    if (bregman_llama_set_on_failure(stage, BREGMAN_LLAMA_FALLBACK, report, NULL) != BREGMAN_OK)
        fail("bregman_llama_set_on_failure", bregman_sampler_error(sampler));
    return stage;
}

/* Whether a call came from libllama itself, which `function` is part of. */
static bool is_from_libllama(const void *caller, const void *function)
{
    Dl_info from, library;
    return dladdr(caller, &from) != 0 && dladdr(function, &library) != 0 && from.dli_fbase == library.dli_fbase;
}

/* Replaces llama.cpp's draw, except where libllama clones one of its own: it would write into ours. */
REPLACES struct llama_sampler *llama_sampler_init_dist(uint32_t seed)
{
    void *theirs;
    dist_fn dist;
    find("llama_sampler_init_dist", &theirs);
    memcpy(&dist, &theirs, sizeof dist);
    bool is_clone = is_from_libllama(__builtin_return_address(0), theirs);
    if (is_clone || (of_request == NULL && chain_text() == NULL))
        return dist(seed);
    if (of_request == NULL)
        pthread_once(&checked, check_chain);
    bregman_sampler *sampler = make(of_request != NULL ? of_request : chain_text(), seed_of(seed));
    forget_request();
    bool drawing = draws(sampler);
    struct llama_sampler *stage = stage_of(sampler);
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
