// bregman's decisions beside the decoder for C++17 and later: header-only, over bregman_decisions.h.
// SPDX-License-Identifier: MIT OR Apache-2.0
//
//     namespace decisions = bregman::decisions;
//     auto best = decisions::best_of_n(p, rewards, 8);                  // throws bregman::error
//     if (auto arm = decisions::try_next_arm(rule, means, pulls, seed, t)) judge(arm->arm); // or returns the error
//
// What a call is for and not for, its ranges and units are in bregman_decisions.h, at the function of the same name. Errors
// and views are those of bregman.hpp. Every function is thread-safe. A view of a wrong length is
// status::invalid_argument.
#ifndef BREGMAN_DECISIONS_HPP
#define BREGMAN_DECISIONS_HPP

#include "bregman.hpp"
#include "bregman_decisions.h"

namespace bregman {
namespace decisions {

/// The law of best-of-n over given outcomes.
struct best_of_n_law {
    std::vector<double> law; ///< probability of each outcome
    double kl = 0;           ///< divergence from the law of one candidate, in nats
    double win_rate = 0;     ///< probability of beating one more candidate; ties count one half
};

/// What no reward can exceed.
struct best_of_n_limits {
    double kl = 0;       ///< nats
    double win_rate = 0; ///< against one candidate
};

/// Weights of candidates, row after row, and the soft value of each row.
struct soft_weights {
    std::vector<double> weights; ///< sum to 1 in each row
    std::vector<double> values;  ///< in the unit of the values
};

/// How a model turns router logits into experts and weights: BREGMAN_GATE_ in bregman_decisions.h.
enum class gate_convention : std::uint32_t {
    mixtral = BREGMAN_GATE_MIXTRAL,
    qwen2 = BREGMAN_GATE_QWEN2,
    qwen3 = BREGMAN_GATE_QWEN3,
    gpt_oss = BREGMAN_GATE_GPT_OSS,
    llama4 = BREGMAN_GATE_LLAMA4,
    deepseek_v3 = BREGMAN_GATE_DEEPSEEK_V3,
};

/// A gate. The last four fields are for gate_convention::deepseek_v3.
struct gate {
    gate_convention convention = gate_convention::mixtral;
    std::size_t experts = 0;
    std::size_t top_k = 0;
    std::size_t groups = 0;     ///< 0: 1
    std::size_t top_groups = 0; ///< 0: all
    double scale = 0;           ///< 0: 1
    view<const double> bias{};  ///< one element for each expert, or empty
};

/// Experts and weights, row after row, top_k of each.
struct routes {
    std::vector<std::int32_t> ids;
    std::vector<double> weights;
};

/// What the rewards of an arm are like.
enum class reward_law : std::uint32_t {
    gaussian = BREGMAN_REWARDS_GAUSSIAN,   ///< normal with a known standard deviation
    bernoulli = BREGMAN_REWARDS_BERNOULLI, ///< 0 or 1
};

/// How the challenger of the leader is found.
enum class arm_rule : std::uint32_t {
    ttts = BREGMAN_ARMS_TTTS, ///< the leader of another draw from the posterior
    t3c = BREGMAN_ARMS_T3C,   ///< the smallest transport cost
};

/// The rule of next_arm.
struct arm_options {
    arm_rule rule = arm_rule::t3c;
    reward_law rewards = reward_law::gaussian;
    double sigma = 0; ///< reward_law::gaussian: the standard deviation of one reward; otherwise 0
    double beta = 0.5; ///< probability of pulling the leader, above 0 and at most 1
    std::uint32_t redraws = 0; ///< arm_rule::ttts: 0 for 1000; otherwise 0
};

/// The arm to pull, and the leader: the same, or the arm that it challenges.
struct chosen_arm {
    std::size_t arm = 0;
    std::size_t leader = 0;
};

/// Whether the best arm is known.
struct verdict {
    bool stop = false;
    std::size_t best = 0;
    double statistic = 0;
    double threshold = 0;
};

/// The squared calibration error with its interval and test.
struct calibration {
    std::size_t cells = 0;    ///< with at least one sample
    double squared_error = 0; ///< unbiased; may be negative
    double variance = 0;      ///< number of samples times the variance of squared_error
    double lower = 0, upper = 0;
    double p_value = 0; ///< NaN without resamples
};

namespace detail {
/// Calls `function` with a buffer for the message, and makes the answer from its status.
template <class T, class F> result<T> answer(T value, F function) {
    char why[512] = "";
    const auto code = static_cast<status>(function(why, sizeof why));
    if (code != status::ok)
        return failure{code, why};
    return value;
}
/// The failure of two lengths that differ.
inline failure lengths(const char *name, std::size_t a, const char *other, std::size_t b) {
    return {status::invalid_argument, std::string(name) + " has " + std::to_string(a) + " elements, " + other + " has " +
                                          std::to_string(b)};
}
/// The failure of a length that is no multiple of the columns.
inline failure no_rows(const char *name, std::size_t size, const char *columns, std::size_t n) {
    if (n == 0)
        return {status::invalid_argument, std::string(columns) + " is 0: must be at least 1"};
    return {status::invalid_argument, std::string(name) + " has " + std::to_string(size) + " elements, no multiple of " +
                                          columns + ", which is " + std::to_string(n)};
}
} // namespace detail

/// The law of the best of `n` independent candidates; `p` has the weights of the outcomes.
inline result<best_of_n_law> try_best_of_n(view<const double> p, view<const double> rewards, std::uint64_t n) {
    if (rewards.size() != p.size())
        return detail::lengths("rewards", rewards.size(), "p", p.size());
    best_of_n_law best{std::vector<double>(p.size()), 0, 0};
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_best_of_n(p.data(), rewards.data(), p.size(), n, best.law.data(), &best.kl, &best.win_rate, why, size);
    });
    return code ? result<best_of_n_law>(std::move(best)) : code.error();
}
inline best_of_n_law best_of_n(view<const double> p, view<const double> rewards, std::uint64_t n) {
    return try_best_of_n(p, rewards, n).value();
}

/// The bounds for `n` candidates, whatever the model and the reward.
inline result<best_of_n_limits> try_best_of_n_bounds(std::uint64_t n) {
    best_of_n_limits limits;
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_best_of_n_bounds(n, &limits.kl, &limits.win_rate, why, size);
    });
    return code ? result<best_of_n_limits>(limits) : code.error();
}
inline best_of_n_limits best_of_n_bounds(std::uint64_t n) { return try_best_of_n_bounds(n).value(); }

/// Estimates of the divergence of best-of-n, from ln of the probability of each returned answer.
inline result<std::vector<double>> try_best_of_n_kl_estimates(view<const double> log_epsilons, std::uint64_t n) {
    std::vector<double> estimates(log_epsilons.size());
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_best_of_n_kl_estimates(log_epsilons.data(), log_epsilons.size(), n, estimates.data(), why, size);
    });
    return code ? result<std::vector<double>>(std::move(estimates)) : code.error();
}
inline std::vector<double> best_of_n_kl_estimates(view<const double> log_epsilons, std::uint64_t n) {
    return try_best_of_n_kl_estimates(log_epsilons, n).value();
}

/// Weights and soft values of rows of `candidates` values; `log_ratios` is empty if they were drawn from the model.
inline result<soft_weights> try_soft_values(view<const double> values, view<const double> log_ratios,
                                            std::size_t candidates, double alpha) {
    if (candidates == 0 || values.size() % candidates != 0)
        return detail::no_rows("values", values.size(), "candidates", candidates);
    if (!log_ratios.empty() && log_ratios.size() != values.size())
        return detail::lengths("log_ratios", log_ratios.size(), "values", values.size());
    const std::size_t rows = values.size() / candidates;
    soft_weights soft{std::vector<double>(values.size()), std::vector<double>(rows)};
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_soft_values(values.data(), log_ratios.empty() ? nullptr : log_ratios.data(), rows, candidates, alpha,
                                   soft.weights.data(), soft.values.data(), why, size);
    });
    return code ? result<soft_weights>(std::move(soft)) : code.error();
}
inline soft_weights soft_values(view<const double> values, view<const double> log_ratios, std::size_t candidates,
                                double alpha) {
    return try_soft_values(values, log_ratios, candidates, alpha).value();
}

/// Routes rows of router logits to experts.
inline result<routes> try_route(const gate &of, view<const double> logits) {
    if (of.experts == 0 || logits.size() % of.experts != 0)
        return detail::no_rows("logits", logits.size(), "experts", of.experts);
    if (!of.bias.empty() && of.bias.size() != of.experts)
        return failure{status::invalid_argument, "bias has " + std::to_string(of.bias.size()) + " elements, there are " +
                                                     std::to_string(of.experts) + " experts"};
    const std::size_t rows = logits.size() / of.experts;
    // A top_k that is too large fails before anything is written.
    const std::size_t chosen = rows * std::min(of.top_k, of.experts);
    const bregman_gate_options options{sizeof(bregman_gate_options),
                                       static_cast<std::uint32_t>(of.convention),
                                       of.experts,
                                       of.top_k,
                                       of.groups,
                                       of.top_groups,
                                       of.scale};
    routes found{std::vector<std::int32_t>(chosen), std::vector<double>(chosen)};
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_route(&options, of.bias.empty() ? nullptr : of.bias.data(), logits.data(), rows, found.ids.data(),
                             found.weights.data(), why, size);
    });
    return code ? result<routes>(std::move(found)) : code.error();
}
inline routes route(const gate &of, view<const double> logits) { return try_route(of, logits).value(); }

/// The arm to pull next.
inline result<chosen_arm> try_next_arm(const arm_options &rule, view<const double> means, view<const std::uint64_t> pulls,
                                       std::uint64_t seed, std::uint64_t position) {
    if (pulls.size() != means.size())
        return detail::lengths("pulls", pulls.size(), "means", means.size());
    const bregman_arm_options options{sizeof(bregman_arm_options),
                                      static_cast<std::uint32_t>(rule.rule),
                                      static_cast<std::uint32_t>(rule.rewards),
                                      rule.redraws,
                                      rule.sigma,
                                      rule.beta};
    chosen_arm next;
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_next_arm(&options, means.data(), pulls.data(), means.size(), seed, position, &next.arm, &next.leader,
                                why, size);
    });
    return code ? result<chosen_arm>(next) : code.error();
}
inline chosen_arm next_arm(const arm_options &rule, view<const double> means, view<const std::uint64_t> pulls,
                           std::uint64_t seed, std::uint64_t position) {
    return try_next_arm(rule, means, pulls, seed, position).value();
}

/// Whether the best arm is known with an error probability of `delta`. `sigma` is 0 for reward_law::bernoulli.
inline result<verdict> try_best_arm(reward_law rewards, double sigma, view<const double> means,
                                    view<const std::uint64_t> pulls, double delta) {
    if (pulls.size() != means.size())
        return detail::lengths("pulls", pulls.size(), "means", means.size());
    bregman_verdict out{sizeof(bregman_verdict), 0, 0, 0, 0};
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_best_arm(static_cast<std::uint32_t>(rewards), sigma, means.data(), pulls.data(), means.size(), delta,
                                &out, why, size);
    });
    return code ? result<verdict>(verdict{out.stop != 0, out.best, out.statistic, out.threshold}) : code.error();
}
inline verdict best_arm(reward_law rewards, double sigma, view<const double> means, view<const std::uint64_t> pulls,
                        double delta) {
    return try_best_arm(rewards, sigma, means, pulls, delta).value();
}

/// For each input 1 to reject it and 0 to answer.
inline result<std::vector<std::uint8_t>> try_abstain(view<const double> max_p, view<const double> ratios, double c_in,
                                                     double c_out) {
    if (ratios.size() != max_p.size())
        return detail::lengths("ratios", ratios.size(), "max_p", max_p.size());
    std::vector<std::uint8_t> rejects(max_p.size());
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_abstain(max_p.data(), ratios.data(), max_p.size(), c_in, c_out, rejects.data(), why, size);
    });
    return code ? result<std::vector<std::uint8_t>>(std::move(rejects)) : code.error();
}
inline std::vector<std::uint8_t> abstain(view<const double> max_p, view<const double> ratios, double c_in, double c_out) {
    return try_abstain(max_p, ratios, c_in, c_out).value();
}

/// The calibration error of rows of `top` probabilities; `ranks` has one element for each row.
inline result<calibration> try_calibration_error(view<const double> probabilities, view<const std::uint32_t> ranks,
                                                 std::size_t top, std::size_t bins, double level, std::uint32_t resamples,
                                                 std::uint64_t seed) {
    if (top == 0 || probabilities.size() % top != 0)
        return detail::no_rows("probabilities", probabilities.size(), "top", top);
    if (ranks.size() != probabilities.size() / top)
        return failure{status::invalid_argument, "ranks has " + std::to_string(ranks.size()) +
                                                     " elements, probabilities has " +
                                                     std::to_string(probabilities.size() / top) + " rows"};
    bregman_calibration out{sizeof(bregman_calibration), 0, 0, 0, 0, 0, 0, 0};
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_calibration_error(probabilities.data(), ranks.data(), ranks.size(), top, bins, level, resamples, seed,
                                         &out, why, size);
    });
    if (!code)
        return code.error();
    return calibration{out.cells, out.squared_error, out.variance, out.lower, out.upper, out.p_value};
}
inline calibration calibration_error(view<const double> probabilities, view<const std::uint32_t> ranks, std::size_t top,
                                     std::size_t bins, double level, std::uint32_t resamples, std::uint64_t seed) {
    return try_calibration_error(probabilities, ranks, top, bins, level, resamples, seed).value();
}

/// -Σ ln S_t of a sequence, in nats.
inline result<double> try_distortion(view<const double> log_kept) {
    double sum = 0;
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_distortion(log_kept.data(), log_kept.size(), &sum, why, size);
    });
    return code ? result<double>(sum) : code.error();
}
inline double distortion(view<const double> log_kept) { return try_distortion(log_kept).value(); }

/// Σ (ln p̂_t - ln p_t) of a sequence, in nats.
inline result<double> try_distortion_of_logprobs(view<const double> decoded, view<const double> model) {
    if (model.size() != decoded.size())
        return detail::lengths("model", model.size(), "decoded", decoded.size());
    double sum = 0;
    const auto code = detail::answer(0, [&](char *why, std::size_t size) {
        return bregman_distortion_of_logprobs(decoded.data(), model.data(), decoded.size(), &sum, why, size);
    });
    return code ? result<double>(sum) : code.error();
}
inline double distortion_of_logprobs(view<const double> decoded, view<const double> model) {
    return try_distortion_of_logprobs(decoded, model).value();
}

} // namespace decisions
} // namespace bregman

#endif
