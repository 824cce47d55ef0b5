/*
 * Speculative decoding with two models of llama.cpp: a draft model proposes tokens, the target model reads them all in one
 * batch, and bregman_verify says how many stand.
 * usage: speculate BACKENDS TARGET DRAFT [options]
 *   BACKENDS        the folder with libggml's libraries
 *   --window N      the draft model sees only the last N tokens (0: all), so that one model can be target and draft
 *   --chain TEXT    the stages before the draw, of target and draft; several times for several chains
 *   --prompt TEXT   the beginning of the texts; several times for several beginnings
 *   --tokens N      the length of the texts
 *   --threads N     threads of llama.cpp
 *   --seeds N       texts that are decoded in every way (texts.c); 0: none
 *   --gamma N       tokens a draft in them
 *   --positions N   positions at which one token is drafted (acceptance.c); 0: none
 *   --draws N       seeds at each position
 */
#include "pair.h"

#include <ggml-backend.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {.gamma = 4, .tokens = 60, .seeds = 8, .draws = 60, .threads = 1};

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

static size_t number(const char *text, size_t least, size_t most)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    if (*end != '\0' || n < least || n > most)
        stop(text, "not a number in the range of this option");
    return (size_t)n;
}

static void add(const char **list, size_t *n, const char *text)
{
    if (*n == MOST_LISTED)
        stop(text, "too many of this option");
    list[(*n)++] = text;
}

static void read_options(int argc, char **argv)
{
    const struct {
        const char *name;
        size_t *value, least, most;
    } numbers[] = {
        {"--window", &options.window, 0, MOST_TEXT},       {"--gamma", &options.gamma, 1, MOST_DRAFT},
        {"--tokens", &options.tokens, 1, MOST_TEXT / 2},   {"--seeds", &options.seeds, 0, 1000000},
        {"--positions", &options.positions, 0, 1000000},   {"--draws", &options.draws, 1, 1000000},
        {"--threads", &options.threads, 1, 256},
    };
    for (int i = 0; i + 1 < argc; i += 2) {
        size_t known = 0, n = sizeof numbers / sizeof *numbers;
        if (strcmp(argv[i], "--chain") == 0)
            add(options.chains, &options.n_chains, argv[i + 1]);
        else if (strcmp(argv[i], "--prompt") == 0)
            add(options.prompts, &options.n_prompts, argv[i + 1]);
        else {
            while (known < n && strcmp(argv[i], numbers[known].name) != 0)
                known++;
            if (known == n)
                stop(argv[i], "no such option");
            *numbers[known].value = number(argv[i + 1], numbers[known].least, numbers[known].most);
        }
    }
    if (argc % 2 != 0)
        stop(argv[argc - 1], "an option without its value");
    if (options.n_chains == 0)
        add(options.chains, &options.n_chains, "temperature(0.8) | top_k(40)");
    if (options.n_prompts == 0)
        add(options.prompts, &options.n_prompts, "And it came to pass");
}

int main(int argc, char **argv)
{
    static struct pair pair;
    int failed = 0;
    if (argc < 4) {
        fprintf(stderr, "usage: speculate BACKENDS TARGET DRAFT [--window N] [--chain TEXT]... [--prompt TEXT]... [--tokens N]\n"
                        "       [--threads N] [--seeds N] [--gamma N] [--positions N] [--draws N]\n");
        return 2;
    }
    read_options(argc - 4, argv + 4);
    llama_log_set(quiet, NULL);
    ggml_backend_load_all_from_path(argv[1]);
    open_model(&pair.target, argv[2]);
    open_model(&pair.drafter, argv[3]);
    if (pair.target.n_vocab != pair.drafter.n_vocab)
        stop(argv[3], "its vocabulary is not that of the target");
    if (options.positions > 0)
        failed |= print_acceptance(&pair);
    if (options.seeds > 0)
        failed |= print_texts(&pair);
    close_model(&pair.target);
    close_model(&pair.drafter);
    return failed;
}
