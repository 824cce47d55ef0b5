/*
 * What a chain over a row does, where the row is no vocabulary: rewards, values, router logits. docs/decisions.md explains it.
 * usage: recipes
 */
#include <bregman.h>

#include <math.h>
#include <stdio.h>

/* The distribution that a chain makes of a row, by the index of its elements; 0 for those that it drops. */
static int shares(const char *chain, const float *row, size_t n, float *share)
{
    char error[256];
    int32_t ids[16];
    float p[16];
    size_t kept = 0;
    bregman_sampler *sampler = NULL;
    if (bregman_sampler_new(chain, 0, &sampler, error, sizeof error) != BREGMAN_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    uint32_t status = bregman_distribution(sampler, row, n, ids, p, 16, &kept);
    bregman_sampler_free(sampler);
    for (size_t i = 0; i < n; i++)
        share[i] = 0;
    for (size_t i = 0; i < kept; i++)
        share[ids[i]] = p[i];
    return status != BREGMAN_OK;
}

/* One of k answers by their rewards, with exp(r / T). */
static int reward_softmax(void)
{
    const float rewards[] = {0.2f, 1.1f, 0.7f, -0.4f, 1.1f};
    float w[5];
    if (shares("temperature(0.5) | draw", rewards, 5, w) != 0)
        return 1;
    double kl = log(5), squares = 0;
    for (int i = 0; i < 5; i++) {
        kl += w[i] * log(w[i]);
        squares += (double)w[i] * w[i];
    }
    printf("reward softmax: %.6f %.6f %.6f %.6f %.6f, KL %.5f, ESS %.5f\n", (double)w[0], (double)w[1], (double)w[2],
           (double)w[3], (double)w[4], kl, 1 / squares);
    return 0;
}

/* One of M continuations by their values, with exp(v / alpha). */
static int svdd(void)
{
    const float values[] = {0.3f, 0.9f, 0.1f};
    float w[3];
    if (shares("temperature(0.25) | draw", values, 3, w) != 0)
        return 1;
    printf("SVDD: %.6f %.6f %.6f\n", (double)w[0], (double)w[1], (double)w[2]);
    return 0;
}

/* Three of eight experts with their weights. */
static int mixtral(void)
{
    const float logits[] = {1, 3, 2, 0.5f, 2.5f, -1, 0.25f, 2.25f};
    float w[8];
    if (shares("top_k(3) | draw", logits, 8, w) != 0)
        return 1;
    printf("Mixtral: 1 %.6f, 4 %.6f, 7 %.6f\n", (double)w[1], (double)w[4], (double)w[7]);
    return 0;
}

int main(void)
{
    return reward_softmax() != 0 || svdd() != 0 || mixtral() != 0;
}
