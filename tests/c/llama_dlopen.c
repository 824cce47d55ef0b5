/*
 * A host without llama.h that does not link llama.cpp: it opens libllama, looks up functions by name, and adds a stage to
 * a chain, as bindings of other languages do.
 *
 * usage: llama_dlopen LIBLLAMA
 */
#define _GNU_SOURCE
#include "bregman.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The declarations that such a host needs. */
typedef struct chain_params {
    bool no_perf;
} chain_params;

static void *(*chain_init)(chain_params params);
static void (*chain_add)(void *chain, void *sampler);
static void *(*chain_get)(const void *chain, int32_t i);
static void *(*sampler_clone)(const void *sampler);
static const char *(*sampler_name)(const void *sampler);
static void (*sampler_apply)(void *sampler, bregman_candidates *candidates);
static void (*sampler_accept)(void *sampler, int32_t token);
static void (*sampler_reset)(void *sampler);
static void (*sampler_free)(void *sampler);
static void *(*init_temp)(float t);

static unsigned checks;

static void check(int good, const char *what, int line)
{
    checks++;
    if (!good) {
        fprintf(stderr, "llama_dlopen.c:%d: not so: %s\n", line, what);
        exit(1);
    }
}
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __LINE__)

static void *find(void *library, const char *name)
{
    void *address = dlsym(library, name);
    if (address == NULL) {
        fprintf(stderr, "no %s: %s\n", name, dlerror());
        exit(1);
    }
    return address;
}

static void find_all(void *library)
{
    const struct {
        const char *name;
        void *function;
    } wanted[] = {
        {"llama_sampler_chain_init", &chain_init}, {"llama_sampler_chain_add", &chain_add},
        {"llama_sampler_chain_get", &chain_get},   {"llama_sampler_clone", &sampler_clone},
        {"llama_sampler_name", &sampler_name},     {"llama_sampler_apply", &sampler_apply},
        {"llama_sampler_accept", &sampler_accept}, {"llama_sampler_reset", &sampler_reset},
        {"llama_sampler_free", &sampler_free},     {"llama_sampler_init_temp", &init_temp},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        void *address = find(library, wanted[i].name);
        memcpy(wanted[i].function, &address, sizeof address);
    }
}

enum { VOCAB = 1000 };

static int32_t draw(void *sampler, unsigned number)
{
    static bregman_candidate data[VOCAB];
    bregman_candidates list = {data, VOCAB, -1, 0};
    for (unsigned i = 0; i < VOCAB; i++)
        data[i] = (bregman_candidate){(int32_t)i, (float)((i * 7919u + number * 104729u) % 1009u) / 100.0f, 0.0f};
    sampler_apply(sampler, &list);
    CHECK(list.selected >= 0 && (size_t)list.selected < list.size && list.size < VOCAB);
    return list.data[list.selected].id;
}

int main(int argc, char **argv)
{
    const char text[] = "bregman(alpha=1.5, floor=0.005) | draw";
    bregman_sampler *sampler = NULL, *alone = NULL;
    void *library, *chain, *clone, *stage = NULL;
    int32_t tokens[100];
    if (argc != 2)
        return 2;
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    find_all(library);
    CHECK(bregman_sampler_new(text, 3, &sampler, NULL, 0) == BREGMAN_OK);
    CHECK(bregman_llama_attach(find(library, "llama_sampler_init"), sampler, &stage) == BREGMAN_OK);
    CHECK(strcmp(sampler_name(stage), "bregman") == 0);
    chain = chain_init((chain_params){true});
    chain_add(chain, init_temp(0.8f));
    chain_add(chain, stage);
    CHECK(bregman_llama_sampler(chain_get(chain, 1)) == sampler && bregman_llama_sampler(chain_get(chain, 0)) == NULL);
    clone = sampler_clone(chain);
    /* llama.cpp's temperature before the stage equals the chain's own, up to the rounding of the logits. */
    CHECK(bregman_sampler_new("temperature(0.8) | bregman(alpha=1.5, floor=0.005) | draw", 3, &alone, NULL, 0) == BREGMAN_OK);
    unsigned same = 0;
    for (unsigned i = 0; i < 100; i++) {
        bregman_result result;
        float logits[VOCAB];
        tokens[i] = draw(chain, i);
        sampler_accept(chain, tokens[i]);
        CHECK(draw(clone, i) == tokens[i]);
        for (unsigned t = 0; t < VOCAB; t++)
            logits[t] = (float)((t * 7919u + i * 104729u) % 1009u) / 100.0f;
        CHECK(bregman_decode(alone, logits, VOCAB, &result) == BREGMAN_OK);
        same += result.token == tokens[i];
    }
    CHECK(same >= 99);
    sampler_reset(chain);
    for (unsigned i = 0; i < 100; i++)
        CHECK(draw(chain, i) == tokens[i]);
    bregman_sampler_free(alone);
    sampler_free(clone);
    sampler_free(chain);
    printf("checks %u\n", checks);
    return 0;
}
