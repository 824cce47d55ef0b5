/* Random candidate arrays as an engine may pass them, and comparisons of two arrays. */
#include "llama_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 20250519;

static uint64_t next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

double random_number(void)
{
    return (double)(next() >> 11) * 0x1p-53;
}

static double normal(void)
{
    return sqrt(-2.0 * log(1.0 - random_number())) * cos(6.283185307179586 * random_number());
}

static void fill_list(array *a, size_t n)
{
    a->list.data = a->data;
    a->list.size = n;
    a->list.selected = -1;
    a->list.sorted = false;
}

void from_logits(array *a, const float *logits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a->data[i] = (llama_token_data){(llama_token)i, logits[i], 0.0f};
    fill_list(a, n);
}

static int descending(const void *a, const void *b)
{
    const llama_token_data *x = a, *y = b;
    return x->logit < y->logit ? 1 : x->logit > y->logit ? -1 : (x->id > y->id) - (x->id < y->id);
}

static int by_id(const void *a, const void *b)
{
    const llama_token_data *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static void shuffle(array *a)
{
    for (size_t i = a->list.size; i > 1; i--) {
        size_t j = (size_t)(random_number() * (double)i);
        llama_token_data other = a->data[i - 1];
        a->data[i - 1] = a->data[j];
        a->data[j] = other;
    }
}

void random_array(array *a, size_t n)
{
    double scale = 0.5 + 5.0 * random_number(), banned = random_number() < 0.3 ? 0.5 * random_number() : 0.0;
    bool odd_ids = random_number() < 0.5;
    for (size_t i = 0; i < n; i++) {
        /* A subset of the vocabulary: ids are not consecutive. */
        a->data[i].id = (llama_token)(odd_ids ? 7 * i + 3 : i);
        a->data[i].logit = random_number() < banned ? -INFINITY : (float)(scale * normal());
        a->data[i].p = NAN; /* must not be read */
    }
    a->data[n / 2].logit = (float)(scale * normal());
    fill_list(a, n);
    double order = random_number();
    if (order < 0.5) {
        shuffle(a);
    } else if (order < 0.75) {
        qsort(a->data, n, sizeof *a->data, descending);
        a->list.sorted = true;
    }
}

void copy_array(array *to, const array *from)
{
    memcpy(to->data, from->data, from->list.size * sizeof *from->data);
    to->list = from->list;
    to->list.data = to->data;
}

void sort_by_id(array *a)
{
    qsort(a->list.data, a->list.size, sizeof *a->data, by_id);
    a->list.sorted = false;
}

size_t distribution(const array *a, int32_t *ids, double *p)
{
    static llama_token_data kept[MOST];
    size_t n = 0;
    double max = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < a->list.size; i++)
        if (a->list.data[i].logit > -INFINITY) {
            kept[n++] = a->list.data[i];
            max = fmax(max, (double)a->list.data[i].logit);
        }
    qsort(kept, n, sizeof *kept, by_id);
    for (size_t i = 0; i < n; i++)
        sum += p[i] = exp((double)kept[i].logit - max);
    for (size_t i = 0; i < n; i++) {
        ids[i] = kept[i].id;
        p[i] /= sum;
    }
    return n;
}

bool same_distribution(const array *a, const array *b)
{
    static int32_t a_ids[MOST], b_ids[MOST];
    static double a_p[MOST], b_p[MOST];
    size_t n = distribution(a, a_ids, a_p);
    if (distribution(b, b_ids, b_p) != n || n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (a_ids[i] != b_ids[i] || !(fabs(a_p[i] - b_p[i]) <= 1e-5))
            return false;
    return true;
}

void check_truncated(const array *a)
{
    double max = (double)a->list.data[0].logit, sum = 0.0;
    CHECK(a->list.data == a->data && a->list.size > 0 && a->list.sorted && a->list.selected == -1);
    for (size_t i = 0; i < a->list.size; i++)
        sum += exp((double)a->list.data[i].logit - max);
    for (size_t i = 0; i < a->list.size; i++) {
        CHECK(i == 0 || a->list.data[i - 1].logit >= a->list.data[i].logit);
        CHECK(fabs((double)a->list.data[i].p - exp((double)a->list.data[i].logit - max) / sum) <= 1e-5);
    }
}
