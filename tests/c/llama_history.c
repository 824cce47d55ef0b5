/*
 * The stages that look at the history against llama.cpp's own: penalties, DRY and logit bias, each alone and in chains
 * with stages before and after it, over sequences that grow by one token at a time. The only difference: a token that a
 * penalty moves below e^-600 of the first is dropped by bregman after a truncation, and kept with probability 0 by
 * llama.cpp.
 */
#include "llama_test.h"

#include "bregman_llama.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum kind { PENALTIES, DRY, DRY_BREAKERS, DRY_DEFAULTS, BIAS, MIXED, AFTER_TEMP, AFTER_TOP_K, KINDS };
static const char *const names[KINDS] = {"penalties", "dry",   "breakers",   "default_breakers",
                                         "logit_bias", "mixed", "after_temp", "after_top_k"};
static unsigned long equal[KINDS], moved[KINDS];

enum { SEQUENCES = 60, STEPS = 40, TEXT = 1 << 15 };
static const char *const breaker_texts[] = {",", "the"};
static const char *const default_texts[] = {"\n", ":", "\"", "*"};

static size_t below(size_t n)
{
    return (size_t)(random_number() * (double)n);
}

/* The parameter `breakers` of dry for the texts, and for llama.cpp's default ones. */
static char breakers[TEXT], default_breakers[TEXT];

static void find_breakers(const struct llama_vocab *vocab)
{
    char cut[20];
    size_t whole = bregman_llama_dry_breakers(vocab, breaker_texts, 2, breakers, TEXT);
    size_t all = bregman_llama_dry_breakers(vocab, NULL, 0, default_breakers, TEXT);
    CHECK(whole == strlen(breakers) && all == strlen(default_breakers) && all > 0);
    CHECK(bregman_llama_dry_breakers(vocab, breaker_texts, 2, NULL, 0) == whole);
    CHECK(bregman_llama_dry_breakers(vocab, breaker_texts, 2, cut, sizeof cut) == whole && strlen(cut) == sizeof cut - 1);
    CHECK(strncmp(cut, breakers, sizeof cut - 1) == 0);
    CHECK(bregman_llama_dry_breakers(vocab, breaker_texts, 0, cut, sizeof cut) == 0 && *cut == '\0');
    unsigned long found = 1, tails = 0;
    for (const char *at = breakers; *at != '\0'; at++) {
        found += *at == ';';
        tails += *at == ' ';
    }
    printf("breakers found %lu\nbreakers with a tail %lu\n", found, tails);
}

typedef struct setting {
    enum kind kind;
    float repeat, frequency, presence, multiplier, base, bias[3], t;
    int last_n, allowed, dry_last_n, ids[3], k;
} setting;

static setting random_setting(enum kind kind)
{
    static const float repeats[] = {1.0f, 1.1f, 1.5f, 2.0f, 0.8f}, penalties[] = {0.0f, 0.3f, 1.0f, -0.5f};
    static const float bases[] = {1.0f, 1.2f, 1.75f, 4.0f};
    static const int windows[] = {1, 3, 16, 64, 1000};
    setting s = {.kind = kind, .k = 1 + (int)below(200), .t = 0.3f + (float)random_number() * 2.0f};
    s.repeat = repeats[below(5)];
    s.frequency = penalties[below(4)];
    s.presence = penalties[below(4)];
    s.last_n = windows[below(5)];
    s.multiplier = below(8) == 0 ? 0.0f : (float)random_number() * 2.0f;
    s.base = bases[below(4)];
    s.allowed = (int)below(4);
    s.dry_last_n = windows[below(5)];
    for (int i = 0; i < 3; i++) {
        s.ids[i] = (int)(7 * below(100) + 3) + i;
        s.bias[i] = below(4) == 0 ? -INFINITY : (float)(random_number() * 8.0 - 4.0);
    }
    if (s.ids[0] == s.ids[1] || s.ids[1] == s.ids[2] || s.ids[0] == s.ids[2])
        return random_setting(kind);
    return s;
}

static struct llama_sampler *their_dry(setting s, const struct llama_vocab *vocab)
{
    const char *texts[4];
    size_t n = s.kind == DRY_BREAKERS || s.kind == MIXED ? 2 : s.kind == DRY_DEFAULTS ? 4 : 0;
    memcpy(texts, n == 4 ? default_texts : breaker_texts, n * sizeof *texts);
    return llama_sampler_init_dry(vocab, s.multiplier, s.base, s.allowed, s.dry_last_n, texts, n);
}

static struct llama_sampler *their_bias(setting s, const struct llama_vocab *vocab)
{
    llama_logit_bias list[3];
    for (int i = 0; i < 3; i++)
        list[i] = (llama_logit_bias){s.ids[i], s.bias[i]};
    return llama_sampler_init_logit_bias(llama_vocab_n_tokens(vocab), 3, list);
}

static struct llama_sampler *theirs(setting s, const struct llama_vocab *vocab)
{
    struct llama_sampler *chain = new_chain();
    if (s.kind == AFTER_TEMP)
        llama_sampler_chain_add(chain, llama_sampler_init_temp(s.t));
    if (s.kind == AFTER_TOP_K)
        llama_sampler_chain_add(chain, llama_sampler_init_top_k(s.k));
    if (s.kind >= BIAS)
        llama_sampler_chain_add(chain, their_bias(s, vocab));
    if (s.kind == PENALTIES || s.kind >= MIXED)
        llama_sampler_chain_add(chain, llama_sampler_init_penalties(llama_vocab_n_tokens(vocab), s.last_n, s.repeat,
                                                                    s.frequency, s.presence));
    if (s.kind != PENALTIES && s.kind != BIAS)
        llama_sampler_chain_add(chain, their_dry(s, vocab));
    if (s.kind == MIXED)
        llama_sampler_chain_add(chain, llama_sampler_init_temp(s.t));
    return chain;
}

static void append(char *chain, const char *text)
{
    size_t used = strlen(chain);
    snprintf(chain + used, 2 * TEXT - used, "%s%s", used == 0 ? "" : " | ", text);
}

static void append_bias(char *chain, setting s)
{
    char text[200] = "logit_bias(";
    for (int i = 0; i < 3; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %d:%.9g", s.ids[i], (double)s.bias[i]);
    append(chain, strcat(text, ")"));
}

static struct llama_sampler *ours(setting s)
{
    static char chain[2 * TEXT], text[TEXT + 200];
    chain[0] = '\0';
    if (s.kind == AFTER_TEMP || s.kind == AFTER_TOP_K) {
        snprintf(text, sizeof text, s.kind == AFTER_TEMP ? "temperature(%.9g)" : "top_k(%.0f)",
                 s.kind == AFTER_TEMP ? (double)s.t : (double)s.k);
        append(chain, text);
    }
    if (s.kind >= BIAS)
        append_bias(chain, s);
    if (s.kind == PENALTIES || s.kind >= MIXED) {
        snprintf(text, sizeof text, "penalties(repeat=%.9g, frequency=%.9g, presence=%.9g, last_n=%d)", (double)s.repeat,
                 (double)s.frequency, (double)s.presence, s.last_n);
        append(chain, text);
    }
    if (s.kind != PENALTIES && s.kind != BIAS) {
        const char *list = s.kind == DRY_BREAKERS || s.kind == MIXED ? breakers : s.kind == DRY_DEFAULTS ? default_breakers : "";
        snprintf(text, sizeof text, "dry(multiplier=%.9g, base=%.9g, allowed=%d, last_n=%d%s%s)", (double)s.multiplier,
                 (double)s.base, s.allowed, s.dry_last_n, *list != '\0' ? ", breakers=" : "", list);
        append(chain, text);
    }
    if (s.kind == MIXED) {
        snprintf(text, sizeof text, "temperature(%.9g)", (double)s.t);
        append(chain, text);
    }
    return stage(chain, 1);
}

/* Sets the logits of candidates with probability 0 to -infinity. */
static void drop_nothings(array *a)
{
    float max = -INFINITY;
    for (size_t i = 0; i < a->list.size; i++)
        max = fmaxf(max, a->list.data[i].logit);
    for (size_t i = 0; i < a->list.size; i++)
        if (a->list.data[i].logit < max - 600.0f)
            a->list.data[i].logit = -INFINITY;
}

/* A sequence over a small alphabet, so that it repeats; both accept it token by token. */
static void compare(setting s, const struct llama_vocab *vocab)
{
    static array a, x, y;
    struct llama_sampler *built_in = theirs(s, vocab), *mine = ours(s);
    llama_token alphabet[5];
    for (int i = 0; i < 5; i++)
        alphabet[i] = (llama_token)(7 * below(60) + 3);
    for (int step = 0; step < STEPS; step++) {
        random_array(&a, 1 + below(step % 8 == 0 ? 3000 : 120));
        copy_array(&x, &a);
        copy_array(&y, &a);
        llama_sampler_apply(built_in, &x.list);
        llama_sampler_apply(mine, &y.list);
        if (*bregman_sampler_error(bregman_llama_sampler(mine)) != '\0') {
            /* Every candidate was banned, and llama.cpp's softmax of -infinity alone is no distribution. */
            static int32_t ids[MOST];
            static double p[MOST];
            CHECK(distribution(&x, ids, p) == 0);
            break;
        }
        drop_nothings(&x);
        drop_nothings(&y);
        if (!same_distribution(&x, &y))
            fprintf(stderr, "%s, step %d of %d candidates\n", names[s.kind], step, (int)a.list.size);
        CHECK(same_distribution(&x, &y));
        moved[s.kind] += !same_distribution(&a, &y);
        equal[s.kind]++;
        /* Often the token that followed this one before, so that repetitions become long. */
        llama_token next = below(10) < 7 ? alphabet[step % 5] : alphabet[below(5)];
        if (below(25) == 0)
            next = (llama_token)below((size_t)llama_vocab_n_tokens(vocab));
        llama_sampler_accept(built_in, next);
        llama_sampler_accept(mine, next);
    }
    llama_sampler_free(mine);
    llama_sampler_free(built_in);
}

void test_history(const char *backends, const char *model_file)
{
    struct llama_model_params params = llama_model_default_params();
    ggml_backend_load_all_from_path(backends);
    params.vocab_only = true;
    struct llama_model *model = llama_model_load_from_file(model_file, params);
    CHECK(model != NULL);
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    find_breakers(vocab);
    for (int kind = 0; kind < KINDS; kind++) {
        for (int i = 0; i < SEQUENCES; i++)
            compare(random_setting((enum kind)kind), vocab);
        printf("%s history equal %lu\n%s history moved %lu\n", names[kind], equal[kind], names[kind], moved[kind]);
    }
    llama_model_free(model);
}
