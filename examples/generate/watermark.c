/* Watermarks: chains that mark their text, and what detectors find in it. */
#include "watermark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bregman.h"
#include "text.h"

#define KEYS "654 400 836 123 340 443 597 160 57 29 590 639 13 715 468 990 966 226 324 585"
#define OTHER_KEYS "101 202 303 404 505 606 707 808 909 110 211 312 413 514 615 716 817 918 119 220"
#define BEFORE "temperature(0.8) | top_p(0.95) | "

const char *const watermark_chains[WATERMARK_CHAINS] = {
    BEFORE "draw",
    BEFORE "watermark(key=0x9d3c55aa10f2e671)",
    BEFORE "synthid(keys=" KEYS ") | draw",
    BEFORE "green_list(key=15485863, delta=2) | draw",
};

/* The stage of each chain for its detector, and with another key. Green lists need the size of the vocabulary. */
static const struct scheme {
    const char *name, *right, *wrong;
} schemes[WATERMARK_CHAINS] = {
    {"no mark", NULL, NULL},
    {"watermark", "watermark(key=0x9d3c55aa10f2e671)", "watermark(key=0x9d3c55aa10f2e672)"},
    {"synthid", "synthid(keys=" KEYS ")", "synthid(keys=" OTHER_KEYS ")"},
    {"green_list", "green_list(key=15485863, vocab=%zu)", "green_list(key=15485864, vocab=%zu)"},
};

static int score(const char *stage, size_t n_vocab, const run *r, bregman_watermark *out)
{
    str text = {0};
    int32_t *tokens = must_alloc(NULL, r->n + 1, sizeof *tokens);
    for (size_t i = 0; i < r->n; i++)
        tokens[i] = r->token[i].id;
    str_format(&text, stage, n_vocab);
    char error[512] = "";
    *out = (bregman_watermark){.struct_size = sizeof *out};
    uint32_t status = bregman_watermark_score(text.data, tokens, r->n, out, error, sizeof error);
    if (status != BREGMAN_OK)
        fprintf(stderr, "generate: %s\n", *error ? error : bregman_status_text(status));
    free(tokens);
    free(text.data);
    return status == BREGMAN_OK ? 0 : -1;
}

static double microseconds(const run *r)
{
    return r->sampler_microseconds / (double)(r->n ? r->n : 1);
}

int watermark_report(const run *runs, size_t n_vocab)
{
    puts("What detectors find: the probability of such a score in a text without the mark.\n");
    printf("%-12s %8s %12s %12s %14s %16s\n", "", "counted", "right key", "wrong key", "unmarked text", "sampler, µs");
    printf("%-12s %8s %12s %12s %14s %15.1f\n", schemes[0].name, "", "", "", "", microseconds(&runs[0]));
    for (size_t i = 1; i < WATERMARK_CHAINS; i++) {
        bregman_watermark right, wrong, none;
        if (score(schemes[i].right, n_vocab, &runs[i], &right) != 0 || score(schemes[i].wrong, n_vocab, &runs[i], &wrong) != 0 ||
            score(schemes[i].right, n_vocab, &runs[0], &none) != 0)
            return -1;
        printf("%-12s %8zu %12.2g %12.2g %14.2g %15.1f\n", schemes[i].name, right.counted, right.p_value, wrong.p_value,
               none.p_value, microseconds(&runs[i]));
    }
    return 0;
}
