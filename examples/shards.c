/*
 * Tensor parallelism: two processes have half of every row's logits each. Each reduces its half to the 64 largest logits and
 * a few numbers about the rest; one gathers both lists and decodes. The tokens are those of the whole rows.
 */
#define _POSIX_C_SOURCE 200809L
#include <bregman.h>

#include <math.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VOCAB = 32000, HALF = VOCAB / 2, N = 64, STEPS = 50 };

static const char CHAIN[] = "top_k(40) | top_p(0.95) | temperature(0.8) | draw";

/* What a rank sends for each row. */
typedef struct list {
    int32_t ids[N];
    float logits[N];
    double log_rest;
    float bound;
} list;

/* The logits of tokens `first` and on at a step, as a model would compute them. */
static void forward(size_t step, size_t first, size_t n, float *logits)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)(first + i) * 2654435761u ^ (uint32_t)step * 40503u;
        x = (x ^ x >> 15) * 2246822519u;
        x ^= x >> 13;
        logits[i] = -3.0f * logf(1.0f + (float)(x >> 8) / 1024.0f);
    }
}

/* Rank `rank` reduces its half of a row. */
static uint32_t reduce(size_t step, size_t rank, list *out)
{
    static float logits[HALF];
    bregman_batch shard = {0};
    forward(step, rank * HALF, HALF, logits);
    shard.struct_size = sizeof shard;
    shard.logits = logits;
    shard.rows = 1;
    shard.vocab = shard.row_stride = HALF;
    return bregman_reduce(&shard, (int32_t)(rank * HALF), N, 1.0f, out->ids, out->logits, &out->log_rest, &out->bound);
}

/* Decodes the lists of both ranks, one behind the other. */
static uint32_t decode(bregman_sampler *sampler, const list *a, const list *b, bregman_result *r)
{
    int32_t ids[2 * N];
    float logits[2 * N], bound = a->bound > b->bound ? a->bound : b->bound;
    double log_rest = log(exp(a->log_rest) + exp(b->log_rest));
    bregman_batch row = {0};
    for (size_t i = 0; i < N; i++) {
        ids[i] = a->ids[i], ids[N + i] = b->ids[i];
        logits[i] = a->logits[i], logits[N + i] = b->logits[i];
    }
    row.struct_size = sizeof row;
    row.logits = logits;
    row.ids = ids;
    row.log_rest = &log_rest;
    row.bound = &bound;
    row.rows = 1;
    row.vocab = row.row_stride = 2 * N;
    return bregman_decode_batch(&sampler, &row, r);
}

/* Rank 1 sends its lists. */
static int send_lists(int to)
{
    for (size_t step = 0; step < STEPS; step++) {
        list mine;
        if (reduce(step, 1, &mine) != BREGMAN_OK || write(to, &mine, sizeof mine) != (ssize_t)sizeof mine)
            return 1;
    }
    return 0;
}

/* Reads the whole of a list; 0 if there is no more. */
static int receive(int from, list *out)
{
    size_t have = 0;
    while (have < sizeof *out) {
        ssize_t n = read(from, (char *)out + have, sizeof *out - have);
        if (n <= 0)
            return 0;
        have += (size_t)n;
    }
    return 1;
}

int main(void)
{
    static float row[VOCAB];
    bregman_sampler *sharded, *whole;
    char error[256];
    int pipes[2], status = 1, incomplete = 0, equal = 0;
    pid_t child;
    if (pipe(pipes) != 0 || (child = fork()) < 0)
        return 1;
    if (child == 0)
        _exit(send_lists(pipes[1]));
    close(pipes[1]);
    if (bregman_sampler_new(CHAIN, 42, &sharded, error, sizeof error) != BREGMAN_OK ||
        bregman_sampler_new(CHAIN, 42, &whole, error, sizeof error) != BREGMAN_OK)
        return 1;
    for (size_t step = 0; step < STEPS; step++) {
        list mine, theirs;
        bregman_result ours, expected;
        if (reduce(step, 0, &mine) != BREGMAN_OK || !receive(pipes[0], &theirs))
            return 1;
        forward(step, 0, VOCAB, row);
        if (bregman_decode(whole, row, VOCAB, &expected) != BREGMAN_OK)
            return 1;
        if (decode(sharded, &mine, &theirs, &ours) == BREGMAN_INCOMPLETE) {
            /* An engine would gather the row now; the position has not moved. */
            incomplete++;
            if (bregman_decode(sharded, row, VOCAB, &ours) != BREGMAN_OK)
                return 1;
        }
        equal += ours.token == expected.token && ours.support == expected.support;
    }
    waitpid(child, &status, 0);
    printf("%d of %d tokens equal, %d rows gathered; %zu bytes a row from each rank instead of %zu\n", equal, STEPS,
           incomplete, sizeof(list), sizeof(float) * HALF);
    bregman_sampler_free(sharded);
    bregman_sampler_free(whole);
    return equal == STEPS && status == 0 ? 0 : 1;
}
