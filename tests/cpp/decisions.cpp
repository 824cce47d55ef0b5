// Every call of bregman_decisions.hpp, in both forms: values of the papers, and failures.
#include "bregman_decisions.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace decisions = bregman::decisions;

static unsigned checks;

static void check(bool good, const char *what, int line) {
    checks++;
    if (!good) {
        std::fprintf(stderr, "line %d: %s\n", line, what);
        std::exit(1);
    }
}

#define CHECK(condition) check((condition), #condition, __LINE__)
#define CLOSE(x, y) CHECK(std::fabs((x) - (y)) < 1e-6)

template <class T> static void refused(const bregman::result<T> &result, const char *beginning, int line) {
    check(!result && result.error().code == bregman::status::invalid_argument, beginning, line);
    check(result.error().message.rfind(beginning, 0) == 0, result.error().message.c_str(), line);
}

#define REFUSED(call, beginning) refused(call, beginning, __LINE__)

static void candidates() {
    const std::vector<double> p{0.4, 0.3, 0.2, 0.1}, rewards{0, 1, 2, 3}, values{0.3, 0.9, 0.1};
    const auto best = decisions::best_of_n(p, rewards, 2);
    CHECK(best.law.size() == 4);
    CLOSE(best.law[3], 0.19);
    CLOSE(best.kl, 0.157199);
    CLOSE(best.win_rate, 0.65);
    REFUSED(decisions::try_best_of_n(p, rewards, 0), "n is 0");
    REFUSED(decisions::try_best_of_n(p, values, 2), "rewards has 3 elements, p has 4");
    const auto bounds = decisions::best_of_n_bounds(8);
    CLOSE(bounds.kl, std::log(8.0) - 7.0 / 8);
    CLOSE(bounds.win_rate, 8.0 / 9);
    REFUSED(decisions::try_best_of_n_bounds(0), "n is 0");
    const std::vector<double> epsilons{0.0, -INFINITY};
    const auto estimates = decisions::best_of_n_kl_estimates(epsilons, 8);
    CHECK(estimates[0] == 0 && estimates[1] == bounds.kl);
    REFUSED(decisions::try_best_of_n_kl_estimates(p, 8), "log_epsilons[0] is 0.4");
    const auto soft = decisions::soft_values(values, {}, 3, 0.25);
    CLOSE(soft.weights[1], 0.883798);
    CLOSE(soft.values[0], 0.656229);
    const std::vector<double> same(3, -1.0);
    CLOSE(decisions::soft_values(values, same, 3, 0.25).values[0], 0.656229 - 0.25);
    REFUSED(decisions::try_soft_values(values, {}, 2, 0.25), "values has 3 elements, no multiple of candidates, which is 2");
    REFUSED(decisions::try_soft_values(values, {}, 0, 0.25), "candidates is 0");
    REFUSED(decisions::try_soft_values(values, p, 3, 0.25), "log_ratios has 4 elements, values has 3");
    REFUSED(decisions::try_soft_values(values, {}, 3, 0), "alpha is 0");
}

static void gates() {
    using convention = decisions::gate_convention;
    const std::array<double, 8> h{1, 3, 2, 0.5, 2.5, -1, 0.25, 2.25}, bias{0, -0.3, 0.1, 0, 0, 0.6, 0, 0.05};
    const std::pair<convention, double> first[]{{convention::mixtral, 0.481024}, {convention::qwen2, 0.364108},
                                                {convention::qwen3, 0.481024},   {convention::gpt_oss, 0.481024},
                                                {convention::llama4, 0.952574},  {convention::deepseek_v3, 1.061774}};
    for (const auto &[of, weight] : first) {
        decisions::gate gate{of, 8, 3};
        if (of == convention::deepseek_v3)
            gate = {of, 8, 3, 4, 2, 2.5, bias};
        const auto routes = decisions::route(gate, h);
        CHECK(routes.ids.size() == 3 && routes.ids[0] == (of == convention::deepseek_v3 ? 2 : 1));
        CLOSE(routes.weights[0], weight);
        gate.top_k = 9;
        REFUSED(decisions::try_route(gate, h), "top_k is 9");
    }
    REFUSED(decisions::try_route({convention::mixtral, 5, 1}, h), "logits has 8 elements, no multiple of experts");
    REFUSED(decisions::try_route({convention::mixtral, 0, 1}, h), "experts is 0");
    REFUSED(decisions::try_route({convention::deepseek_v3, 4, 1, 0, 0, 0, bias}, h), "bias has 8 elements");
}

static void arms() {
    const std::vector<double> means{0.5, 0.45, 0.43, 0.4};
    const std::vector<std::uint64_t> pulls{20, 15, 12, 10};
    const auto verdict = decisions::best_arm(decisions::reward_law::gaussian, 1, means, pulls, 0.1);
    CHECK(!verdict.stop && verdict.best == 0);
    CLOSE(verdict.statistic, 0.01071429);
    decisions::arm_options rule;
    rule.rewards = decisions::reward_law::bernoulli;
    const auto next = decisions::next_arm(rule, means, pulls, 42, 57);
    CHECK(next.arm < 4 && next.arm == decisions::next_arm(rule, means, pulls, 42, 57).arm);
    rule.redraws = 1;
    REFUSED(decisions::try_next_arm(rule, means, pulls, 42, 57), "redraws is 1");
    const std::vector<std::uint64_t> few(2);
    REFUSED(decisions::try_next_arm(rule, means, few, 42, 57), "pulls has 2 elements, means has 4");
    REFUSED(decisions::try_best_arm(rule.rewards, 0, means, few, 0.1), "pulls has 2 elements, means has 4");
}

static void trust() {
    const std::vector<double> max_p{0.9, 0.9, 0.6, 0.7}, ratios{0.1, 0.6, 0.1, 0.1};
    CHECK((decisions::abstain(max_p, ratios, 0.2, 0.3) == std::vector<std::uint8_t>{0, 1, 1, 0}));
    REFUSED(decisions::try_abstain(max_p, {}, 0.2, 0.3), "ratios has 0 elements");
    const std::vector<double> z{0.55, 0.57, 0.72, 0.74, 0.74, 0.93};
    const std::vector<std::uint32_t> ranks{1, 0, 1, 1, 0, 1};
    const auto found = decisions::calibration_error(z, ranks, 1, 10, 0.9, 0, 0);
    CHECK(found.cells == 3 && std::isnan(found.p_value));
    CLOSE(found.squared_error, -0.1399666667);
    CLOSE(found.variance, 0.0032643150);
    REFUSED(decisions::try_calibration_error(z, ranks, 4, 10, 0.9, 0, 0), "probabilities has 6 elements");
    REFUSED(decisions::try_calibration_error(z, ranks, 2, 10, 0.9, 0, 0), "ranks has 6 elements, probabilities has 3 rows");
    const std::vector<double> log_kept{-0.1, -0.2}, model{-0.3, -0.5};
    CLOSE(decisions::distortion(log_kept), 0.3);
    CLOSE(decisions::distortion_of_logprobs(log_kept, model), 0.5);
    REFUSED(decisions::try_distortion(z), "log_kept[0] is 0.55");
    REFUSED(decisions::try_distortion_of_logprobs(log_kept, z), "model has 6 elements, decoded has 2");
}

#if defined(__cpp_exceptions)
static void exceptions() {
    try {
        decisions::best_of_n_bounds(0);
        CHECK(false);
    } catch (const bregman::error &e) {
        CHECK(e.code() == bregman::status::invalid_argument && std::string(e.what()) == "n is 0: must be at least 1");
    }
}
#endif

int main() {
    candidates();
    gates();
    arms();
    trust();
#if defined(__cpp_exceptions)
    exceptions();
#endif
    std::printf("checks %u\n", checks);
}
