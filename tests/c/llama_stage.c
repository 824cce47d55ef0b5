/*
 * A bregman stage in a real llama.cpp: attach, name, clone, copy, reset, accept and free, then the comparison with the
 * built-in samplers, then the text of a model.
 *
 * usage: llama_stage life                  no model, no backends
 *        llama_stage all BACKENDS MODEL    everything
 */
#include "llama_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned long checks;

void check(int good, const char *what, const char *file, int line)
{
    checks++;
    if (!good) {
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
        exit(1);
    }
}

static bregman_sampler *make(const char *chain, uint64_t seed)
{
    bregman_sampler *sampler = NULL;
    char error[256];
    if (bregman_sampler_new(chain, seed, &sampler, error, sizeof error) != BREGMAN_OK) {
        fprintf(stderr, "%s: %s\n", chain, error);
        exit(1);
    }
    return sampler;
}

static const void *address_of(struct llama_sampler *(*function)(struct llama_sampler_i *, llama_sampler_context_t))
{
    const void *address;
    memcpy(&address, &function, sizeof address); /* ISO C has no cast from a function to a void pointer */
    return address;
}

struct llama_sampler *stage(const char *chain, uint64_t seed)
{
    void *out = NULL;
    CHECK(bregman_llama_attach(address_of(llama_sampler_init), make(chain, seed), &out) == BREGMAN_OK && out != NULL);
    return out;
}

struct llama_sampler *new_chain(void)
{
    return llama_sampler_chain_init(llama_sampler_chain_default_params());
}

static const char *message(const struct llama_sampler *stage)
{
    return bregman_sampler_error(bregman_llama_sampler(stage));
}

/* Applies a stage or chain that draws to the array of this number, and returns the token. */
static llama_token draw(struct llama_sampler *sampler, unsigned number)
{
    static array a;
    float logits[500];
    double sum = 0.0;
    for (unsigned i = 0; i < 500; i++)
        logits[i] = (float)sin((double)((number + 1) * (i + 17) % 9973)) * 5.0f;
    from_logits(&a, logits, 500);
    llama_sampler_apply(sampler, &a.list);
    CHECK(a.list.selected >= 0 && (size_t)a.list.selected < a.list.size);
    for (size_t i = 0; i < a.list.size; i++)
        sum += (double)a.list.data[i].p;
    CHECK(fabs(sum - 1.0) <= 1e-5 && a.list.data[a.list.selected].p > 0.0f);
    return a.list.data[a.list.selected].id;
}

static const char DRAWING[] = "temperature(0.8) | bregman(alpha=1.5, floor=0.005) | draw";

/* A clone of the stage, a clone of a chain with it, and a copy into another stage continue as the original does. */
static void test_clone(void)
{
    struct llama_sampler *original = stage(DRAWING, 5), *chain = new_chain(), *clone, *chain_clone, *copy;
    llama_token first[40];
    unsigned i;
    for (i = 0; i < 10; i++)
        first[i] = draw(original, i);
    clone = llama_sampler_clone(original);
    CHECK(clone != NULL && clone != original && clone->iface == original->iface && clone->ctx != original->ctx);
    copy = stage("greedy", 1);
    llama_sampler_copy(original, copy);
    llama_sampler_chain_add(chain, llama_sampler_clone(original));
    chain_clone = llama_sampler_clone(chain);
    for (i = 10; i < 40; i++) {
        first[i] = draw(original, i);
        CHECK(draw(clone, i) == first[i] && draw(copy, i) == first[i]);
        CHECK(draw(chain, i) == first[i] && draw(chain_clone, i) == first[i]);
    }
    llama_sampler_reset(original);
    llama_sampler_reset(chain);
    for (i = 0; i < 40; i++)
        CHECK(draw(original, i) == first[i] && draw(chain, i) == first[i]);
    llama_sampler_free(original); /* the copies are independent of it */
    CHECK(draw(clone, 40) == draw(copy, 40));
    CHECK(bregman_sampler_reseed(bregman_llama_sampler(clone), 5, 20) == BREGMAN_OK);
    for (i = 20; i < 40; i++)
        CHECK(draw(clone, i) == first[i]);
    llama_sampler_free(clone);
    llama_sampler_free(copy);
    llama_sampler_free(chain);
    llama_sampler_free(chain_clone);
}

static void test_chain(void)
{
    struct llama_sampler *chain = new_chain(), *mine = stage("top_k(40)", 1), *back;
    llama_sampler_chain_add(chain, llama_sampler_init_temp(0.9f));
    llama_sampler_chain_add(chain, mine);
    llama_sampler_chain_add(chain, llama_sampler_init_greedy());
    CHECK(llama_sampler_chain_n(chain) == 3 && llama_sampler_chain_get(chain, 1) == mine);
    CHECK(strcmp(llama_sampler_name(mine), "bregman") == 0);
    CHECK(bregman_llama_sampler(mine) != NULL && bregman_llama_sampler(NULL) == NULL);
    CHECK(bregman_llama_sampler(llama_sampler_chain_get(chain, 0)) == NULL && bregman_llama_sampler(chain) == NULL);
    llama_sampler_accept(chain, 3);
    CHECK(*message(mine) == '\0');
    llama_sampler_accept(mine, -1);
    CHECK(strstr(message(mine), "tokens[0] is -1") != NULL);
    back = llama_sampler_chain_remove(chain, 1);
    CHECK(back == mine && llama_sampler_chain_n(chain) == 2);
    llama_sampler_free(chain);
    llama_sampler_free(mine); /* it was removed from the chain */
}

/* llama_sampler_apply returns nothing: a failure changes nothing, and its message is on the handle. */
static void test_failure(void)
{
    static array a, before;
    struct llama_sampler *mine = stage("temperature(0.5) | top_k(3)", 1), *drawing = stage(DRAWING, 5), *fresh;
    for (int bad = 0; bad < 3; bad++) {
        memset(&a, 0, sizeof a);
        random_array(&a, 100);
        for (size_t i = 0; i < 100; i++) {
            a.data[i].p = (float)i; /* NaN is not equal to itself */
            if (bad == 2)
                a.data[i].logit = -INFINITY;
        }
        if (bad < 2)
            a.data[bad == 0 ? 0 : 63].logit = bad == 0 ? NAN : INFINITY;
        a.list.selected = 7;
        a.list.sorted = true;
        memcpy(&before, &a, sizeof a);
        llama_sampler_apply(mine, &a.list);
        llama_sampler_apply(drawing, &a.list);
        CHECK(memcmp(&a, &before, sizeof a) == 0);
        CHECK(strstr(message(mine), bad == 0 ? "logit 0 is NaN" : bad == 1 ? "logit 63 is inf" : "no token") != NULL);
    }
    a.list.size = 0;
    memcpy(&before, &a, sizeof a);
    llama_sampler_apply(mine, &a.list);
    CHECK(memcmp(&a, &before, sizeof a) == 0 && strstr(message(mine), "no token") != NULL);
    /* The random position did not advance. */
    fresh = stage(DRAWING, 5);
    for (unsigned i = 0; i < 10; i++)
        CHECK(draw(drawing, i) == draw(fresh, i));
    llama_sampler_free(mine);
    llama_sampler_free(drawing);
    llama_sampler_free(fresh);
}

typedef struct told {
    int times;
    char last[128];
} told;

static void tell(void *user, const char *message)
{
    told *heard = user;
    heard->times++;
    snprintf(heard->last, sizeof heard->last, "%s", message);
}

static uint64_t failures(const struct llama_sampler *stage)
{
    uint64_t n = 77;
    CHECK(bregman_llama_failures(stage, &n) == BREGMAN_OK);
    return n;
}

/* Candidates 0 to 99, the larger the likelier, of which one is NaN. */
static void spoilt(array *a, size_t nan)
{
    float logits[100];
    for (size_t i = 0; i < 100; i++)
        logits[i] = i == nan ? NAN : (float)i / 10.0f;
    from_logits(a, logits, 100);
}

/* A stage that falls back selects the most likely allowed candidate, counts and reports; its clones do so with it. */
static void test_fallback(void)
{
    static array a;
    const uint32_t words[] = {0, 0, 0xf0, 0};
    told heard = {0, ""};
    struct llama_sampler *mine = stage(DRAWING, 5), *fresh = stage(DRAWING, 5), *clone, *chain = new_chain(), *other;
    CHECK(bregman_llama_set_on_failure(mine, 2, tell, &heard) == BREGMAN_INVALID_ARGUMENT);
    CHECK(strstr(message(mine), "on_failure is 2") != NULL);
    CHECK(bregman_llama_set_on_failure(NULL, BREGMAN_LLAMA_ABORT, NULL, NULL) == BREGMAN_INVALID_ARGUMENT);
    CHECK(bregman_llama_set_on_failure(chain, BREGMAN_LLAMA_ABORT, NULL, NULL) == BREGMAN_INVALID_ARGUMENT);
    CHECK(bregman_llama_set_on_failure(mine, BREGMAN_LLAMA_FALLBACK, tell, &heard) == BREGMAN_OK && failures(mine) == 0);
    CHECK(draw(mine, 0) == draw(fresh, 0) && heard.times == 0);

    spoilt(&a, 3);
    llama_sampler_apply(mine, &a.list);
    CHECK(a.list.size == 1 && a.list.selected == 0 && a.list.sorted && a.data[0].id == 99 && a.data[0].p == 1.0f);
    CHECK(failures(mine) == 1 && heard.times == 1 && strstr(heard.last, "logit 3 is NaN") != NULL);
    CHECK(strcmp(message(mine), heard.last) == 0);
    CHECK(bregman_sampler_set_mask(bregman_llama_sampler(mine), words, 4) == BREGMAN_OK);
    spoilt(&a, 70);
    llama_sampler_apply(mine, &a.list);
    CHECK(a.list.size == 1 && a.list.selected == 0 && a.data[0].id == 71);
    CHECK(bregman_sampler_set_mask(bregman_llama_sampler(mine), NULL, 0) == BREGMAN_OK);
    /* The rows count for the random numbers. */
    draw(fresh, 1);
    draw(fresh, 2);
    CHECK(draw(mine, 3) == draw(fresh, 3));

    clone = llama_sampler_clone(mine);
    spoilt(&a, 99);
    llama_sampler_apply(clone, &a.list);
    CHECK(a.list.size == 1 && a.data[0].id == 98 && failures(mine) == 3 && failures(clone) == 3 && heard.times == 3);
    CHECK(bregman_llama_set_on_failure(mine, BREGMAN_LLAMA_ABORT, NULL, NULL) == BREGMAN_OK);
    spoilt(&a, 3);
    llama_sampler_apply(mine, &a.list);
    CHECK(a.list.size == 100 && a.list.selected == -1 && failures(clone) == 4 && heard.times == 3);
    llama_sampler_free(mine);
    CHECK(failures(clone) == 4);
    llama_sampler_free(clone);
    llama_sampler_free(fresh);

    /* A stage that only transforms leaves one candidate to the sampler behind it. */
    other = stage("temperature(0.5) | top_k(9)", 1);
    CHECK(bregman_llama_set_on_failure(other, BREGMAN_LLAMA_FALLBACK, NULL, NULL) == BREGMAN_OK);
    llama_sampler_chain_add(chain, other);
    llama_sampler_chain_add(chain, llama_sampler_init_dist(7));
    for (size_t i = 0; i < 100; i++) {
        spoilt(&a, i);
        llama_sampler_apply(chain, &a.list);
        CHECK(a.list.size == 1 && a.list.selected == 0 && a.data[0].id == (i == 99 ? 98 : 99) && failures(other) == i + 1);
    }
    llama_sampler_free(chain);
}

static struct llama_sampler *out_of_memory(struct llama_sampler_i *iface, llama_sampler_context_t ctx)
{
    return iface == NULL && ctx == NULL ? NULL : NULL;
}

static void test_attach(void)
{
    const void *const *slots = bregman_llama_iface();
    struct llama_sampler *mine = stage(DRAWING, 5);
    bregman_sampler *sampler = make(DRAWING, 5), *alone = make(DRAWING, 5);
    void *out = &checks;
    static array a, b;
    CHECK((const void *)mine->iface == (const void *)slots);
    for (int i = 0; i < 32; i++)
        CHECK((slots[i] != NULL) == (i < 6));
    CHECK(bregman_llama_attach(address_of(out_of_memory), sampler, &out) == BREGMAN_INTERNAL && out == &checks);
    bregman_sampler_free(sampler); /* the caller still owns it */
    /* The stage does what bregman_apply does. */
    for (unsigned i = 0; i < 200; i++) {
        bregman_candidates list;
        random_array(&a, 1 + i * 5);
        copy_array(&b, &a);
        llama_sampler_apply(mine, &a.list);
        CHECK(sizeof list == sizeof b.list && sizeof *list.data == sizeof *b.data);
        memcpy(&list, &b.list, sizeof list);
        CHECK(bregman_apply(alone, &list) == BREGMAN_OK);
        CHECK(list.size == a.list.size && list.selected == a.list.selected && list.sorted == a.list.sorted);
        CHECK(memcmp(a.data, b.data, a.list.size * sizeof *a.data) == 0);
    }
    bregman_sampler_free(alone);
    llama_sampler_free(mine);
}

void test_life(void)
{
    test_clone();
    test_chain();
    test_failure();
    test_fallback();
    test_attach();
}

int main(int argc, char **argv)
{
    if (argc < 2 || (strcmp(argv[1], "life") != 0 && argc != 4))
        return 2;
    test_life();
    if (strcmp(argv[1], "life") != 0) {
        test_compare();
        test_history(argv[2], argv[3]);
        test_generate(argv[2], argv[3]);
        report_compared();
    }
    printf("checks %lu\n", checks);
    return 0;
}
