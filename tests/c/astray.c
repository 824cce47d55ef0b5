/* Passes a length beyond the end of its row: under the sanitizer this must be reported as a read out of bounds. */
#include "bregman.h"

#include <stdlib.h>

int main(void)
{
    bregman_sampler *sampler = NULL;
    bregman_result result;
    float *logits = calloc(100, sizeof *logits);
    if (logits == NULL || bregman_sampler_new("greedy", 1, &sampler, NULL, 0) != BREGMAN_OK)
        return 0; /* the read was not reported */
    bregman_decode(sampler, logits, 101, &result);
    bregman_sampler_free(sampler);
    free(logits);
    return 0;
}
