/* A host that lies about the length of its row. Only for the sanitizer, which must catch the library reading beyond it. */
#include "bregman.h"

#include <stdlib.h>

int main(void)
{
    bregman_sampler *sampler = NULL;
    bregman_result result;
    float *logits = calloc(100, sizeof *logits);
    if (logits == NULL || bregman_sampler_new("greedy", 1, &sampler, NULL, 0) != BREGMAN_OK)
        return 0; /* which counts as not caught */
    bregman_decode(sampler, logits, 101, &result);
    bregman_sampler_free(sampler);
    free(logits);
    return 0;
}
