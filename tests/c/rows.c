/* A C host with logits: one row, a batch in every number format, a distribution, a processor, a candidate array. */
#include "consumer.h"

#include <math.h>
#include <string.h>

enum { VOCAB = 500, STRIDE = 512, ROWS = 6, WORDS = (VOCAB + 31) / 32, MASK_STRIDE = WORDS + 3 };

static const char CHAIN[] = "temperature(0.8) | top_k(20) | draw";

/* Four logits with results that can be computed by hand. */
static const float SMALL[4] = {1.0f, 3.0f, -2.0f, 2.5f};

static int near(double a, double b)
{
    return fabs(a - b) <= 1e-6;
}

static void test_by_hand(void)
{
    const double e3 = exp(3.0), e25 = exp(2.5), total = exp(1.0) + e3 + exp(-2.0) + e25;
    bregman_sampler *plain = make("top_k(2) | draw", 11), *flat = make("bregman(alpha=2, k=2) | draw", 11);
    int32_t ids[4];
    float p[4], logits[4];
    size_t n = 0;
    unsigned first = 0, i;
    CHECK(bregman_distribution(plain, SMALL, 4, ids, p, 4, &n) == BREGMAN_OK);
    CHECK(n == 2 && ids[0] == 1 && ids[1] == 3 && near(p[0], e3 / (e3 + e25)) && near(p[1], e25 / (e3 + e25)));
    /* alpha = 2 distributes the dropped mass evenly. */
    CHECK(bregman_distribution(flat, SMALL, 4, ids, p, 4, &n) == BREGMAN_OK);
    CHECK(n == 2 && near(p[0], (1.0 + (e3 - e25) / total) / 2.0) && near(p[0] + p[1], 1.0));
    CHECK(bregman_distribution(flat, SMALL, 4, NULL, NULL, 0, &n) == BREGMAN_BUFFER_TOO_SMALL && n == 2);
    memcpy(logits, SMALL, sizeof logits);
    CHECK(bregman_process(flat, logits, 4) == BREGMAN_OK);
    CHECK(near(logits[1], log(p[0])) && near(logits[3], log(p[1])));
    CHECK(isinf(logits[0]) && logits[0] < 0.0f && isinf(logits[2]) && logits[2] < 0.0f);
    for (i = 0; i < 1000; i++) {
        bregman_result r;
        CHECK(bregman_decode(plain, SMALL, 4, &r) == BREGMAN_OK && (r.token == 1 || r.token == 3) && r.support == 2);
        CHECK(near(r.p, r.token == 1 ? e3 / (e3 + e25) : e25 / (e3 + e25)));
        first += r.token == 1;
    }
    CHECK(first > 560 && first < 680); /* 622 is expected, 15 the standard deviation */
    bregman_sampler_free(plain);
    bregman_sampler_free(flat);
}

/* Eighths below 8 in half precision and in bfloat16, which is the upper half of a float. */
static uint16_t to_f16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x == 0.0f)
        return 0;
    return (uint16_t)((bits >> 16 & 0x8000u) | ((bits >> 23 & 0xffu) - 112u) << 10 | (bits >> 13 & 0x3ffu));
}

static uint16_t to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static float rows[ROWS * STRIDE];
static uint16_t f16[ROWS * STRIDE], bf16[ROWS * STRIDE];
static uint32_t mask[ROWS * MASK_STRIDE];

static bregman_batch describe(void)
{
    bregman_batch b;
    memset(&b, 0, sizeof b);
    b.struct_size = (uint32_t)sizeof b;
    b.dtype = BREGMAN_F32;
    b.logits = rows;
    b.rows = ROWS;
    b.vocab = VOCAB;
    b.row_stride = STRIDE;
    return b;
}

/* Each row of the batch equals a single call on a new sampler with the mask applied to the logits. */
static void check_batch(const bregman_batch *batch)
{
    bregman_sampler *samplers[ROWS];
    bregman_result results[ROWS], alone;
    size_t r, t;
    for (r = 0; r < ROWS; r++)
        samplers[r] = make(CHAIN, 100 + r);
    CHECK(bregman_decode_batch(samplers, batch, results) == BREGMAN_OK);
    for (r = 0; r < ROWS; r++) {
        float logits[VOCAB];
        bregman_sampler *fresh = make(CHAIN, 100 + r);
        for (t = 0; t < VOCAB; t++) {
            int allowed = batch->mask == NULL || (mask[r * MASK_STRIDE + t / 32] >> t % 32 & 1u) == 1u;
            logits[t] = allowed ? rows[r * STRIDE + t] : -INFINITY;
        }
        CHECK(bregman_decode(fresh, logits, VOCAB, &alone) == BREGMAN_OK);
        CHECK(results[r].token == alone.token && results[r].p == alone.p && results[r].support == alone.support);
        CHECK(results[r].status == BREGMAN_OK && isnan(results[r].ln_kept_mass));
        if (batch->flags & BREGMAN_WANT_KEPT_MASS)
            CHECK(results[r].kept_mass > 0.0f && results[r].kept_mass <= 1.0f && results[r].entropy > 0.0f &&
                  results[r].model_logprob < 0.0f);
        else
            CHECK(isnan(results[r].kept_mass) && isnan(results[r].model_logprob) && isnan(results[r].entropy));
        bregman_sampler_free(fresh);
        bregman_sampler_free(samplers[r]);
    }
}

static void test_batch(void)
{
    bregman_batch b;
    size_t i, r;
    memset(rows, 0xff, sizeof rows); /* NaN between the rows, which must not be read */
    for (r = 0; r < ROWS; r++) {
        fill(rows + r * STRIDE, VOCAB, (unsigned)r);
        for (i = 0; i < VOCAB; i++) {
            f16[r * STRIDE + i] = to_f16(rows[r * STRIDE + i]);
            bf16[r * STRIDE + i] = to_bf16(rows[r * STRIDE + i]);
        }
    }
    for (i = 0; i < ROWS * MASK_STRIDE; i++)
        mask[i] = 0x0f1e2d3cu * (uint32_t)(i + 1);
    b = describe();
    check_batch(&b);
    b.threads = 3;
    b.flags = BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_WANT_ENTROPY | BREGMAN_ACCEPT;
    check_batch(&b);
    b.mask = mask;
    b.mask_stride = MASK_STRIDE;
    check_batch(&b);
    b.dtype = BREGMAN_F16;
    b.logits = f16;
    check_batch(&b);
    b.dtype = BREGMAN_BF16;
    b.logits = bf16;
    b.flags = 0;
    check_batch(&b);
    b.rows = 0;
    CHECK(bregman_decode_batch(NULL, &b, NULL) == BREGMAN_OK);
}

static void test_one_bad_row(void)
{
    bregman_batch b = describe();
    bregman_sampler *samplers[ROWS];
    bregman_result results[ROWS];
    size_t r;
    rows[2 * STRIDE + 9] = NAN;
    for (r = 0; r < ROWS; r++)
        samplers[r] = make(CHAIN, r);
    CHECK(bregman_decode_batch(samplers, &b, results) == BREGMAN_INVALID_LOGITS);
    for (r = 0; r < ROWS; r++) {
        CHECK((results[r].status == BREGMAN_OK) == (r != 2) && (results[r].token == -1) == (r == 2));
        CHECK((strlen(bregman_sampler_error(samplers[r])) > 0) == (r == 2));
    }
    CHECK(strstr(bregman_sampler_error(samplers[2]), "logit 9 is NaN") != NULL);
    for (r = 0; r < ROWS; r++)
        bregman_sampler_free(samplers[r]);
}

static void test_apply(void)
{
    bregman_candidate list[4];
    bregman_candidates array;
    bregman_sampler *transform = make("temperature(0.5) | top_k(3)", 1), *draw = make("top_k(3) | draw", 1);
    int32_t i;
    for (i = 0; i < 4; i++) {
        list[i].id = 40 - i;
        list[i].logit = SMALL[i];
        list[i].p = -1.0f;
    }
    array.data = list;
    array.size = 4;
    array.selected = 2;
    array.sorted = 0;
    CHECK(bregman_apply(transform, &array) == BREGMAN_OK);
    CHECK(array.data == list && array.size == 3 && array.sorted != 0 && array.selected == -1);
    CHECK(list[0].id == 39 && list[1].id == 37 && list[2].id == 40);
    CHECK(list[0].logit == 6.0f && list[1].logit == 5.0f && list[2].logit == 2.0f);
    CHECK(near(list[0].p, 1.0 / (1.0 + exp(-1.0) + exp(-4.0))));
    CHECK(bregman_apply(draw, &array) == BREGMAN_OK && array.size == 3);
    CHECK(array.selected >= 0 && array.selected < 3 && near(list[0].p + list[1].p + list[2].p, 1.0));
    bregman_sampler_free(transform);
    bregman_sampler_free(draw);
}

void test_rows(void)
{
    test_by_hand();
    test_batch();
    test_one_bad_row();
    test_apply();
}
