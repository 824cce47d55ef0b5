/*
 * What reinforcement learning needs of a rollout, and its replay: see docs/rl.md. Decodes some tokens, stores for each what
 * docs/rl.md says, and computes both log-probabilities and the decoded distribution again from what was stored and the
 * model's logits.
 */
#include <bregman.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VOCAB = 5000, STEPS = 40, MOST = 200 };

/* Temperature first: the trainer's policy is the model at this temperature. */
static const char CHAIN[] = "temperature(0.7) | top_k(150) | top_p(0.9) | draw";
static const double T = 0.7;

static void forward(size_t step, float *logits)
{
    for (size_t i = 0; i < VOCAB; i++) {
        uint32_t x = (uint32_t)i * 2654435761u ^ (uint32_t)step * 40503u;
        x = (x ^ x >> 15) * 2246822519u;
        x ^= x >> 13;
        logits[i] = -2.0f * logf(1.0f + (float)(x >> 8) / 4096.0f);
    }
}

/* ln p of a token in double precision, over all tokens or over those that were kept. */
static double log_softmax(const float *logits, const int32_t *kept, size_t n, int32_t token)
{
    double max = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < n; i++)
        max = fmax(max, (double)logits[kept != NULL ? (size_t)kept[i] : i]);
    for (size_t i = 0; i < n; i++)
        sum += exp(((double)logits[kept != NULL ? (size_t)kept[i] : i] - max) / T);
    return ((double)logits[token] - max) / T - log(sum);
}

int main(void)
{
    static float logits[VOCAB];
    static int32_t kept[STEPS][MOST];
    size_t offsets[STEPS][2], stored = 0, same = 0;
    float logprobs[STEPS];
    bregman_result rollout[STEPS];
    bregman_sampler *sampler, *again;
    char error[256];
    double worst = 0.0;
    if (bregman_sampler_new(CHAIN, 7, &sampler, error, sizeof error) != BREGMAN_OK ||
        bregman_sampler_new("temperature(0.7) | top_k(5000) | draw", 7, &again, error, sizeof error) != BREGMAN_OK)
        return 1;

    /* The rollout: the token, ln p of the decoded distribution, ln of the kept mass, and the kept tokens. */
    for (size_t step = 0; step < STEPS; step++) {
        bregman_batch batch = {0};
        bregman_answers answers = {0};
        forward(step, logits);
        batch.struct_size = sizeof batch;
        batch.logits = logits;
        batch.rows = 1;
        batch.vocab = batch.row_stride = VOCAB;
        batch.flags = BREGMAN_WANT_LN_KEPT | BREGMAN_ACCEPT;
        answers.struct_size = sizeof answers;
        answers.source = BREGMAN_OF_DECODED;
        answers.logprobs = &logprobs[step];
        answers.kept = MOST;
        answers.kept_ids = kept[step];
        answers.kept_offsets = offsets[step];
        if (bregman_decode_batch_answers(&sampler, &batch, &rollout[step], &answers) != BREGMAN_OK)
            return 1;
        stored += sizeof(int32_t) + 2 * sizeof(float) + offsets[step][1] * sizeof(int32_t);
    }

    /* The trainer: the model's own log-probability, and that of the distribution that the token was drawn from. */
    for (size_t step = 0; step < STEPS; step++) {
        int32_t token = rollout[step].token, ids[MOST], replayed[MOST];
        float listed[MOST], p[MOST], q[MOST];
        size_t n = offsets[step][1], len = 0, both[2];
        bregman_batch row = {0};
        bregman_sampler *law;
        forward(step, logits);
        double model = log_softmax(logits, NULL, VOCAB, token), decoded = log_softmax(logits, kept[step], n, token);
        worst = fmax(worst, fabs(decoded - (double)logprobs[step]));
        worst = fmax(worst, fabs(decoded - (model - (double)rollout[step].ln_kept_mass)));

        /* The distribution itself from the kept tokens alone, to the bit. */
        for (size_t i = 0; i < n; i++)
            listed[i] = logits[kept[step][i]];
        row.struct_size = sizeof row;
        row.logits = listed;
        row.ids = kept[step];
        row.rows = 1;
        row.vocab = row.row_stride = n;
        if (bregman_sampler_new(CHAIN, 7, &law, error, sizeof error) != BREGMAN_OK ||
            bregman_distribution(law, logits, VOCAB, ids, p, MOST, &len) != BREGMAN_OK || len != n ||
            bregman_distribution_batch(&again, &row, both, replayed, q, MOST) != BREGMAN_OK || both[1] != n)
            return 1;
        same += memcmp(ids, replayed, n * sizeof *ids) == 0 && memcmp(p, q, n * sizeof *p) == 0;
        bregman_sampler_free(law);
    }
    printf("%d tokens; log-probabilities to %s; %zu distributions the same to the bit; %zu bytes a token\n", STEPS,
           worst < 1e-6 ? "1e-6" : "more than 1e-6", same, stored / STEPS);
    bregman_sampler_free(sampler);
    bregman_sampler_free(again);
    return worst < 1e-6 && same == STEPS ? 0 : 1;
}
