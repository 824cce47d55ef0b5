/* Runs all checks, stops at the first that fails, and prints how many were made. */
#include "consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned checks;

void check(int good, const char *what, const char *file, int line)
{
    checks++;
    if (!good) {
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
        exit(1);
    }
}

bregman_sampler *make(const char *chain, uint64_t seed)
{
    bregman_sampler *sampler = NULL;
    char error[256] = "";
    uint32_t status = bregman_sampler_new(chain, seed, &sampler, error, sizeof error);
    if (status != BREGMAN_OK)
        fprintf(stderr, "%s: %s\n", chain, error);
    CHECK(status == BREGMAN_OK && sampler != NULL);
    return sampler;
}

void fill(float *logits, size_t vocab, unsigned number)
{
    uint32_t state = 2654435761u * (number + 1);
    for (size_t i = 0; i < vocab; i++) {
        state = state * 1664525u + 1013904223u;
        /* Eighths, exact in half precision; the last bits make equal ones different in f32 only. */
        logits[i] = (float)(int32_t)(state >> 26) / 8.0f;
    }
}

/* With an argument: what happens with BREGMAN_SIMD=mmx, a level that no build has. */
static int refused_level(void)
{
    bregman_sampler *sampler = NULL;
    char error[256] = "";
    CHECK(strcmp(bregman_simd_level(), "") == 0);
    CHECK(bregman_sampler_new("draw", 1, &sampler, error, sizeof error) == BREGMAN_UNSUPPORTED);
    CHECK(sampler == NULL && strstr(error, "BREGMAN_SIMD") != NULL && strstr(error, "`mmx`") != NULL);
    printf("refused: %s\n", error);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--refused-level") == 0)
        return refused_level();
    CHECK(bregman_abi_version() == BREGMAN_ABI_VERSION);
    CHECK(strlen(bregman_version()) > 0 && strlen(bregman_simd_level()) > 0);
    CHECK(strcmp(bregman_status_text(BREGMAN_OK), "ok") == 0);
    CHECK(strcmp(bregman_status_text(12345), "unknown status") == 0);
    print_layout();
    test_state();
    test_catalogue();
    test_generator();
    test_rows();
    printf("checks %u\n", checks);
    return 0;
}
