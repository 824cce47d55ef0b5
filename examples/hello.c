/* The smallest host: one row of logits, one token, and the size of its support. */
#include <bregman.h>
#include <stdio.h>

int main(void) {
    const float logits[6] = {2.0f, 1.5f, 0.3f, -1.0f, 1.9f, -4.0f};
    bregman_sampler *sampler;
    char error[256];
    const char *chain = "temperature(0.8) | bregman(alpha=1.5, floor=0.05) | draw";
    if (bregman_sampler_new(chain, 42, &sampler, error, sizeof error) != BREGMAN_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    bregman_result r;
    if (bregman_decode(sampler, logits, 6, &r) != BREGMAN_OK) {
        fprintf(stderr, "%s\n", bregman_sampler_error(sampler));
        return 1;
    }
    printf("token %d, drawn with probability %.3f from a support of %u\n", (int)r.token, r.p, (unsigned)r.support);
    bregman_sampler_free(sampler);
    return 0;
}
