/* The functions of bregman_decisions.h for Go, through their table; structs are made of their fields. */
#ifndef BREGMAN_GO_DECISIONS_H
#define BREGMAN_GO_DECISIONS_H

#include "api.h"

static inline uint32_t go_best_of_n(const double *p, const double *rewards, size_t outcomes, uint64_t n, double *law,
                                    double *kl, double *win_rate, char *error, size_t size) {
    return bregman_go_decisions->best_of_n(p, rewards, outcomes, n, law, kl, win_rate, error, size);
}

static inline uint32_t go_best_of_n_bounds(uint64_t n, double *kl, double *win_rate, char *error, size_t size) {
    return bregman_go_decisions->best_of_n_bounds(n, kl, win_rate, error, size);
}

static inline uint32_t go_best_of_n_kl_estimates(const double *log_epsilons, size_t prompts, uint64_t n, double *estimates,
                                                 char *error, size_t size) {
    return bregman_go_decisions->best_of_n_kl_estimates(log_epsilons, prompts, n, estimates, error, size);
}

static inline uint32_t go_soft_values(const double *values, const double *log_ratios, size_t rows, size_t candidates,
                                      double alpha, double *weights, double *soft_values, char *error, size_t size) {
    return bregman_go_decisions->soft_values(values, log_ratios, rows, candidates, alpha, weights, soft_values, error, size);
}

static inline uint32_t go_route(uint32_t convention, size_t experts, size_t top_k, size_t groups, size_t top_groups,
                                double scale, const double *bias, const double *logits, size_t rows, int32_t *ids,
                                double *weights, char *error, size_t size) {
    const bregman_gate_options options = {sizeof options, convention, experts, top_k, groups, top_groups, scale};
    return bregman_go_decisions->route(&options, bias, logits, rows, ids, weights, error, size);
}

static inline uint32_t go_next_arm(uint32_t rule, uint32_t rewards, uint32_t redraws, double sigma, double beta,
                                   const double *means, const uint64_t *pulls, size_t arms, uint64_t seed,
                                   uint64_t position, size_t *arm, size_t *leader, char *error, size_t size) {
    const bregman_arm_options options = {sizeof options, rule, rewards, redraws, sigma, beta};
    return bregman_go_decisions->next_arm(&options, means, pulls, arms, seed, position, arm, leader, error, size);
}

static inline uint32_t go_best_arm(uint32_t rewards, double sigma, const double *means, const uint64_t *pulls, size_t arms,
                                   double delta, bregman_verdict *out, char *error, size_t size) {
    out->struct_size = sizeof *out;
    return bregman_go_decisions->best_arm(rewards, sigma, means, pulls, arms, delta, out, error, size);
}

static inline uint32_t go_abstain(const double *max_p, const double *ratios, size_t rows, double c_in, double c_out,
                                  uint8_t *rejects, char *error, size_t size) {
    return bregman_go_decisions->abstain(max_p, ratios, rows, c_in, c_out, rejects, error, size);
}

static inline uint32_t go_calibration_error(const double *probabilities, const uint32_t *ranks, size_t samples, size_t top,
                                            size_t bins, double level, uint32_t resamples, uint64_t seed,
                                            bregman_calibration *out, char *error, size_t size) {
    out->struct_size = sizeof *out;
    return bregman_go_decisions->calibration_error(probabilities, ranks, samples, top, bins, level, resamples, seed, out,
                                                   error, size);
}

static inline uint32_t go_distortion(const double *log_kept, size_t tokens, double *distortion, char *error, size_t size) {
    return bregman_go_decisions->distortion(log_kept, tokens, distortion, error, size);
}

static inline uint32_t go_distortion_of_logprobs(const double *decoded, const double *model, size_t tokens,
                                                 double *distortion, char *error, size_t size) {
    return bregman_go_decisions->distortion_of_logprobs(decoded, model, tokens, distortion, error, size);
}

#endif
