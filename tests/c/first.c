/*
 * A host that was built with the first header of ABI 1 (first/bregman.h): its structs are smaller than today's, and what
 * lies behind them in memory is not the library's to read. Prints the tokens and answers of a batch.
 */
#include "first/bregman.h"

#include <stdio.h>
#include <string.h>

enum { ROWS = 3, VOCAB = 40, TOP = 4 };

int main(void)
{
    struct {
        bregman_batch batch;
        unsigned char behind[512];
    } rows;
    struct {
        bregman_answers answers;
        unsigned char behind[512];
    } more;
    float logits[ROWS * VOCAB], logprobs[ROWS];
    bregman_sampler *samplers[ROWS];
    bregman_result results[ROWS];
    int32_t top[ROWS * TOP], kept[ROWS * TOP];
    char error[256];
    size_t i;
    memset(&rows, 0xff, sizeof rows);
    memset(&more, 0xff, sizeof more);
    memset(&rows.batch, 0, sizeof rows.batch);
    memset(&more.answers, 0, sizeof more.answers);
    for (i = 0; i < ROWS * VOCAB; i++)
        logits[i] = (float)(i * 7919 % 97) / 16.0f;
    for (i = 0; i < ROWS; i++)
        if (bregman_sampler_new("temperature(0.8) | top_k(9) | draw", i, &samplers[i], error, sizeof error) != BREGMAN_OK)
            return 1;
    rows.batch.struct_size = sizeof rows.batch;
    rows.batch.logits = logits;
    rows.batch.rows = ROWS;
    rows.batch.vocab = rows.batch.row_stride = VOCAB;
    rows.batch.flags = BREGMAN_WANT_KEPT_MASS;
    more.answers.struct_size = sizeof more.answers;
    more.answers.source = BREGMAN_OF_DECODED;
    more.answers.logprobs = logprobs;
    more.answers.top = more.answers.top_stride = TOP;
    more.answers.top_ids = top;
    more.answers.kept = more.answers.kept_stride = TOP;
    more.answers.kept_ids = kept;
    if (bregman_decode_batch_answers(samplers, &rows.batch, results, &more.answers) != BREGMAN_OK)
        return 2;
    printf("sizes %lu %lu\n", (unsigned long)sizeof rows.batch, (unsigned long)sizeof more.answers);
    for (i = 0; i < ROWS; i++) {
        printf("row %d %.9g %.9g %.9g %d %d\n", (int)results[i].token, results[i].p, results[i].kept_mass, logprobs[i],
               (int)top[i * TOP + 1], (int)kept[i * TOP + 2]);
        bregman_sampler_free(samplers[i]);
    }
    return 0;
}
