/* Memory of idle sequences: what a handle costs once it has decoded, and what the thread keeps.
 * usage: idle [SEQUENCES [VOCAB [HISTORY]]]
 * Linux: the resident set is read from /proc/self/statm. */
#include <bregman.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static double resident(void) {
    long total = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &total, &pages) != 2) {
        fprintf(stderr, "no /proc/self/statm\n");
        exit(1);
    }
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void check(uint32_t status, const char *what) {
    if (status != BREGMAN_OK) {
        fprintf(stderr, "%s: %s\n", what, bregman_status_text(status));
        exit(1);
    }
}

/* A row with a head, or one so flat that a nucleus is most of it. */
static void fill(float *logits, size_t vocab, float spread) {
    uint32_t state = 1;
    for (size_t i = 0; i < vocab; i++) {
        state = state * 1664525u + 1013904223u;
        logits[i] = spread * (float)(state >> 8) / 16777216.0f;
    }
}

int main(int argc, char **argv) {
    const size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    const size_t vocab = argc > 2 ? strtoul(argv[2], NULL, 10) : 262144;
    const size_t history = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
    const char *chain = "penalties(repeat=1.1, scope=all) | temperature(0.8) | top_p(0.95) | draw";
    bregman_sampler **samplers = calloc(n, sizeof *samplers);
    float *logits = malloc(vocab * sizeof *logits);
    int32_t *tokens = malloc(history * sizeof *tokens);
    if (!samplers || !logits || !tokens) return 1;
    for (size_t i = 0; i < history; i++) tokens[i] = (int32_t)(i * 7919 % vocab);
    bregman_result result;
    for (int flat = 0; flat < 2; flat++) {
        fill(logits, vocab, flat ? 0.5f : 40.0f);
        const double before = resident();
        for (size_t i = 0; i < n; i++) {
            check(bregman_sampler_new(chain, i, &samplers[i], NULL, 0), "bregman_sampler_new");
            check(bregman_sampler_accept(samplers[i], tokens, history), "bregman_sampler_accept");
            check(bregman_decode(samplers[i], logits, vocab, &result), "bregman_decode");
        }
        const double used = resident() - before;
        printf("%s rows, V = %zu, history of %zu: %zu idle sequences %.1f MB, %.2f KB each\n", flat ? "flat" : "usual", vocab,
               history, n, used / 1e6, used / 1e3 / (double)n);
        for (size_t i = 0; i < n; i++) bregman_sampler_free(samplers[i]);
    }
    free(tokens);
    free(logits);
    free(samplers);
    return 0;
}
