/*
 * Each built-in sampler and the stage of the same name on the same candidates: the same tokens with the same
 * probabilities. Candidates on which the two may differ are left out before either runs: a tie at the cut of top-k
 * (llama.cpp's choice is arbitrary, bregman's the lower id), and a cut of top-p or min-p so close to a token that
 * llama.cpp's sums in single precision can fall on either side.
 */
#include "llama_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { TOP_K, TOP_P, MIN_P, TEMP, DEFAULTS, KINDS };
static const char *const names[KINDS] = {"top_k", "top_p", "min_p", "temp", "defaults"};
static unsigned long equal[KINDS], near_cut[KINDS], differ[KINDS], truncated[KINDS];

typedef struct setting {
    enum kind kind;
    int k, min_keep;
    float p, t;
} setting;

static setting random_setting(enum kind kind)
{
    static const int ks[] = {1, 2, 5, 40, 64, 100, 128, 129, 1000, 5000};
    static const float ps[] = {0.05f, 0.3f, 0.5f, 0.9f, 0.95f, 0.99f}, ms[] = {0.001f, 0.02f, 0.05f, 0.1f, 0.5f, 1.0f};
    static const float ts[] = {0.0f, 0.3f, 0.5f, 0.8f, 1.0f, 1.3f, 2.0f};
    setting s = {kind, 40, 1, 0.95f, 0.8f};
    s.k = ks[(size_t)(random_number() * 10.0)];
    s.min_keep = random_number() < 0.5 ? 1 : 1 + (int)(random_number() * 5.0);
    s.p = (kind == MIN_P ? ms : ps)[(size_t)(random_number() * 6.0)];
    s.t = ts[(size_t)(random_number() * 7.0)];
    return s;
}

static struct llama_sampler *theirs(setting s)
{
    struct llama_sampler *chain;
    switch (s.kind) {
    case TOP_K: return llama_sampler_init_top_k(s.k);
    case TOP_P: return llama_sampler_init_top_p(s.p, (size_t)s.min_keep);
    case MIN_P: return llama_sampler_init_min_p(s.p, (size_t)s.min_keep);
    case TEMP: return llama_sampler_init_temp(s.t);
    default: break;
    }
    chain = new_chain();
    llama_sampler_chain_add(chain, llama_sampler_init_top_k(40));
    llama_sampler_chain_add(chain, llama_sampler_init_top_p(0.95f, 0));
    llama_sampler_chain_add(chain, llama_sampler_init_min_p(0.05f, 0));
    llama_sampler_chain_add(chain, llama_sampler_init_temp(0.8f));
    return chain;
}

static struct llama_sampler *ours(setting s)
{
    char chain[96];
    switch (s.kind) {
    case TOP_K: snprintf(chain, sizeof chain, "top_k(%d)", s.k); break;
    case TOP_P: snprintf(chain, sizeof chain, "top_p(%.9g, min_keep=%d)", (double)s.p, s.min_keep); break;
    case MIN_P: snprintf(chain, sizeof chain, "min_p(%.9g, min_keep=%d)", (double)s.p, s.min_keep); break;
    case TEMP: snprintf(chain, sizeof chain, "temperature(%.9g)", (double)s.t); break;
    default: snprintf(chain, sizeof chain, "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8)"); break;
    }
    return stage(chain, 1);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The number of the sorted logits that top-p keeps. */
static size_t nucleus(const double *l, size_t n, double p)
{
    double total = 0.0, sum = 0.0;
    for (size_t i = n; i-- > 0;)
        total += exp(l[i] - l[0]);
    for (size_t i = 0; i < n; i++)
        if ((sum += exp(l[i] - l[0])) >= p * total)
            return i + 1;
    return n;
}

static size_t at_least(const double *l, size_t n, double bound)
{
    size_t k = 1; /* the first is always kept */
    while (k < n && l[k] >= bound)
        k++;
    return k;
}

bool is_near_top_p(const double *l, size_t n, double p)
{
    /* Error of a sequential sum of n floats; that of a short list is in the last bits. */
    double slack = 1e-6 + 2e-9 * (double)n;
    return p < 1.0 && nucleus(l, n, p - slack) != nucleus(l, n, p + slack);
}

bool is_near_min_p(const double *l, size_t n, double p)
{
    double bound = l[0] + log(p), slack = 1e-6 * fmax(1.0, fabs(bound));
    return at_least(l, n, bound - slack) != at_least(l, n, bound + slack);
}

bool is_tie(const double *l, size_t n, size_t k)
{
    return k < n && l[k - 1] == l[k];
}

size_t sorted_logits(const array *a, double *l)
{
    size_t n = 0;
    for (size_t i = 0; i < a->list.size; i++)
        if (a->list.data[i].logit > -INFINITY)
            l[n++] = (double)a->list.data[i].logit;
    qsort(l, n, sizeof *l, descending);
    return n;
}

static bool is_near_cut(setting s, const array *a)
{
    static double l[MOST];
    size_t n = sorted_logits(a, l), k = n < 40 ? n : 40;
    double p = (double)s.p;
    switch (s.kind) {
    case TOP_K: return is_tie(l, n, (size_t)s.k);
    case TOP_P: return is_near_top_p(l, n, p) || (p < 1.0 && is_tie(l, n, nucleus(l, n, p)));
    case MIN_P: return is_near_min_p(l, n, p);
    case TEMP: return s.t == 0.0f && is_tie(l, n, 1);
    default: return is_tie(l, n, 40) || is_near_top_p(l, k, 0.95) || is_near_min_p(l, nucleus(l, k, 0.95), 0.05);
    }
}

/* The stage keeps what the definition in double precision keeps, near a cut as well. */
static void check_size(setting s, const array *before, const array *after)
{
    static double l[MOST];
    size_t n = sorted_logits(before, l), min_keep = (size_t)s.min_keep < n ? (size_t)s.min_keep : n;
    double p = (double)s.p, slack = s.kind == TOP_P ? 2e-7 : 1e-12;
    size_t least = s.kind == TOP_P ? nucleus(l, n, p - slack) : at_least(l, n, l[0] + log(p) + slack);
    size_t most = s.kind == TOP_P ? nucleus(l, n, p + slack) : at_least(l, n, l[0] + log(p) - slack);
    CHECK(after->list.size >= (least > min_keep ? least : min_keep));
    CHECK(after->list.size <= (most > min_keep ? most : min_keep));
}

static void compare(setting s, const array *a)
{
    static array x, y;
    struct llama_sampler *built_in = theirs(s), *stage = ours(s);
    copy_array(&x, a);
    copy_array(&y, a);
    llama_sampler_apply(built_in, &x.list);
    llama_sampler_apply(stage, &y.list);
    CHECK(*bregman_sampler_error(bregman_llama_sampler(stage)) == '\0');
    if (is_near_cut(s, a)) {
        near_cut[s.kind]++;
        differ[s.kind] += !same_distribution(&x, &y);
    } else {
        bool same = same_distribution(&x, &y);
        if (!same)
            fprintf(stderr, "%s k %d p %g min_keep %d t %g: %zu of %zu candidates theirs, %zu ours\n", names[s.kind], s.k,
                    (double)s.p, s.min_keep, (double)s.t, x.list.size, a->list.size, y.list.size);
        CHECK(same);
        equal[s.kind]++;
    }
    if (s.kind == TOP_P || s.kind == MIN_P)
        check_size(s, a, &y);
    /* A temperature keeps order and size: logits are compared one by one. */
    if (s.kind == TEMP && s.t > 0.0f) {
        CHECK(y.list.size == a->list.size && y.list.sorted == a->list.sorted);
        for (size_t i = 0; i < a->list.size; i++) {
            CHECK(y.data[i].id == a->data[i].id);
            CHECK(x.data[i].logit == y.data[i].logit ||
                  fabsf(x.data[i].logit - y.data[i].logit) <= 3e-7f * fabsf(x.data[i].logit));
        }
    } else {
        check_truncated(&y);
        truncated[s.kind] += y.list.size < a->list.size;
    }
    llama_sampler_free(built_in);
    llama_sampler_free(stage);
}

void compare_all(const array *a)
{
    for (int kind = 0; kind < KINDS; kind++)
        compare(random_setting((enum kind)kind), a);
    compare_stages(a);
}

/* llama.cpp's chain, and bregman's stages before or after llama.cpp's: llama.cpp's draw gives the same token. */
static struct llama_sampler *mixed_chain(int which, uint32_t seed)
{
    struct llama_sampler *chain = new_chain();
    if (which == 1) {
        llama_sampler_chain_add(chain, stage("top_k(40) | top_p(0.95)", 1));
    } else {
        llama_sampler_chain_add(chain, llama_sampler_init_top_k(40));
        llama_sampler_chain_add(chain, llama_sampler_init_top_p(0.95f, 0));
    }
    if (which == 2) {
        llama_sampler_chain_add(chain, stage("min_p(0.05) | temperature(0.8)", 1));
    } else {
        llama_sampler_chain_add(chain, llama_sampler_init_min_p(0.05f, 0));
        llama_sampler_chain_add(chain, llama_sampler_init_temp(0.8f));
    }
    llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
    return chain;
}

static void test_mixed(void)
{
    static array a, x;
    struct llama_sampler *chains[3];
    setting defaults = {DEFAULTS, 40, 1, 0.95f, 0.8f};
    unsigned long same = 0, tokens = 0;
    for (int which = 0; which < 3; which++)
        chains[which] = mixed_chain(which, 4711);
    for (int i = 0; i < 1000; i++) {
        llama_token token[3];
        random_array(&a, 1 + (size_t)(random_number() * 2000.0));
        for (int which = 0; which < 3; which++) {
            copy_array(&x, &a);
            llama_sampler_apply(chains[which], &x.list);
            CHECK(x.list.selected >= 0 && (size_t)x.list.selected < x.list.size);
            token[which] = x.list.data[x.list.selected].id;
        }
        if (is_near_cut(defaults, &a))
            continue;
        CHECK(token[1] == token[0] && token[2] == token[0]);
        same++;
        tokens += (unsigned long)token[0] % 2;
    }
    CHECK(tokens > 100 && tokens < 900); /* not all the same token */
    for (int which = 0; which < 3; which++)
        llama_sampler_free(chains[which]);
    printf("mixed %lu\n", same);
}

/* llama.cpp's min_p keeps the order of the array, bregman's sorts it; llama.cpp's draw depends on the order. */
static void test_order(void)
{
    static array a, x, y;
    struct llama_sampler *draws[2] = {llama_sampler_init_dist(99), llama_sampler_init_dist(99)};
    struct llama_sampler *built_in = llama_sampler_init_min_p(0.02f, 1), *mine = stage("min_p(0.02)", 1);
    unsigned long same = 0;
    for (int i = 0; i < 500; i++) {
        setting s = {MIN_P, 0, 1, 0.02f, 0.0f};
        random_array(&a, 1 + (size_t)(random_number() * 1000.0));
        if (is_near_cut(s, &a))
            continue;
        copy_array(&x, &a);
        copy_array(&y, &a);
        llama_sampler_apply(built_in, &x.list);
        llama_sampler_apply(mine, &y.list);
        sort_by_id(&x);
        sort_by_id(&y);
        llama_sampler_apply(draws[0], &x.list);
        llama_sampler_apply(draws[1], &y.list);
        CHECK(x.list.data[x.list.selected].id == y.list.data[y.list.selected].id);
        same++;
    }
    llama_sampler_free(draws[0]);
    llama_sampler_free(draws[1]);
    llama_sampler_free(built_in);
    llama_sampler_free(mine);
    printf("ordered %lu\n", same);
}

void test_compare(void)
{
    static array a;
    for (int i = 0; i < 2500; i++) {
        /* Sizes log-uniform from 1 to 32000. */
        random_array(&a, (size_t)exp(random_number() * log((double)MOST)));
        compare_all(&a);
    }
    random_array(&a, 1);
    compare_all(&a);
    random_array(&a, MOST);
    compare_all(&a);
    test_mixed();
    test_order();
    test_state();
}

void report_compared(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        printf("%s equal %lu\n%s near %lu (%lu differ)\n%s truncated %lu\n", names[kind], equal[kind], names[kind],
               near_cut[kind], differ[kind], names[kind], truncated[kind]);
    report_stages();
}
