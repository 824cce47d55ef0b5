/* llama.cpp's rules for the apply of every sampler. */
#include "llama_include.h"

#include <math.h>
#include <string.h>

enum { MOST = 64 };

typedef struct candidates {
    llama_token_data data[MOST];
    llama_token_data_array list;
} candidates;

/* `n` candidates with different logits, not sorted, ids that are not positions, and probabilities not to be read. */
static void fill(candidates *c, size_t n)
{
    memset(c, 0, sizeof *c); /* so that two can be compared byte by byte */
    for (size_t i = 0; i < n; i++) {
        c->data[i].id = (llama_token)(5 * i + 2);
        c->data[i].logit = (float)((i * 23) % 64) / 8.0f;
        c->data[i].p = 77.0f;
    }
    c->list.data = c->data;
    c->list.size = n;
    c->list.selected = -1;
}

static void apply(const char *chain, candidates *c)
{
    struct llama_sampler *stage = bregman_llama_init(chain, 1);
    CHECK(stage != NULL);
    llama_sampler_apply(stage, &c->list);
    CHECK(*bregman_llama_error(stage) == '\0');
    llama_sampler_free(stage);
}

static int is_descending(const candidates *c)
{
    for (size_t i = 1; i < c->list.size; i++)
        if (!(c->list.data[i - 1].logit >= c->list.data[i].logit))
            return 0;
    return 1;
}

static double mass(const candidates *c)
{
    double sum = 0.0;
    for (size_t i = 0; i < c->list.size; i++)
        sum += (double)c->list.data[i].p;
    return sum;
}

/* `sorted` is not read, and never written wrong. */
static void test_order(void)
{
    candidates c, before;
    fill(&c, MOST);
    c.list.sorted = true;
    apply("top_k(5)", &c);
    CHECK(c.list.size == 5 && c.list.sorted && is_descending(&c) && c.list.selected == -1);
    CHECK(c.list.data == c.data && c.data[0].logit == 63.0f / 8.0f && fabs(mass(&c) - 1.0) <= 1e-6);

    fill(&c, MOST);
    before = c;
    apply("temperature(0.5)", &c);
    CHECK(c.list.size == MOST && !c.list.sorted);
    for (size_t i = 0; i < MOST; i++)
        CHECK(c.data[i].id == before.data[i].id && c.data[i].logit == 2.0f * before.data[i].logit);
    c.list.size = 1;
    c.list.sorted = true;
    apply("temperature(0.5)", &c);
    CHECK(c.list.sorted); /* a stage that keeps the order keeps the flag */
}

static void test_bias(void)
{
    const int32_t id = 2;
    const float bias = -INFINITY;
    candidates c;
    struct llama_sampler *stage = bregman_llama_init("temperature(0.5)", 1);
    CHECK(bregman_sampler_set_logit_bias(bregman_llama_sampler(stage), &id, &bias, 1) == BREGMAN_OK);
    fill(&c, 2);
    c.list.sorted = true;
    llama_sampler_apply(stage, &c.list);
    CHECK(c.list.size == 2 && !c.list.sorted && c.data[0].logit == -INFINITY);
    llama_sampler_free(stage);
}

/* Other samplers advance `data`, and set the logits of banned tokens to -infinity. */
static void test_subsets(void)
{
    candidates c;
    fill(&c, MOST);
    c.list.data += 10;
    c.list.size = 20;
    for (size_t i = 11; i < 30; i++)
        c.data[i].logit = -INFINITY;
    apply("top_p(0.9) | draw", &c);
    CHECK(c.list.data == c.data + 10 && c.list.size == 1 && c.list.selected == 0 && c.list.data[0].id == 52);
    CHECK(c.data[9].id == 47 && c.data[9].p == 77.0f && c.data[30].id == 152 && c.data[30].p == 77.0f);

    fill(&c, 1);
    apply("min_p(1) | draw", &c);
    CHECK(c.list.size == 1 && c.list.selected == 0 && c.data[0].p == 1.0f);
}

/* The last stage of a chain selects a token, and writes the probabilities that hosts report. */
static void test_selection(void)
{
    static const char *const chains[] = {"greedy", "draw", "top_k(7) | draw", "bregman(alpha=2, k=7) | draw"};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        candidates c;
        fill(&c, MOST);
        apply(chains[i], &c);
        CHECK(c.list.selected >= 0 && (size_t)c.list.selected < c.list.size);
        CHECK(c.list.data[c.list.selected].p > 0.0f && fabs(mass(&c) - 1.0) <= 1e-5);
    }
}

/* Two applies for one token, as when a grammar refuses the first, draw twice; accepting draws nothing. */
static void test_two_applies(void)
{
    struct llama_sampler *one = bregman_llama_init("draw", 3), *two = bregman_llama_init("draw", 3);
    int different = 0;
    for (int i = 0; i < 50; i++) {
        candidates a, b, first;
        fill(&a, MOST);
        fill(&b, MOST);
        llama_sampler_apply(one, &a.list);
        first = a;
        llama_sampler_accept(one, 1);
        CHECK(bregman_sampler_reseed(bregman_llama_sampler(two), 3, (uint64_t)(2 * i)) == BREGMAN_OK);
        llama_sampler_apply(two, &b.list);
        CHECK(a.list.selected == b.list.selected);
        fill(&a, MOST);
        llama_sampler_apply(one, &a.list);
        different += a.list.selected != first.list.selected;
    }
    CHECK(different > 10);
    llama_sampler_free(one);
    llama_sampler_free(two);
}

/* llama_sampler_apply returns nothing: the message is on the stage. */
static void test_failure(void)
{
    struct llama_sampler *stage = bregman_llama_init("temperature(0.5) | top_k(3) | draw", 1);
    candidates c, before;
    for (int bad = 0; bad < 4; bad++) {
        static const char *const why[] = {"NaN", "inf", "no token", "no token"};
        fill(&c, 10);
        for (size_t i = 0; i < 10 && bad == 2; i++)
            c.data[i].logit = -INFINITY;
        if (bad < 2)
            c.data[3].logit = bad == 0 ? NAN : INFINITY;
        if (bad == 3)
            c.list.size = 0;
        c.list.selected = 7;
        c.list.sorted = true;
        memcpy(&before, &c, sizeof c);
        llama_sampler_apply(stage, &c.list);
        CHECK(memcmp(&c, &before, sizeof c) == 0 && strstr(bregman_llama_error(stage), why[bad]) != NULL);
    }
    llama_sampler_free(stage);
}

void test_rules(void)
{
    test_order();
    test_bias();
    test_subsets();
    test_selection();
    test_two_applies();
    test_failure();
}
