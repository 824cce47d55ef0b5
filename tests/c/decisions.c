/* Every call of bregman_decisions.h from C: values of the papers, and messages of failures. */
#include "bregman_decisions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned checks;
static char error[200];

static void check(int good, const char *what, int line)
{
    checks++;
    if (!good) {
        fprintf(stderr, "line %d: %s (%s)\n", line, what, error);
        exit(1);
    }
}

#define CHECK(condition) check((condition) ? 1 : 0, #condition, __LINE__)
#define CLOSE(x, y) CHECK(fabs((x) - (y)) < 1e-6)
#define ERROR error, sizeof error

static void refused(uint32_t status, const char *beginning, int line)
{
    check(status == BREGMAN_INVALID_ARGUMENT, beginning, line);
    check(strncmp(error, beginning, strlen(beginning)) == 0, beginning, line);
}

#define REFUSED(call, beginning) refused(call, beginning, __LINE__)

static void candidates(void)
{
    const double p[] = {0.4, 0.3, 0.2, 0.1}, rewards[] = {0, 1, 2, 3}, values[] = {0.3, 0.9, 0.1};
    double law[4], kl, win_rate, weights[3], soft_value, epsilons[] = {-1e-300, -INFINITY}, estimates[2];
    CHECK(bregman_best_of_n(p, rewards, 4, 2, law, &kl, &win_rate, ERROR) == BREGMAN_OK);
    CLOSE(law[0], 0.16);
    CLOSE(law[3], 0.19);
    CLOSE(kl, 0.157199);
    CLOSE(win_rate, 0.65);
    REFUSED(bregman_best_of_n(p, rewards, 4, 0, law, &kl, &win_rate, ERROR), "n is 0");
    CHECK(bregman_best_of_n_bounds(8, &kl, &win_rate, NULL, 0) == BREGMAN_OK);
    CLOSE(kl, log(8) - 7.0 / 8);
    CLOSE(win_rate, 8.0 / 9);
    CHECK(bregman_best_of_n_kl_estimates(epsilons, 2, 8, estimates, ERROR) == BREGMAN_OK);
    CHECK(estimates[0] < 1e-12 && estimates[1] == kl);
    CHECK(bregman_best_of_n_kl_estimates(NULL, 0, 8, NULL, ERROR) == BREGMAN_OK);
    CHECK(bregman_soft_values(values, NULL, 1, 3, 0.25, weights, &soft_value, ERROR) == BREGMAN_OK);
    CLOSE(weights[1], 0.883798);
    CLOSE(soft_value, 0.656229);
    REFUSED(bregman_soft_values(values, NULL, 1, 3, 0, weights, &soft_value, ERROR), "alpha is 0");
}

static void gates(void)
{
    const double h[] = {1, 3, 2, 0.5, 2.5, -1, 0.25, 2.25}, bias[] = {0, -0.3, 0.1, 0, 0, 0.6, 0, 0.05};
    const double first[] = {0.481024, 0.364108, 0.481024, 0.481024, 0.952574, 1.061774};
    for (uint32_t convention = BREGMAN_GATE_MIXTRAL; convention <= BREGMAN_GATE_DEEPSEEK_V3; convention++) {
        bregman_gate_options options = {sizeof options, convention, 8, 3, 0, 0, 0};
        const double *correction = NULL;
        int32_t ids[3];
        double weights[3];
        if (convention == BREGMAN_GATE_DEEPSEEK_V3) {
            options.groups = 4;
            options.top_groups = 2;
            options.scale = 2.5;
            correction = bias;
        }
        CHECK(bregman_route(&options, correction, h, 1, ids, weights, ERROR) == BREGMAN_OK);
        CHECK(ids[0] == (correction ? 2 : 1));
        CLOSE(weights[0], first[convention]);
        options.top_k = 9;
        REFUSED(bregman_route(&options, correction, h, 1, ids, weights, ERROR), "top_k is 9");
    }
}

static void arms(void)
{
    const double means[] = {0.5, 0.45, 0.43, 0.4};
    const uint64_t pulls[] = {20, 15, 12, 10};
    bregman_arm_options rule = {sizeof rule, BREGMAN_ARMS_T3C, BREGMAN_REWARDS_BERNOULLI, 0, 0, 0.5};
    bregman_verdict verdict = {sizeof verdict, 9, 9, 9, 9};
    size_t arm = 9, leader = 9, again, leader_again;
    CHECK(bregman_best_arm(BREGMAN_REWARDS_GAUSSIAN, 1, means, pulls, 4, 0.1, &verdict, ERROR) == BREGMAN_OK);
    CHECK(verdict.struct_size == sizeof verdict && verdict.stop == 0 && verdict.best == 0);
    CLOSE(verdict.statistic, 0.01071429);
    CHECK(bregman_next_arm(&rule, means, pulls, 4, 42, 57, &arm, &leader, ERROR) == BREGMAN_OK);
    CHECK(arm < 4 && leader < 4);
    CHECK(bregman_next_arm(&rule, means, pulls, 4, 42, 57, &again, &leader_again, ERROR) == BREGMAN_OK);
    CHECK(again == arm && leader_again == leader);
    rule.sigma = 1;
    REFUSED(bregman_next_arm(&rule, means, pulls, 4, 42, 57, &arm, &leader, ERROR), "sigma is 1");
}

static void trust(void)
{
    const double max_p[] = {0.9, 0.9, 0.6, 0.7}, ratios[] = {0.1, 0.6, 0.1, 0.1};
    const double z[] = {0.55, 0.57, 0.72, 0.74, 0.74, 0.93}, log_kept[] = {-0.1, -0.2}, model[] = {-0.3, -0.5};
    const uint32_t ranks[] = {1, 0, 1, 1, 0, 1};
    const uint8_t expected[] = {0, 1, 1, 0};
    uint8_t rejects[4];
    bregman_calibration found = {sizeof found, 9, 9, 9, 9, 9, 9, 9};
    double distortion;
    CHECK(bregman_abstain(max_p, ratios, 4, 0.2, 0.3, rejects, ERROR) == BREGMAN_OK);
    CHECK(memcmp(rejects, expected, 4) == 0);
    REFUSED(bregman_abstain(max_p, ratios, 4, 0.8, 0.3, rejects, ERROR), "c_in + c_out is 1.1");
    CHECK(bregman_calibration_error(z, ranks, 6, 1, 10, 0.9, 99, 1, &found, ERROR) == BREGMAN_OK);
    CHECK(found.struct_size == sizeof found && found.reserved == 0 && found.cells == 3);
    CLOSE(found.squared_error, -0.1399666667);
    CLOSE(found.variance, 0.0032643150);
    CHECK(found.lower == 0 && found.upper > 0 && found.p_value > 0 && found.p_value <= 1);
    CHECK(bregman_distortion(log_kept, 2, &distortion, ERROR) == BREGMAN_OK);
    CLOSE(distortion, 0.3);
    CHECK(bregman_distortion_of_logprobs(log_kept, model, 2, &distortion, ERROR) == BREGMAN_OK);
    CLOSE(distortion, 0.5);
    REFUSED(bregman_distortion(z, 6, &distortion, ERROR), "log_kept[0] is 0.55");
}

int main(void)
{
    candidates();
    gates();
    arms();
    trust();
    printf("checks %u\n", checks);
    return 0;
}
