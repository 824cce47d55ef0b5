/*
 * bregman_llama.h: how stages are made, owned, cloned and copied. This is compiled against several versions of llama.h, as
 * C and as C++, and run with several versions of the library. It uses only functions that all have, and looks up the
 * others at run time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* for RTLD_DEFAULT; g++ defines it itself */
#endif
#include "llama_include.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 300 };

static const char DRAWING[] = "temperature(0.8) | bregman(alpha=1.5, floor=0.005) | draw";

unsigned long checks;

void check(int good, const char *what, const char *file, int line)
{
    checks++;
    if (!good) {
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
        exit(1);
    }
}

/* Applies a stage or chain to the row of this number, and returns the token. */
static llama_token draw(struct llama_sampler *sampler, unsigned number)
{
    static llama_token_data data[VOCAB];
    llama_token_data_array list = {data, VOCAB, -1, false};
    for (unsigned i = 0; i < VOCAB; i++) {
        data[i].id = (llama_token)i;
        data[i].logit = (float)((i * 7919u + number * 104729u) % 1009u) / 100.0f;
        data[i].p = 0.0f;
    }
    llama_sampler_apply(sampler, &list);
    CHECK(list.selected >= 0 && (size_t)list.selected < list.size);
    return list.data[list.selected].id;
}

static void test_errors(void)
{
    char error[256] = "stale", tiny[5] = "abcd";
    struct llama_sampler *stage;
    CHECK(bregman_llama_init("top_k(3) | drow", 1) == NULL && bregman_llama_init(NULL, 1) == NULL);
    CHECK(bregman_llama_try_init("top_k(3) | drow", 1, error, sizeof error) == NULL);
    CHECK(strstr(error, "did you mean `draw`") != NULL);
    CHECK(bregman_llama_try_init("drow", 1, tiny, sizeof tiny) == NULL && strlen(tiny) == 4 && strcmp(tiny, "abcd") != 0);
    CHECK(bregman_llama_try_init("drow", 1, NULL, 7) == NULL && bregman_llama_try_init("drow", 1, error, 0) == NULL);
    stage = bregman_llama_try_init("greedy", 1, error, sizeof error);
    CHECK(stage != NULL && *error == '\0' && *bregman_llama_error(stage) == '\0');
    llama_sampler_accept(stage, -1);
    CHECK(strstr(bregman_llama_error(stage), "tokens[0] is -1") != NULL);
    llama_sampler_free(stage);
    CHECK(bregman_llama_wrap(NULL) == NULL);
    stage = llama_sampler_init_greedy();
    CHECK(bregman_llama_sampler(stage) == NULL && *bregman_llama_error(stage) != '\0');
    llama_sampler_free(stage);
}

/* A stage made from a sampler continues from its state. */
static void test_wrap(void)
{
    bregman_sampler *sampler = NULL;
    struct llama_sampler *fresh = bregman_llama_init(DRAWING, 5), *wrapped;
    llama_token tokens[20];
    for (unsigned i = 0; i < 20; i++)
        tokens[i] = draw(fresh, i);
    CHECK(bregman_sampler_new(DRAWING, 5, &sampler, NULL, 0) == BREGMAN_OK);
    CHECK(bregman_sampler_reseed(sampler, 5, 10) == BREGMAN_OK);
    wrapped = bregman_llama_wrap(sampler);
    CHECK(wrapped != NULL && bregman_llama_sampler(wrapped) == sampler);
    for (unsigned i = 10; i < 20; i++)
        CHECK(draw(wrapped, i) == tokens[i]);
    llama_sampler_free(wrapped);
    llama_sampler_free(fresh);
}

static void test_chain(void)
{
    struct llama_sampler *chain = llama_sampler_chain_init(llama_sampler_chain_default_params()), *clone;
    struct llama_sampler *mine = bregman_llama_init("top_k(40)", 1);
    CHECK(strcmp(llama_sampler_name(mine), "bregman") == 0);
    llama_sampler_chain_add(chain, llama_sampler_init_temp(0.9f));
    llama_sampler_chain_add(chain, mine);
    llama_sampler_chain_add(chain, llama_sampler_init_greedy());
    CHECK(llama_sampler_chain_n(chain) == 3 && llama_sampler_chain_get(chain, 1) == mine);
    clone = llama_sampler_clone(chain);
    CHECK(draw(chain, 3) == draw(clone, 3));
    llama_sampler_reset(chain);
    llama_sampler_accept(chain, 7);
    CHECK(llama_sampler_chain_remove(chain, 1) == mine && llama_sampler_chain_n(chain) == 2);
    llama_sampler_free(chain); /* frees the stages in it, not those that were removed */
    CHECK(strcmp(llama_sampler_name(mine), "bregman") == 0);
    llama_sampler_free(mine);
    llama_sampler_free(clone);
}

/* A clone and a copy draw the same as the original from row 10 on. */
static void test_copies(void)
{
    typedef void (*copy_fn)(const struct llama_sampler *, struct llama_sampler *);
    struct llama_sampler *original = bregman_llama_init(DRAWING, 5), *other = stage_of_another_file("greedy", 1), *clone;
    void *symbol = dlsym(RTLD_DEFAULT, "llama_sampler_copy");
    copy_fn copy = NULL;
    llama_token tokens[40];
    CHECK(other->iface == original->iface && (const void *)other->iface == bregman_llama_iface());
    for (unsigned i = 0; i < 10; i++)
        tokens[i] = draw(original, i);
    clone = llama_sampler_clone(original);
    CHECK(clone != NULL && clone->iface == original->iface && clone->ctx != original->ctx);
    if (symbol != NULL) {
        memcpy(&copy, &symbol, sizeof copy);
        copy(original, other);
        printf("copied 1\n");
    }
    for (unsigned i = 10; i < 40; i++) {
        tokens[i] = draw(original, i);
        CHECK(draw(clone, i) == tokens[i]);
        CHECK(symbol == NULL || draw(other, i) == tokens[i]);
    }
    llama_sampler_reset(original);
    for (unsigned i = 0; i < 40; i++)
        CHECK(draw(original, i) == tokens[i]);
    llama_sampler_free(original); /* the copies are independent of it */
    draw(clone, 40);
    llama_sampler_free(clone);
    llama_sampler_free(other);
}

int main(void)
{
    test_errors();
    test_wrap();
    test_chain();
    test_copies();
    test_rules();
    printf("checks %lu\n", checks);
    return 0;
}
