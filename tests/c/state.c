/* A C host that creates samplers, uses their state, lists the catalogue and has its own generator. */
#include "consumer.h"

#include <math.h>
#include <string.h>

enum { VOCAB = 1000 };

static const char CHAIN[] = "temperature(0.9) | top_k(k=50) | draw";

/* Decodes row `number` of VOCAB logits. */
static int32_t token(bregman_sampler *sampler, unsigned number)
{
    float logits[VOCAB];
    bregman_result result;
    fill(logits, VOCAB, number);
    CHECK(bregman_decode(sampler, logits, VOCAB, &result) == BREGMAN_OK);
    CHECK(result.status == BREGMAN_OK && result.token >= 0 && result.token < VOCAB && result.support == 50);
    CHECK(result.p > 0.0f && result.p <= 1.0f && isnan(result.kept_mass) && isnan(result.entropy));
    return result.token;
}

static void test_sequence(void)
{
    int32_t first[20];
    unsigned i, differ = 0;
    bregman_sampler *a = make(CHAIN, 7), *b = NULL;
    for (i = 0; i < 10; i++)
        first[i] = token(a, i);
    CHECK(bregman_sampler_clone(a, &b) == BREGMAN_OK && b != NULL && b != a);
    for (i = 10; i < 20; i++) {
        first[i] = token(a, i);
        CHECK(token(b, i) == first[i]);
    }
    CHECK(bregman_sampler_reset(a) == BREGMAN_OK);
    for (i = 0; i < 20; i++)
        CHECK(token(a, i) == first[i]);
    /* Another seed, then the first one again in the middle. */
    CHECK(bregman_sampler_reseed(a, 8, 0) == BREGMAN_OK);
    for (i = 0; i < 20; i++)
        differ += token(a, i) != first[i];
    CHECK(differ > 5);
    CHECK(bregman_sampler_reseed(a, 7, 13) == BREGMAN_OK);
    for (i = 13; i < 20; i++)
        CHECK(token(a, i) == first[i]);
    bregman_sampler_free(a);
    CHECK(token(b, 20) >= 0); /* a clone is independent of the original */
    bregman_sampler_free(b);
    bregman_sampler_free(NULL);
}

static void test_history_and_bias(void)
{
    static const int32_t prompt[3] = {1, 2, 3}, negative[2] = {4, -1};
    bregman_sampler *s = make("greedy", 0);
    float logits[VOCAB], minus_infinity = -INFINITY;
    bregman_result result;
    int32_t best;
    CHECK(bregman_sampler_accept(s, prompt, 3) == BREGMAN_OK && bregman_sampler_accept(s, NULL, 0) == BREGMAN_OK);
    CHECK(strcmp(bregman_sampler_error(s), "") == 0);
    CHECK(bregman_sampler_accept(s, negative, 2) == BREGMAN_INVALID_ARGUMENT);
    CHECK(strstr(bregman_sampler_error(s), "tokens[1] is -1") != NULL);
    fill(logits, VOCAB, 1);
    logits[77] = 100.0f;
    CHECK(bregman_decode(s, logits, VOCAB, &result) == BREGMAN_OK && result.token == 77);
    CHECK(result.p == 1.0f && result.support == 1);
    best = 77;
    CHECK(bregman_sampler_set_logit_bias(s, &best, &minus_infinity, 1) == BREGMAN_OK);
    CHECK(bregman_decode(s, logits, VOCAB, &result) == BREGMAN_OK && result.token != 77);
    CHECK(bregman_sampler_set_logit_bias(s, NULL, NULL, 0) == BREGMAN_OK);
    CHECK(bregman_decode(s, logits, VOCAB, &result) == BREGMAN_OK && result.token == 77);
    bregman_sampler_free(s);
}

static void test_describe(void)
{
    static const char canonical[] = "temperature(0.9) | top_k(50) | draw";
    bregman_sampler *s = make("  TEMP(0.9)|top-k(50) |dist", 1), *again;
    char text[64], cut[8];
    CHECK(bregman_sampler_describe(s, NULL, 0) == strlen(canonical));
    CHECK(bregman_sampler_describe(s, cut, sizeof cut) == strlen(canonical) && strcmp(cut, "tempera") == 0);
    CHECK(bregman_sampler_describe(s, text, sizeof text) == strlen(canonical) && strcmp(text, canonical) == 0);
    again = make(text, 1);
    CHECK(token(s, 3) == token(again, 3));
    bregman_sampler_free(s);
    bregman_sampler_free(again);
}

static void test_errors(void)
{
    bregman_sampler *s = NULL;
    char error[128], little[6];
    memset(little, 'x', sizeof little);
    CHECK(bregman_sampler_new("top_q(3) | draw", 1, &s, error, sizeof error) == BREGMAN_INVALID_CHAIN);
    CHECK(s == NULL && strstr(error, "stage 1") != NULL && strstr(error, "did you mean `top_k`") != NULL);
    CHECK(bregman_sampler_new("top_q(3) | draw", 1, &s, little, sizeof little) == BREGMAN_INVALID_CHAIN);
    CHECK(strcmp(little, "stage") == 0 && strncmp(little, error, 5) == 0);
    CHECK(bregman_sampler_new("draw", 1, NULL, error, sizeof error) == BREGMAN_INVALID_ARGUMENT);
    CHECK(strcmp(bregman_sampler_error(NULL), "the sampler is NULL") == 0);
}

void test_state(void)
{
    test_sequence();
    test_history_and_bias();
    test_describe();
    test_errors();
}

void test_catalogue(void)
{
    size_t n = bregman_stage_count(), i, j;
    unsigned draws = 0, parameters = 0;
    bregman_stage stage;
    CHECK(n >= 7);
    for (i = 0; i < n; i++) {
        memset(&stage, 0, sizeof stage);
        stage.struct_size = (uint32_t)sizeof stage;
        CHECK(bregman_stage_info(i, &stage) == BREGMAN_OK && stage.struct_size == sizeof stage);
        CHECK(strlen(stage.name) > 0 && strlen(stage.summary) > 0 && strlen(stage.source) > 0 && stage.aliases != NULL);
        CHECK(stage.learns == (strncmp(stage.name, "mirostat", 8) == 0 || strcmp(stage.name, "adaptive_p") == 0));
        CHECK(stage.draws <= 1 && stage.learns <= stage.draws && stage.reserved == 0);
        CHECK(stage.parameter_size >= sizeof(bregman_parameter));
        draws += stage.draws;
        for (j = 0; j < stage.parameter_count; j++) {
            const bregman_parameter *p = (const bregman_parameter *)(const void *)((const char *)stage.parameters +
                                                                                   j * stage.parameter_size);
            CHECK(strlen(p->name) > 0 && strlen(p->summary) > 0 && p->aliases != NULL && p->default_value != NULL);
            CHECK(p->kind <= BREGMAN_KIND_KEYS && p->min_excluded <= 1 && p->required <= 1 && (p->group == 0 || !p->required));
            CHECK((p->kind == BREGMAN_KIND_CHOICE) == (strlen(p->choices) > 0));
            CHECK(p->kind > BREGMAN_KIND_COUNT || p->min < p->max);
            CHECK(!p->required || strlen(p->default_value) == 0);
            parameters++;
        }
    }
    CHECK(draws >= 2 && parameters >= 10);
    CHECK(bregman_stage_info(n, &stage) == BREGMAN_INVALID_ARGUMENT);
}

/* phi(x) = a x^2 / 2, which is the alpha = 2 member with lambda / a; `user` points to a. */
static void phi(void *user, const double *x, double *out, size_t n)
{
    const double a = *(const double *)user;
    for (size_t i = 0; i < n; i++)
        out[i] = a * x[i] * x[i] / 2.0;
}

static void slope(void *user, const double *x, double *out, size_t n)
{
    const double a = *(const double *)user;
    for (size_t i = 0; i < n; i++)
        out[i] = a * x[i];
}

static void inverse(void *user, const double *y, double *out, size_t n)
{
    const double a = *(const double *)user;
    for (size_t i = 0; i < n; i++)
        out[i] = y[i] / a;
}

void test_generator(void)
{
    double a = 3.0;
    bregman_generator g;
    bregman_sampler *mine = NULL, *copy = NULL, *built_in = make("bregman(alpha=2, lambda=0.001) | draw", 5);
    char error[256];
    unsigned number;
    memset(&g, 0, sizeof g);
    g.struct_size = (uint32_t)sizeof g;
    g.name = "square";
    g.user = &a;
    g.phi = phi;
    g.f = slope;
    g.f_inverse = inverse;
    CHECK(bregman_sampler_new_with_generators("bregman(generator=square, lambda=0.003) | draw", 5, &g, 1, &mine, error,
                                              sizeof error) == BREGMAN_OK);
    CHECK(bregman_sampler_clone(mine, &copy) == BREGMAN_OK);
    for (number = 0; number < 20; number++) {
        float logits[VOCAB], p[VOCAB], q[VOCAB];
        int32_t ids[VOCAB], other[VOCAB];
        size_t n = 0, m = 0, i;
        bregman_result x, y, z;
        fill(logits, VOCAB, number);
        logits[number] += 4.0f; /* a tail that is cut at different depths */
        CHECK(bregman_distribution(mine, logits, VOCAB, ids, p, VOCAB, &n) == BREGMAN_OK);
        CHECK(bregman_distribution(built_in, logits, VOCAB, other, q, VOCAB, &m) == BREGMAN_OK);
        CHECK(n == m && n > 1 && memcmp(ids, other, n * sizeof *ids) == 0);
        for (i = 0; i < n; i++)
            CHECK(fabs((double)p[i] - (double)q[i]) < 1e-6);
        CHECK(bregman_decode(mine, logits, VOCAB, &x) == BREGMAN_OK);
        CHECK(bregman_decode(built_in, logits, VOCAB, &y) == BREGMAN_OK);
        CHECK(bregman_decode(copy, logits, VOCAB, &z) == BREGMAN_OK);
        CHECK(x.token == y.token && x.token == z.token && x.support == n);
    }
    /* The dual needs f', which this generator does not have. */
    CHECK(bregman_sampler_new_with_generators("bregman(generator=square, mode=dual, lambda=0.1) | draw", 5, &g, 1,
                                              &copy, error, sizeof error) == BREGMAN_INVALID_CHAIN);
    CHECK(strstr(error, "square") != NULL);
    bregman_sampler_free(mine);
    bregman_sampler_free(copy);
    bregman_sampler_free(built_in);
}
