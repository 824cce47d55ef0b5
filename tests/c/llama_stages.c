/*
 * The built-in samplers other than top-k, top-p, min-p and temperature against the stage of the same name on the same
 * candidates. As in llama_compare.c, candidates on which the two may differ are left out beforehand: those where a small
 * change of the threshold moves the cut of the definition in double precision. llama.cpp's known defects are left out and
 * counted:
 * - xtc counts a candidate with logit -infinity among the min_keep that are left;
 * - typical takes 0 log 0 = NaN of a candidate with logit -infinity;
 * - mirostat's k is NaN or infinite where a candidate within the first m has logit -infinity, or where the head is flat,
 *   and the conversion to int is undefined.
 */
#include "llama_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TYPICAL, TOP_N_SIGMA, XTC, TEMP_EXT, MIROSTAT, MIROSTAT_V2, ADAPTIVE_P, EVERYTHING, KINDS };
static const char *const names[KINDS] = {"typical",     "top_n_sigma", "xtc",        "temp_ext",
                                         "mirostat", "mirostat_v2", "adaptive_p", "everything"};
static unsigned long equal[KINDS], near_cut[KINDS], defects[KINDS], truncated[KINDS], same_draws[KINDS];

typedef struct setting {
    enum kind kind;
    double p, min_keep, t, delta, tau;
} setting;

/* The candidates that are left, in descending order, and whether a cut was close to one. */
static double l[MOST], p[MOST], mass;
static size_t n, banned;
static bool is_near;

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void normalise(void)
{
    mass = 0.0;
    for (size_t i = n; i-- > 0;)
        mass += p[i] = exp(l[i] - l[0]);
    for (size_t i = 0; i < n; i++)
        p[i] /= mass;
}

static void load(const array *a)
{
    n = 0;
    is_near = false;
    for (size_t i = 0; i < a->list.size; i++)
        if (a->list.data[i].logit > -INFINITY)
            l[n++] = (double)a->list.data[i].logit;
    banned = a->list.size - n;
    qsort(l, n, sizeof *l, descending);
    normalise();
}

static double slack(void)
{
    return 1e-5 + 2e-9 * (double)n;
}

static void keep(size_t k)
{
    if (k < n && l[k - 1] == l[k])
        is_near = true;
    n = k < n ? k : n;
    normalise();
}

/* Keeps the candidates that are at least as large as the bound, up to a tolerance. */
static size_t above(double bound, double margin)
{
    size_t low = 0, high = 0;
    while (low < n && l[low] >= bound + margin)
        low++;
    while (high < n && l[high] >= bound - margin)
        high++;
    is_near = is_near || low != high;
    return low;
}

static double entropy(void)
{
    double h = 0.0;
    for (size_t i = 0; i < n; i++)
        h -= p[i] > 0.0 ? p[i] * log(p[i]) : 0.0;
    return h;
}

static void top_n_sigma(double k)
{
    double mean = 0.0, square = 0.0;
    for (size_t i = 0; i < n; i++)
        mean += l[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (l[i] - mean) * (l[i] - mean) / (double)n;
    keep(above(l[0] - k * sqrt(square), slack() * 10.0 * (1.0 + fabs(l[0]) + k * sqrt(square))));
}

static double scores[MOST];
static int by_score(const void *a, const void *b)
{
    double x = scores[*(const int *)a], y = scores[*(const int *)b];
    return (x > y) - (x < y);
}

static void typical(double share, size_t min_keep)
{
    static int order[MOST];
    static double kept[MOST];
    double h = entropy(), sum = 0.0;
    size_t k = n;
    for (size_t i = 0; i < n; i++) {
        order[i] = (int)i;
        scores[i] = fabs(-log(p[i]) - h);
    }
    qsort(order, n, sizeof *order, by_score);
    for (size_t i = 0; i < n; i++) {
        sum += p[order[i]];
        is_near = is_near || fabs(sum - share) < 10.0 * slack();
        if (sum > share && i + 1 >= min_keep) {
            k = i + 1;
            break;
        }
    }
    is_near = is_near || (k < n && scores[order[k]] - scores[order[k - 1]] < 10.0 * slack());
    /* Of two nearly equal scores at or before the cut, the token with more mass may come first and reach the share alone. */
    is_near = is_near || (k > 1 && scores[order[k - 1]] - scores[order[k - 2]] < 10.0 * slack());
    for (size_t i = 0; i < k; i++)
        kept[i] = l[order[i]];
    memcpy(l, kept, k * sizeof *l);
    n = k;
    qsort(l, n, sizeof *l, descending);
    normalise();
}

static void xtc(double threshold, size_t min_keep, size_t candidates)
{
    size_t first = above(l[0] + log(threshold * mass), slack());
    if (first >= 2 && candidates - (first - 1) >= min_keep) {
        /* Of equal tokens at the cut, llama.cpp drops any. */
        is_near = is_near || l[first - 2] == l[first - 1];
        memmove(l, l + first - 1, (n - first + 1) * sizeof *l);
        n -= first - 1;
    }
    normalise();
}

static void load_sorted(const double *sorted, size_t count)
{
    n = count;
    is_near = false;
    memcpy(l, sorted, n * sizeof *l);
    normalise();
}

bool is_near_typical(const double *sorted, size_t count, double share)
{
    load_sorted(sorted, count);
    typical(share, 1);
    return is_near;
}

bool is_near_top_n_sigma(const double *sorted, size_t count, double k)
{
    load_sorted(sorted, count);
    top_n_sigma(k);
    return is_near;
}

bool is_near_xtc(const double *sorted, size_t count, double threshold)
{
    load_sorted(sorted, count);
    xtc(threshold, 1, n);
    return is_near;
}

/* k of mirostat; 0 where llama.cpp's is undefined. */
static double mirostat_k(double tau, double vocab)
{
    double products = 0.0, squares = 0.0, k;
    for (size_t i = 0; i < 99 && i + 1 < n; i++) {
        double t = log((double)(i + 2) / (double)(i + 1));
        products += t * (l[i] - l[i + 1]);
        squares += t * t;
    }
    k = pow((products / squares - 1.0) * pow(2.0, 2.0 * tau) / (1.0 - pow(vocab, 1.0 - products / squares)),
            squares / products);
    return isnan(k) || k > 1e9 || (banned && n < 100) ? 0.0 : k;
}

static void default_chain(void)
{
    keep(40);
    typical(0.9, 1);
    keep(above(l[0] + log(0.05), slack()));
    xtc(0.1, 1, n);
}

/* Whether the two may differ: near a cut, or by a defect, which is counted. */
static bool may_differ(setting s, const array *a)
{
    bool defect = false;
    load(a);
    switch (s.kind) {
    case TYPICAL:
        defect = banned > 0;
        typical(s.p, (size_t)s.min_keep);
        break;
    case TOP_N_SIGMA: top_n_sigma(s.t); break;
    case XTC:
        defect = banned > 0 && s.min_keep > 1.0;
        xtc(s.p * 0.5, (size_t)s.min_keep, n);
        break;
    case MIROSTAT: {
        double k = mirostat_k(s.tau, (double)a->list.size);
        defect = k == 0.0;
        is_near = !defect && floor(k * 0.999) != floor(k * 1.001) && k < 1.01 * (double)n;
        keep(k < 1.0 ? 1 : (size_t)k);
        break;
    }
    case MIROSTAT_V2: keep(above(l[0] + log(mass) - 2.0 * s.tau * log(2.0), slack())); break;
    case EVERYTHING:
        defect = banned > 0 && n < 40;
        default_chain();
        break;
    /* The error of llama.cpp's sequential sum of a long array exceeds the tolerance. */
    default: is_near = n > 4000; break;
    }
    defects[s.kind] += defect;
    near_cut[s.kind] += is_near && !defect;
    return defect || is_near;
}

static struct llama_sampler *theirs(setting s, size_t vocab)
{
    struct llama_sampler *chain;
    switch (s.kind) {
    case TYPICAL: return llama_sampler_init_typical((float)s.p, (size_t)s.min_keep);
    case TOP_N_SIGMA: return llama_sampler_init_top_n_sigma((float)s.t);
    case XTC: return llama_sampler_init_xtc(1.0f, (float)(s.p * 0.5), (size_t)s.min_keep, 1);
    case TEMP_EXT: return llama_sampler_init_temp_ext((float)s.t, (float)s.delta, 1.3f);
    case MIROSTAT: return llama_sampler_init_mirostat((int32_t)vocab, 1, (float)s.tau, 0.1f, 100);
    case MIROSTAT_V2: return llama_sampler_init_mirostat_v2(1, (float)s.tau, 0.1f);
    case ADAPTIVE_P: return llama_sampler_init_adaptive_p((float)s.p, 0.9f, 1);
    default: break;
    }
    chain = new_chain();
    llama_sampler_chain_add(chain, llama_sampler_init_top_k(40));
    llama_sampler_chain_add(chain, llama_sampler_init_typical(0.9f, 1));
    llama_sampler_chain_add(chain, llama_sampler_init_min_p(0.05f, 0));
    llama_sampler_chain_add(chain, llama_sampler_init_xtc(1.0f, 0.1f, 1, 1));
    llama_sampler_chain_add(chain, llama_sampler_init_temp_ext(0.8f, 0.5f, 1.0f));
    return chain;
}

static struct llama_sampler *ours(setting s, size_t vocab)
{
    char c[160];
    int k = (int)s.min_keep;
    double f = (double)(float)s.p, half = (double)(float)(s.p * 0.5), t = (double)(float)s.t;
    switch (s.kind) {
    case TYPICAL: snprintf(c, sizeof c, "typical(%.9g, rule=exceed, min_keep=%d)", f, k); break;
    case TOP_N_SIGMA: snprintf(c, sizeof c, "top_n_sigma(%.9g)", t); break;
    case XTC: snprintf(c, sizeof c, "xtc(1, threshold=%.9g, min_keep=%d)", half, k); break;
    case TEMP_EXT: snprintf(c, sizeof c, "temp_ext(%.9g, delta=%.9g, exponent=1.3)", t, s.delta); break;
    case MIROSTAT: snprintf(c, sizeof c, "mirostat(%.9g, eta=0.1, vocab=%zu)", s.tau, vocab); break;
    case MIROSTAT_V2: snprintf(c, sizeof c, "mirostat_v2(%.9g, eta=0.1)", s.tau); break;
    case ADAPTIVE_P: snprintf(c, sizeof c, "adaptive_p(%.9g, decay=0.9)", f); break;
    default:
        snprintf(c, sizeof c, "top_k(40) | typical(0.9, rule=exceed) | min_p(0.05) | xtc(1) | dynatemp(0.8, delta=0.5)");
    }
    return stage(c, 1);
}

static setting random_setting(enum kind kind)
{
    static const double ps[] = {0.05, 0.3, 0.5, 0.9, 0.95, 0.99}, ts[] = {0.3, 0.5, 0.8, 1.0, 1.3, 2.0};
    size_t i = (size_t)(random_number() * 6.0);
    setting s = {kind, ps[i], 1.0, ts[i], ts[i] * random_number(), 0.5 + 5.0 * random_number()};
    if (random_number() < 0.4)
        s.min_keep += floor(random_number() * 5.0);
    return s;
}

static int32_t selected(const array *a)
{
    CHECK(a->list.selected >= 0 && (size_t)a->list.selected < a->list.size);
    return a->list.data[a->list.selected].id;
}

static void compare(setting s, const array *a)
{
    static array x, y;
    struct llama_sampler *built_in = theirs(s, a->list.size), *mine = ours(s, a->list.size);
    copy_array(&x, a);
    copy_array(&y, a);
    llama_sampler_apply(built_in, &x.list);
    llama_sampler_apply(mine, &y.list);
    CHECK(*bregman_sampler_error(bregman_llama_sampler(mine)) == '\0');
    if (!may_differ(s, a)) {
        bool same = same_distribution(&x, &y);
        if (!same)
            fprintf(stderr, "%s p %g t %g delta %g tau %g min_keep %g: of %zu (%zu banned) %zu theirs, %zu ours\n",
                    names[s.kind], s.p, s.t, s.delta, s.tau, s.min_keep, a->list.size, banned, x.list.size, y.list.size);
        CHECK(same);
        equal[s.kind]++;
    }
    truncated[s.kind] += y.list.size < a->list.size;
    llama_sampler_free(built_in);
    llama_sampler_free(mine);
}

void compare_stages(const array *a)
{
    for (int kind = 0; kind < KINDS; kind++)
        compare(random_setting((enum kind)kind), a);
}

/*
 * The samplers that learn from their draws. Their random numbers differ from bregman's, but if both draw the same token
 * (always of one candidate, often of a few), both must learn the same, which shows on the next array. If they draw
 * different tokens, mirostat is reset, and adaptive-p accepts a token that neither drew, from which neither learns.
 */
static void test_state_of(setting s, size_t vocab)
{
    static array a, x, y;
    struct llama_sampler *built_in = theirs(s, vocab), *mine = ours(s, vocab);
    for (int i = 0; i < 60; i++) {
        random_array(&a, 2 + (size_t)(random_number() * (s.kind == ADAPTIVE_P ? 6.0 : 60.0)));
        copy_array(&x, &a);
        copy_array(&y, &a);
        llama_sampler_apply(built_in, &x.list);
        llama_sampler_apply(mine, &y.list);
        load(&a);
        /* mirostat's limit is internal; a different limit shows as a different cut. */
        if (s.kind == ADAPTIVE_P)
            CHECK(same_distribution(&x, &y));
        else if (!same_distribution(&x, &y))
            break;
        if (selected(&x) == selected(&y)) {
            same_draws[s.kind]++;
            llama_sampler_accept(built_in, selected(&x));
            llama_sampler_accept(mine, selected(&y));
        } else if (s.kind == ADAPTIVE_P) {
            llama_sampler_accept(built_in, 2000000000);
            llama_sampler_accept(mine, 2000000000);
        } else {
            break;
        }
    }
    llama_sampler_free(built_in);
    llama_sampler_free(mine);
}

void test_state(void)
{
    for (int i = 0; i < 300; i++) {
        setting s = random_setting(ADAPTIVE_P);
        test_state_of(s, 100);
        s.kind = MIROSTAT_V2;
        s.tau = 0.02 + 0.2 * random_number();
        test_state_of(s, 100);
    }
}

void report_stages(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        printf("%s equal %lu\n%s near %lu\n%s defects %lu\n%s truncated %lu\n%s drawn alike %lu\n", names[kind],
               equal[kind], names[kind], near_cut[kind], names[kind], defects[kind], names[kind], truncated[kind],
               names[kind], same_draws[kind]);
}
