// The commands of decisions.txt, over bregman_decisions.hpp.
#ifndef AGREEMENT_DECISIONS_HPP
#define AGREEMENT_DECISIONS_HPP

#include <bregman_decisions.hpp>

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// The lists of numbers so far, by name.
class Decisions {
  public:
    using Words = std::vector<std::string>;

    /// Whether the command is one of these; `say` receives the line to write, if there is one.
    bool run(const Words &w, const std::function<void(const std::string &)> &say) {
        const std::string &command = w.at(0);
        if (command == "numbers") {
            auto &list = numbers_[w.at(1)];
            list.clear();
            for (std::size_t i = 2; i < w.size(); i++)
                list.push_back(bits(w[i]));
            return true;
        }
        if (command == "uniforms") {
            const double from = std::stod(w.at(4)), to = std::stod(w.at(5));
            auto &list = numbers_[w[1]];
            list.resize(whole(w.at(2)));
            for (std::size_t i = 0; i < list.size(); i++)
                list[i] = from + (to - from) * (static_cast<double>(splitmix(whole(w[3]), i) >> 11) * 0x1p-53);
            return true;
        }
        if (command == "counts") {
            auto &list = counts_[w.at(1)];
            list.resize(whole(w.at(2)));
            for (std::size_t i = 0; i < list.size(); i++)
                list[i] = (splitmix(whole(w.at(3)), i) >> 11) % (whole(w.at(4)) + 1);
            return true;
        }
        if (const auto text = call(command, w)) {
            say(*text);
            return true;
        }
        return false;
    }

  private:
    template <class T, class F> static std::string said(const bregman::result<T> &answer, F text) {
        if (answer)
            return "ok" + text(*answer);
        return "error " + std::to_string(static_cast<std::uint32_t>(answer.error().code)) + " " + answer.error().message;
    }

    std::optional<std::string> call(const std::string &command, const Words &w) const {
        namespace d = bregman::decisions;
        if (command == "best_of_n")
            return said(d::try_best_of_n(list(w.at(1)), list(w.at(2)), whole(w.at(3))),
                        [](const auto &best) { return figures({best.kl, best.win_rate}) + figures(best.law); });
        if (command == "best_of_n_bounds")
            return said(d::try_best_of_n_bounds(whole(w.at(1))),
                        [](const auto &bounds) { return figures({bounds.kl, bounds.win_rate}); });
        if (command == "best_of_n_kl_estimates")
            return said(d::try_best_of_n_kl_estimates(list(w.at(1)), whole(w.at(2))), figures);
        if (command == "soft_values")
            return said(d::try_soft_values(list(w.at(1)), optional(w.at(2)), whole(w.at(3)), bits(w.at(4))),
                        [](const auto &soft) { return figures(soft.values) + figures(soft.weights); });
        if (command == "route")
            return route(w);
        if (command == "next_arm")
            return next_arm(w);
        if (command == "best_arm")
            return said(d::try_best_arm(static_cast<d::reward_law>(whole(w.at(1))), bits(w.at(2)), list(w.at(3)),
                                        counts_.at(w.at(4)), bits(w.at(5))),
                        [](const auto &verdict) {
                            return std::string(verdict.stop ? " 1 " : " 0 ") + std::to_string(verdict.best) +
                                   figures({verdict.statistic, verdict.threshold});
                        });
        if (command == "abstain")
            return said(d::try_abstain(list(w.at(1)), list(w.at(2)), bits(w.at(3)), bits(w.at(4))), [](const auto &rejects) {
                std::string text = " ";
                for (const auto reject : rejects)
                    text += reject != 0 ? '1' : '0';
                return text;
            });
        if (command == "calibration_error") {
            std::vector<std::uint32_t> ranks;
            for (const auto rank : counts_.at(w.at(2)))
                ranks.push_back(static_cast<std::uint32_t>(rank));
            return said(d::try_calibration_error(list(w.at(1)), ranks, whole(w.at(3)), whole(w.at(4)), bits(w.at(5)),
                                                 static_cast<std::uint32_t>(whole(w.at(6))), whole(w.at(7))),
                        [](const auto &c) {
                            return " " + std::to_string(c.cells) +
                                   figures({c.squared_error, c.variance, c.lower, c.upper, c.p_value});
                        });
        }
        if (command == "distortion")
            return said(d::try_distortion(list(w.at(1))), [](double x) { return figures({x}); });
        if (command == "distortion_of_logprobs")
            return said(d::try_distortion_of_logprobs(list(w.at(1)), list(w.at(2))), [](double x) { return figures({x}); });
        return std::nullopt;
    }

    /// route CONVENTION EXPERTS TOP_K GROUPS TOP_GROUPS SCALE BIAS LOGITS
    std::string route(const Words &w) const {
        bregman::decisions::gate gate{static_cast<bregman::decisions::gate_convention>(whole(w.at(1))),
                                      whole(w.at(2)),
                                      whole(w.at(3)),
                                      whole(w.at(4)),
                                      whole(w.at(5)),
                                      bits(w.at(6)),
                                      optional(w.at(7))};
        return said(bregman::decisions::try_route(gate, list(w.at(8))), [](const auto &routes) {
            std::string text;
            for (std::size_t i = 0; i < routes.ids.size(); i++)
                text += " " + std::to_string(routes.ids[i]) + ":" + figures({routes.weights[i]}).substr(1);
            return text;
        });
    }

    /// next_arm RULE REWARDS REDRAWS SIGMA BETA MEANS PULLS SEED POSITION COUNT
    std::string next_arm(const Words &w) const {
        bregman::decisions::arm_options rule;
        rule.rule = static_cast<bregman::decisions::arm_rule>(whole(w.at(1)));
        rule.rewards = static_cast<bregman::decisions::reward_law>(whole(w.at(2)));
        rule.redraws = static_cast<std::uint32_t>(whole(w.at(3)));
        rule.sigma = bits(w.at(4));
        rule.beta = bits(w.at(5));
        std::string text = "ok";
        for (std::uint64_t i = 0; i < whole(w.at(10)); i++) {
            const auto next = bregman::decisions::try_next_arm(rule, list(w.at(6)), counts_.at(w.at(7)), whole(w.at(8)),
                                                               whole(w.at(9)) + i);
            if (!next)
                return said(next, [](const auto &) { return std::string(); });
            text += " " + std::to_string(next->arm) + ":" + std::to_string(next->leader);
        }
        return text;
    }

    bregman::view<const double> list(const std::string &name) const { return numbers_.at(name); }
    /// Empty for "-".
    bregman::view<const double> optional(const std::string &name) const {
        return name == "-" ? bregman::view<const double>() : list(name);
    }

    static std::uint64_t whole(const std::string &word) { return std::stoull(word); }
    static double bits(const std::string &word) {
        const std::uint64_t value = std::stoull(word, nullptr, 16);
        double number;
        std::memcpy(&number, &value, sizeof number);
        return number;
    }
    static std::string figures(const std::vector<double> &numbers) {
        std::string text;
        for (const double number : numbers) {
            std::uint64_t value;
            std::memcpy(&value, &number, sizeof value);
            char figure[20];
            std::snprintf(figure, sizeof figure, " %016" PRIx64, value);
            text += std::isnan(number) ? " nan" : figure;
        }
        return text;
    }
    static std::uint64_t splitmix(std::uint64_t seed, std::uint64_t n) {
        std::uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }

    std::map<std::string, std::vector<double>> numbers_;
    std::map<std::string, std::vector<std::uint64_t>> counts_;
};

#endif
