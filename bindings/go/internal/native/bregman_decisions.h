/*
 * bregman: decisions beside the decoder, among finished candidates, experts or answers. In the same library as bregman.h.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Generated from src/ffi/decisions by `make header`; do not edit.
 *
 * docs/decisions.md says which call is for what, and what a chain over a row of rewards or router logits does already.
 *
 * Errors: every function returns BREGMAN_OK or another status of bregman.h; where memory is refused,
 * BREGMAN_OUT_OF_MEMORY. A call that fails writes no output. `error`
 * is NULL, or a buffer of `error_size` bytes for the message of a failure, which names the argument and the reason, is cut
 * to fit and NUL-terminated.
 *
 * Numbers are f64 and have the same bits on every machine. Pointers, ownership and the process: as bregman.h says. There
 * are no handles; every function is thread-safe, and none keeps a pointer.
 */


#ifndef BREGMAN_DECISIONS_H
#define BREGMAN_DECISIONS_H

#include <stddef.h>
#include <stdint.h>
#include "bregman.h"

/**
 * Convention of a gate, Mixtral: softmax over all experts, the k largest, renormalised.
 */
#define BREGMAN_GATE_MIXTRAL 0

/**
 * Convention of a gate, Qwen2-MoE: softmax over all experts, the k largest, not renormalised.
 */
#define BREGMAN_GATE_QWEN2 1

/**
 * Convention of a gate, Qwen3-MoE: as Mixtral.
 */
#define BREGMAN_GATE_QWEN3 2

/**
 * Convention of a gate, gpt-oss: the k largest logits, softmax over these. The same weights as Mixtral's.
 */
#define BREGMAN_GATE_GPT_OSS 3

/**
 * Convention of a gate, Llama 4: the k largest logits, the sigmoid of each.
 */
#define BREGMAN_GATE_LLAMA4 4

/**
 * Convention of a gate, DeepSeek-V3 and GLM-4-MoE: s = sigmoid(h) of each logit h; the k largest s + bias within the
 * best groups of experts; weights s / (Σs + 1e-20) times the scale.
 */
#define BREGMAN_GATE_DEEPSEEK_V3 5

/**
 * Rewards of arms: normal with a known standard deviation, the same for all arms.
 */
#define BREGMAN_REWARDS_GAUSSIAN 0

/**
 * Rewards of arms: 0 or 1.
 */
#define BREGMAN_REWARDS_BERNOULLI 1

/**
 * Rule of bregman_next_arm: top-two Thompson sampling. The posterior is drawn again until another arm leads.
 */
#define BREGMAN_ARMS_TTTS 0

/**
 * Rule of bregman_next_arm: T3C. The challenger is the arm with the smallest transport cost from the leader; of several
 * the draw decides.
 */
#define BREGMAN_ARMS_T3C 1

/**
 * The gate of a mixture of experts. The last three fields are for BREGMAN_GATE_DEEPSEEK_V3, and 0 for the others.
 */
typedef struct bregman_gate_options {
    /**
     * sizeof(bregman_gate_options), set by the caller. The larger struct of a later version is accepted if its additional
     * fields are 0.
     */
    uint32_t struct_size;
    /**
     * One of BREGMAN_GATE_.
     */
    uint32_t convention;
    /**
     * Number of experts, from 1 to INT32_MAX.
     */
    size_t experts;
    /**
     * Number of experts that each row goes to, from 1 to the number that can be chosen.
     */
    size_t top_k;
    /**
     * Number of groups of consecutive experts, which divides `experts`; 0 for 1.
     */
    size_t groups;
    /**
     * Number of groups from which experts are chosen: those with the largest sum of the two largest s + bias; 0 for all.
     */
    size_t top_groups;
    /**
     * Factor of the weights, positive and finite; 0 for 1.
     */
    double scale;
} bregman_gate_options;

/**
 * The rule of bregman_next_arm.
 */
typedef struct bregman_arm_options {
    /**
     * sizeof(bregman_arm_options), set by the caller. The larger struct of a later version is accepted if its additional
     * fields are 0.
     */
    uint32_t struct_size;
    /**
     * BREGMAN_ARMS_TTTS or BREGMAN_ARMS_T3C.
     */
    uint32_t rule;
    /**
     * BREGMAN_REWARDS_GAUSSIAN or BREGMAN_REWARDS_BERNOULLI.
     */
    uint32_t rewards;
    /**
     * BREGMAN_ARMS_TTTS: after so many draws with the same leader the challenger is T3C's; 0 for 1000. Otherwise 0.
     */
    uint32_t redraws;
    /**
     * BREGMAN_REWARDS_GAUSSIAN: the standard deviation of one reward, positive and finite. Otherwise 0.
     */
    double sigma;
    /**
     * Probability of pulling the leader, above 0 and at most 1; 0.5 is usual.
     */
    double beta;
} bregman_arm_options;

/**
 * The answer of bregman_best_arm.
 */
typedef struct bregman_verdict {
    /**
     * sizeof(bregman_verdict), set by the caller before the call. Fields of a later version than the library's stay as
     * they were.
     */
    uint32_t struct_size;
    /**
     * 1 if `best` may be returned now, that is if `statistic` is at least `threshold`; otherwise 0.
     */
    uint32_t stop;
    /**
     * The arm with the largest mean (ties: the lowest); 0 if no arm was pulled.
     */
    size_t best;
    /**
     * The evidence for it: the smallest transport cost W(best, j) over the other arms j. 0 while an arm was not pulled,
     * infinity for a single arm.
     */
    double statistic;
    /**
     * ln((1 + ln t) / δ), where t is the number of pulls of all arms.
     */
    double threshold;
} bregman_verdict;

/**
 * The answer of bregman_calibration_error, of the squared error.
 */
typedef struct bregman_calibration {
    /**
     * sizeof(bregman_calibration), set by the caller before the call. Fields of a later version than the library's stay as
     * they were.
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Number of cells with at least one sample.
     */
    size_t cells;
    /**
     * An unbiased estimate T of the squared error of the binned probabilities; negative at times if that is near 0.
     */
    double squared_error;
    /**
     * n times the variance of T, estimated, where n is the number of samples; at times below 0 by a little.
     */
    double variance;
    /**
     * Lower end of the interval for the squared error, at least 0.
     */
    double lower;
    /**
     * Upper end of the interval.
     */
    double upper;
    /**
     * p-value of the test that the probabilities are calibrated; NaN without resamples.
     */
    double p_value;
} bregman_calibration;

/**
 * Every function of this header, under its name without the prefix `bregman_`. Described at the functions themselves.
 * Static.
 *
 * The table grows at its end. Field `f` is in the library's table if `offsetof(bregman_decisions, f) < struct_size`.
 */
typedef struct bregman_decisions {
    /**
     * sizeof(bregman_decisions) in the library. It may be smaller or larger than in this header.
     */
    uint32_t struct_size;
    /**
     * BREGMAN_ABI_VERSION of the library.
     */
    uint32_t abi;
    /**
     * bregman_best_of_n
     */
    uint32_t (*best_of_n)(const double *p,
                          const double *rewards,
                          size_t outcomes,
                          uint64_t n,
                          double *law,
                          double *kl,
                          double *win_rate,
                          char *error,
                          size_t error_size);
    /**
     * bregman_best_of_n_bounds
     */
    uint32_t (*best_of_n_bounds)(uint64_t n, double *kl, double *win_rate, char *error, size_t error_size);
    /**
     * bregman_best_of_n_kl_estimates
     */
    uint32_t (*best_of_n_kl_estimates)(const double *log_epsilons,
                                       size_t prompts,
                                       uint64_t n,
                                       double *estimates,
                                       char *error,
                                       size_t error_size);
    /**
     * bregman_soft_values
     */
    uint32_t (*soft_values)(const double *values,
                            const double *log_ratios,
                            size_t rows,
                            size_t candidates,
                            double alpha,
                            double *weights,
                            double *soft_values,
                            char *error,
                            size_t error_size);
    /**
     * bregman_route
     */
    uint32_t (*route)(const struct bregman_gate_options *options,
                      const double *bias,
                      const double *logits,
                      size_t rows,
                      int32_t *ids,
                      double *weights,
                      char *error,
                      size_t error_size);
    /**
     * bregman_next_arm
     */
    uint32_t (*next_arm)(const struct bregman_arm_options *options,
                         const double *means,
                         const uint64_t *pulls,
                         size_t arms,
                         uint64_t seed,
                         uint64_t position,
                         size_t *arm,
                         size_t *leader,
                         char *error,
                         size_t error_size);
    /**
     * bregman_best_arm
     */
    uint32_t (*best_arm)(uint32_t rewards,
                         double sigma,
                         const double *means,
                         const uint64_t *pulls,
                         size_t arms,
                         double delta,
                         struct bregman_verdict *out,
                         char *error,
                         size_t error_size);
    /**
     * bregman_abstain
     */
    uint32_t (*abstain)(const double *max_p,
                        const double *ratios,
                        size_t rows,
                        double c_in,
                        double c_out,
                        uint8_t *rejects,
                        char *error,
                        size_t error_size);
    /**
     * bregman_calibration_error
     */
    uint32_t (*calibration_error)(const double *probabilities,
                                  const uint32_t *ranks,
                                  size_t samples,
                                  size_t top,
                                  size_t bins,
                                  double level,
                                  uint32_t resamples,
                                  uint64_t seed,
                                  struct bregman_calibration *out,
                                  char *error,
                                  size_t error_size);
    /**
     * bregman_distortion
     */
    uint32_t (*distortion)(const double *log_kept, size_t tokens, double *distortion, char *error, size_t error_size);
    /**
     * bregman_distortion_of_logprobs
     */
    uint32_t (*distortion_of_logprobs)(const double *decoded,
                                       const double *model,
                                       size_t tokens,
                                       double *distortion,
                                       char *error,
                                       size_t error_size);
} bregman_decisions;

/**
 * The type of bregman_get_decisions: what a host casts the result of `dlsym` to.
 */
typedef const struct bregman_decisions *(*bregman_get_decisions_fn)(uint32_t abi);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The law of best-of-n: of `n` independent candidates the one with the highest reward is returned (arXiv 2401.01879).
 * For a host that reranks samples and wants to know what comes out; not for choosing among given candidates, which is a
 * comparison of their rewards.
 *
 * `p`: `outcomes` weights of the outcomes under the law of one candidate, not negative, with a positive finite sum that
 * need not be 1. `rewards`: the reward of each, which may be infinite; equal ones are a tie, which the first candidate
 * drawn wins. `n`: at least 1. `law` receives the `outcomes` probabilities under best-of-n; `kl` their Kullback-Leibler
 * divergence from the law of one candidate, in nats; `win_rate` the probability that best-of-n beats one more candidate,
 * where ties count one half.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
 */
uint32_t bregman_best_of_n(const double *p,
                           const double *rewards,
                           size_t outcomes,
                           uint64_t n,
                           double *law,
                           double *kl,
                           double *win_rate,
                           char *error,
                           size_t error_size);

/**
 * What best-of-n cannot exceed, whatever the model and the reward: `kl` receives ln n - (n - 1) / n, the largest
 * Kullback-Leibler divergence from the law of one candidate, in nats; `win_rate` n / (n + 1). For a host that reports how far
 * a reranker can depart from the model. `n`: at least 1.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (n, NULL, misaligned). Thread-safe.
 */
uint32_t bregman_best_of_n_bounds(uint64_t n,
                                  double *kl,
                                  double *win_rate,
                                  char *error,
                                  size_t error_size);

/**
 * Estimates how far best-of-n departs from the model, from nothing but the probability ε of the answer that it returned:
 * one estimate of the Kullback-Leibler divergence, in nats, for each prompt. A report states the mean over its prompts.
 *
 * `log_epsilons`: ln ε of `prompts` answers under the model, at most 0, -infinity allowed; of a sequence, the sum of its
 * tokens' log-probabilities. `n`: the number of candidates of each prompt, at least 1. `estimates` receives `prompts`
 * numbers from 0 to the bound of bregman_best_of_n_bounds. An estimate is exact if its answer is the best that there is
 * and no other answer has a noticeable probability.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
 */
uint32_t bregman_best_of_n_kl_estimates(const double *log_epsilons,
                                        size_t prompts,
                                        uint64_t n,
                                        double *estimates,
                                        char *error,
                                        size_t error_size);

/**
 * Weights and soft values of candidates (SVDD, arXiv 2408.08252): w_m ∝ exp(v_m / α + l_m), and
 * α ln((1/M) Σ exp(v_m / α + l_m)) in the unit of the values. For a host that steers a generation by a value of its
 * continuations; not for drawing one, which `draw` over ln w does.
 *
 * `values`: `rows` rows of `candidates` values (M, at least 1), finite or -infinity. `log_ratios`: NULL if the candidates
 * were drawn from the model; otherwise l_m for each value, ln of the candidate's probability under the model less ln of
 * that under the proposal from which it was drawn, finite or -infinity. `alpha`: positive and finite; small for the best
 * candidate alone, large for equal weights. `weights` receives a weight for each value, which sum to 1 in each row;
 * `soft_values` one number for each row.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, a row without a positive weight, NULL, misaligned).
 * Thread-safe.
 */
uint32_t bregman_soft_values(const double *values,
                             const double *log_ratios,
                             size_t rows,
                             size_t candidates,
                             double alpha,
                             double *weights,
                             double *soft_values,
                             char *error,
                             size_t error_size);

/**
 * Routes rows of router logits to experts by the convention of a model. For an engine that routes on the CPU, or checks
 * its routing against a second implementation; not for a GPU, where the gate is part of a kernel.
 *
 * `bias`: NULL, or for BREGMAN_GATE_DEEPSEEK_V3 `options->experts` finite corrections, which change the choice and not the
 * weights. `logits`: `rows` rows of `options->experts` logits, finite or -infinity. `ids` and `weights` receive
 * `options->top_k` experts of each row, from 0, with their weights, in descending order of what they were chosen by
 * (ties: ascending id).
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range; a row of a convention with softmax in which every
 * logit is -infinity; NULL, misaligned), BREGMAN_UNSUPPORTED (a field of a later version). Thread-safe.
 */
uint32_t bregman_route(const struct bregman_gate_options *options,
                       const double *bias,
                       const double *logits,
                       size_t rows,
                       int32_t *ids,
                       double *weights,
                       char *error,
                       size_t error_size);

/**
 * The arm to pull next to find the one with the largest mean reward: a candidate to judge, a prompt to try (TTTS; T3C of
 * arXiv 1910.10945). For a host that pays for every answer of a judge; not for earning rewards on the way. An arm without
 * pulls comes first, the lowest one.
 *
 * `means`: the mean reward of each of the `arms` arms so far, finite, and for BREGMAN_REWARDS_BERNOULLI from 0 to 1; not
 * read for an arm without pulls. `pulls`: how often each was pulled. `arms`: at least 1. The answer is a function of the
 * arguments: take the number of pulls so far as the `position` of the random numbers of `seed`, so that no two calls use
 * the same ones. `arm` receives the arm to pull, `leader` the leader: the same, or the arm that it challenges.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned), BREGMAN_UNSUPPORTED (a field of a
 * later version). Thread-safe.
 */
uint32_t bregman_next_arm(const struct bregman_arm_options *options,
                          const double *means,
                          const uint64_t *pulls,
                          size_t arms,
                          uint64_t seed,
                          uint64_t position,
                          size_t *arm,
                          size_t *leader,
                          char *error,
                          size_t error_size);

/**
 * Whether the arms were pulled often enough to return the best one: the stopping rule beside bregman_next_arm.
 *
 * `rewards`: BREGMAN_REWARDS_GAUSSIAN with `sigma`, the standard deviation of one reward, or BREGMAN_REWARDS_BERNOULLI with
 * 0. `means`, `pulls` and `arms` as for bregman_next_arm. `delta`: the accepted probability of a wrong arm, above 0 and
 * below 1. The threshold is the usual one, ln((1 + ln t) / δ); it has no proof for a finite number of pulls, and errors
 * were well below `delta` in simulations. `out` receives the verdict; the caller sets its `struct_size`.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
 */
uint32_t bregman_best_arm(uint32_t rewards,
                          double sigma,
                          const double *means,
                          const uint64_t *pulls,
                          size_t arms,
                          double delta,
                          struct bregman_verdict *out,
                          char *error,
                          size_t error_size);

/**
 * Whether to answer at all, for inputs that the model may not have been made for (SCOD, arXiv 2301.12386):
 * (1 - c_in - c_out)(1 - max p) + c_out ρ > c_in rejects. For a host that returns "I do not know" or asks a larger model; not
 * a detector, because max p and ρ are the caller's.
 *
 * `max_p`: `rows` probabilities of the most likely answer, from 0 to 1. `ratios`: an estimate of ρ for each, how much
 * likelier the input is under the other inputs than under those that the model was made for; from 0, +infinity allowed.
 * `c_in`: the cost of rejecting an input of the model's own; `c_out`: the cost of answering another one, where an error on
 * an input of the model's own costs 1 - c_in - c_out; not negative, with a sum of at most 1. `rejects` receives `rows`
 * bytes, 1 to reject and 0 to answer.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
 */
uint32_t bregman_abstain(const double *max_p,
                         const double *ratios,
                         size_t rows,
                         double c_in,
                         double c_out,
                         uint8_t *rejects,
                         char *error,
                         size_t error_size);

/**
 * The ℓ2 calibration error of the `top` most likely classes, with an interval (arXiv 2408.08998) and a test. For a host that
 * reports whether probabilities can be trusted; not for small sets, where a cell of one sample says nothing.
 *
 * `probabilities`: `samples` rows of `top` probabilities (`top` at least 1; 1 for the confidence alone), each from 0 to 1,
 * with a sum of at most 1. `ranks`: for each sample 1 if the first of these classes was right, 2 if the second was, and so
 * on, 0 if none was; with `top` 1 that is 1 for a right answer and 0 for a wrong one. Each probability is sorted into one
 * of `bins` bins of the same width (1 to UINT32_MAX; a probability of 1 is in the last); samples with the same bins make a
 * cell. `level`: the coverage of the interval, above 0 and below 1.
 *
 * The test draws `resamples` sets of outcomes from the probabilities, with the random numbers of `seed`, and counts those
 * with at least the same T. It is exact, and its cost is proportional to `resamples` times `samples`; 999 is usual, 0 is
 * for none. `out` receives the answer; the caller sets its `struct_size`.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, no samples, NULL, misaligned). Thread-safe.
 */
uint32_t bregman_calibration_error(const double *probabilities,
                                   const uint32_t *ranks,
                                   size_t samples,
                                   size_t top,
                                   size_t bins,
                                   double level,
                                   uint32_t resamples,
                                   uint64_t seed,
                                   struct bregman_calibration *out,
                                   char *error,
                                   size_t error_size);

/**
 * The distortion of a sequence by truncation with renormalisation (arXiv 2503.21929): ln q - ln p = -Σ ln S_t, in nats,
 * where q is the law that was sampled, p the model's, and S_t the mass that was kept for token t. For a host that compares
 * samples with the model's own law; not a measure of quality.
 *
 * `log_kept`: ln S_t of `tokens` tokens, finite and at most 0. It has to be ln S_t, because f32 knows no S_t between
 * 1 - 6e-8 and 1. `distortion` receives the sum, 0 for no tokens.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
 */
uint32_t bregman_distortion(const double *log_kept,
                            size_t tokens,
                            double *distortion,
                            char *error,
                            size_t error_size);

/**
 * bregman_distortion for any decoder, such as Bregman's with α ≠ 1, which does more than renormalise:
 * Σ (ln p̂_t - ln p_t) over the tokens of a sequence, in nats.
 *
 * `decoded`: ln p̂_t of `tokens` tokens under the decoded distribution; `model`: ln p_t of the same under the model; both
 * finite and at most 0. `distortion` receives the sum, 0 for no tokens.
 *
 * Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
 */
uint32_t bregman_distortion_of_logprobs(const double *decoded,
                                        const double *model,
                                        size_t tokens,
                                        double *distortion,
                                        char *error,
                                        size_t error_size);

/**
 * The table of the functions of this header for version `abi` of the binary interface (the host's BREGMAN_ABI_VERSION).
 * The same static table at every call; NULL if this library does not have that version. Thread-safe.
 */
const struct bregman_decisions *bregman_get_decisions(uint32_t abi);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BREGMAN_DECISIONS_H */
