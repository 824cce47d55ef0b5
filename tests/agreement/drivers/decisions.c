/* The commands of decisions.txt, over bregman_decisions.h. */
#include "decisions.h"

#include <bregman_decisions.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LISTS = 64 };

/* A list of numbers or counts; NULL data has no name yet. */
typedef struct list {
    char name[32];
    size_t n;
    double *numbers;
    uint64_t *counts;
} list;

static list lists[MOST_LISTS];
static size_t n_lists;
static char message[1024];

#define ERROR message, sizeof message

static double bits(const char *text) {
    char *end;
    const uint64_t word = strtoull(text, &end, 16);
    double value;
    if (*end || end == text) {
        die("`%s` is not hexadecimal", text);
    }
    memcpy(&value, &word, sizeof value);
    return value;
}

static uint64_t splitmix(uint64_t seed, uint64_t n) {
    uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The list of a name, emptied, with room for n elements. */
static list *fresh(const char *name, size_t n) {
    size_t i = 0;
    while (i < n_lists && strcmp(lists[i].name, name) != 0) {
        i++;
    }
    if (i == MOST_LISTS) {
        die("too many lists");
    }
    n_lists += i == n_lists;
    free(lists[i].numbers);
    free(lists[i].counts);
    snprintf(lists[i].name, sizeof lists[i].name, "%s", name);
    lists[i].n = n;
    lists[i].numbers = allocate(n * sizeof(double));
    lists[i].counts = allocate(n * sizeof(uint64_t));
    return &lists[i];
}

static const list *known(const char *name) {
    for (size_t i = 0; i < n_lists; i++) {
        if (strcmp(lists[i].name, name) == 0) {
            return &lists[i];
        }
    }
    die("no list `%s`", name);
    return NULL;
}

/* NULL for "-". */
static const double *optional(const char *name) { return strcmp(name, "-") == 0 ? NULL : known(name)->numbers; }

static void figures(const double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t word;
        memcpy(&word, &x[i], sizeof word);
        if (isnan(x[i])) {
            printf(" nan");
        } else {
            printf(" %016" PRIx64, word);
        }
    }
}

/* Writes the beginning of an answer; whether the call succeeded. */
static int ok(unsigned line, uint32_t status) {
    if (status == BREGMAN_OK) {
        printf("%u ok", line);
        return 1;
    }
    printf("%u error %" PRIu32 " %s", line, status, message);
    return 0;
}

static void run_best_of_n(const words *w, unsigned line) {
    const list *p = known(word(w, 1)), *rewards = known(word(w, 2));
    double kl_and_rate[2], *law = allocate(p->n * sizeof *law);
    if (ok(line, bregman_best_of_n(p->numbers, rewards->numbers, p->n, number(w, 3), law, &kl_and_rate[0], &kl_and_rate[1],
                                   ERROR))) {
        figures(kl_and_rate, 2);
        figures(law, p->n);
    }
    free(law);
}

static void run_bounds(const words *w, unsigned line) {
    double bounds[2];
    if (ok(line, bregman_best_of_n_bounds(number(w, 1), &bounds[0], &bounds[1], ERROR))) {
        figures(bounds, 2);
    }
}

static void run_estimates(const words *w, unsigned line) {
    const list *epsilons = known(word(w, 1));
    double *estimates = allocate(epsilons->n * sizeof *estimates);
    if (ok(line, bregman_best_of_n_kl_estimates(epsilons->numbers, epsilons->n, number(w, 2), estimates, ERROR))) {
        figures(estimates, epsilons->n);
    }
    free(estimates);
}

static void run_soft_values(const words *w, unsigned line) {
    const list *values = known(word(w, 1));
    const size_t candidates = number(w, 3), rows = candidates ? values->n / candidates : 0;
    double *weights = allocate(values->n * sizeof *weights), *soft = allocate(rows * sizeof *soft);
    if (ok(line, bregman_soft_values(values->numbers, optional(word(w, 2)), rows, candidates, bits(word(w, 4)), weights, soft,
                                     ERROR))) {
        figures(soft, rows);
        figures(weights, values->n);
    }
    free(weights);
    free(soft);
}

/* route CONVENTION EXPERTS TOP_K GROUPS TOP_GROUPS SCALE BIAS LOGITS */
static void run_route(const words *w, unsigned line) {
    const bregman_gate_options options = {sizeof options, (uint32_t)number(w, 1), number(w, 2), number(w, 3),
                                          number(w, 4),   number(w, 5),           bits(word(w, 6))};
    const list *logits = known(word(w, 8));
    const size_t rows = options.experts ? logits->n / options.experts : 0, n = rows * options.top_k;
    int32_t *ids = allocate(n * sizeof *ids);
    double *weights = allocate(n * sizeof *weights);
    if (ok(line, bregman_route(&options, optional(word(w, 7)), logits->numbers, rows, ids, weights, ERROR))) {
        for (size_t i = 0; i < n; i++) {
            uint64_t bits_of;
            memcpy(&bits_of, &weights[i], sizeof bits_of);
            printf(" %" PRId32 ":%016" PRIx64, ids[i], bits_of);
        }
    }
    free(ids);
    free(weights);
}

/* next_arm RULE REWARDS REDRAWS SIGMA BETA MEANS PULLS SEED POSITION COUNT */
static void run_next_arm(const words *w, unsigned line) {
    const bregman_arm_options options = {sizeof options,          (uint32_t)number(w, 1), (uint32_t)number(w, 2),
                                         (uint32_t)number(w, 3), bits(word(w, 4)),       bits(word(w, 5))};
    const list *means = known(word(w, 6)), *pulls = known(word(w, 7));
    for (uint64_t i = 0; i < number(w, 10); i++) {
        size_t arm, leader;
        const uint32_t status = bregman_next_arm(&options, means->numbers, pulls->counts, means->n, number(w, 8),
                                                 number(w, 9) + i, &arm, &leader, ERROR);
        if (i == 0 && !ok(line, status)) {
            return;
        }
        printf(" %zu:%zu", arm, leader);
    }
}

static void run_best_arm(const words *w, unsigned line) {
    const list *means = known(word(w, 3)), *pulls = known(word(w, 4));
    bregman_verdict out = {sizeof out, 0, 0, 0, 0};
    if (ok(line, bregman_best_arm((uint32_t)number(w, 1), bits(word(w, 2)), means->numbers, pulls->counts, means->n,
                                  bits(word(w, 5)), &out, ERROR))) {
        printf(" %" PRIu32 " %zu", out.stop, out.best);
        figures(&out.statistic, 1);
        figures(&out.threshold, 1);
    }
}

static void run_abstain(const words *w, unsigned line) {
    const list *max_p = known(word(w, 1)), *ratios = known(word(w, 2));
    uint8_t *rejects = allocate(max_p->n);
    if (ok(line, bregman_abstain(max_p->numbers, ratios->numbers, max_p->n, bits(word(w, 3)), bits(word(w, 4)), rejects,
                                 ERROR))) {
        putchar(' ');
        for (size_t i = 0; i < max_p->n; i++) {
            putchar('0' + rejects[i]);
        }
    }
    free(rejects);
}

/* calibration_error PROBABILITIES RANKS TOP BINS LEVEL RESAMPLES SEED */
static void run_calibration(const words *w, unsigned line) {
    const list *z = known(word(w, 1)), *counts = known(word(w, 2));
    uint32_t *ranks = allocate(counts->n * sizeof *ranks);
    bregman_calibration out = {sizeof out, 0, 0, 0, 0, 0, 0, 0};
    for (size_t i = 0; i < counts->n; i++) {
        ranks[i] = (uint32_t)counts->counts[i];
    }
    if (ok(line, bregman_calibration_error(z->numbers, ranks, counts->n, number(w, 3), number(w, 4), bits(word(w, 5)),
                                           (uint32_t)number(w, 6), number(w, 7), &out, ERROR))) {
        const double all[] = {out.squared_error, out.variance, out.lower, out.upper, out.p_value};
        printf(" %zu", out.cells);
        figures(all, 5);
    }
    free(ranks);
}

static void run_distortion(const words *w, unsigned line) {
    const list *log_kept = known(word(w, 1));
    double sum;
    if (ok(line, bregman_distortion(log_kept->numbers, log_kept->n, &sum, ERROR))) {
        figures(&sum, 1);
    }
}

static void run_distortion_of_logprobs(const words *w, unsigned line) {
    const list *decoded = known(word(w, 1)), *model = known(word(w, 2));
    double sum;
    if (ok(line, bregman_distortion_of_logprobs(decoded->numbers, model->numbers, decoded->n, &sum, ERROR))) {
        figures(&sum, 1);
    }
}

/* The commands that make lists. */
static int make_list(const words *w) {
    if (strcmp(word(w, 0), "numbers") == 0) {
        list *made = fresh(word(w, 1), w->n - 2);
        for (size_t i = 0; i < made->n; i++) {
            made->numbers[i] = bits(word(w, i + 2));
        }
        return 1;
    }
    if (strcmp(word(w, 0), "uniforms") == 0) {
        list *made = fresh(word(w, 1), number(w, 2));
        const double from = atof(word(w, 4)), to = atof(word(w, 5));
        for (size_t i = 0; i < made->n; i++) {
            made->numbers[i] = from + (to - from) * ((double)(splitmix(number(w, 3), i) >> 11) * 0x1p-53);
        }
        return 1;
    }
    if (strcmp(word(w, 0), "counts") == 0) {
        list *made = fresh(word(w, 1), number(w, 2));
        for (size_t i = 0; i < made->n; i++) {
            made->counts[i] = (splitmix(number(w, 3), i) >> 11) % (number(w, 4) + 1);
        }
        return 1;
    }
    return 0;
}

int run_decision(const words *w, unsigned line) {
    static const struct {
        const char *command;
        void (*run)(const words *, unsigned);
    } commands[] = {
        {"best_of_n", run_best_of_n},
        {"best_of_n_bounds", run_bounds},
        {"best_of_n_kl_estimates", run_estimates},
        {"soft_values", run_soft_values},
        {"route", run_route},
        {"next_arm", run_next_arm},
        {"best_arm", run_best_arm},
        {"abstain", run_abstain},
        {"calibration_error", run_calibration},
        {"distortion", run_distortion},
        {"distortion_of_logprobs", run_distortion_of_logprobs},
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(word(w, 0), commands[i].command) == 0) {
            commands[i].run(w, line);
            putchar('\n');
            return 1;
        }
    }
    return make_list(w);
}

void free_lists(void) {
    for (size_t i = 0; i < n_lists; i++) {
        free(lists[i].numbers);
        free(lists[i].counts);
    }
}
