// The catalogue, the version and the SIMD level.
#include "check.hpp"

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>

using bregman::kind;
using bregman::stage;

// The smallest value that a parameter accepts.
static std::string smallest(const bregman::parameter &p) {
    switch (p.kind) {
    case kind::number: return std::to_string(p.min_excluded ? p.max : p.min);
    case kind::count: return std::to_string(static_cast<unsigned long>(p.min));
    case kind::choice: return std::string(p.choices.substr(0, p.choices.find(',')));
    case kind::name: return "mine";
    case kind::tokens: return "1";
    case kind::sequences: return "1 2; 3";
    case kind::biases: return "1:-2.5";
    case kind::keys: return "0x7";
    }
    return "";
}

// A chain of the stage alone, from the catalogue: its required parameters at their smallest value, and the first of each
// group without a default.
static std::string example(const stage &s) {
    std::string text(s.name);
    const char *separator = "(";
    std::set<std::uint32_t> served = {0};
    for (const bregman::parameter &p : s.parameters)
        if (!p.default_value.empty())
            served.insert(p.group);
    for (const bregman::parameter &p : s.parameters)
        if (p.required || served.count(p.group) == 0) {
            text += separator + std::string(p.name) + "=" + smallest(p);
            separator = ", ";
            served.insert(p.group);
        }
    return text + (*separator == ',' ? ")" : "");
}

static void test_macros() {
    const std::vector<stage> all = bregman::macros();
    CHECK(all.size() == bregman_macro_count() && all.size() >= 3);
    for (const stage &m : all) {
        CHECK(!m.name.empty() && !m.summary.empty() && !m.source.empty() && m.draws);
        const auto sampler = bregman::sampler::create(example(m), 1);
        // A macro stands for stages: its name is not in the canonical chain.
        CHECK(sampler && sampler->describe().find(m.name) == std::string::npos);
    }
    CHECK(std::any_of(all.begin(), all.end(), [](const stage &m) { return m.name == "llama_cpp" && m.learns; }));
}

void test_catalogue() {
    const std::vector<stage> all = bregman::stages();
    CHECK(all.size() == bregman_stage_count() && all.size() >= 7);
    std::size_t draws = 0;
    for (const stage &s : all) {
        CHECK(!s.name.empty() && !s.summary.empty() && !s.source.empty());
        draws += s.draws;
        CHECK(s.learns == (s.name == "mirostat" || s.name == "mirostat_v2" || s.name == "adaptive_p"));
        for (const bregman::parameter &p : s.parameters) {
            CHECK(!p.name.empty() && !p.summary.empty() && !(p.max < p.min));
            CHECK(p.kind != kind::choice || p.choices.find(',') != std::string_view::npos);
            CHECK(!p.required || p.default_value.empty());
        }
        const auto sampler = bregman::sampler::create(example(s), 1);
        if (!sampler)
            std::fprintf(stderr, "%s: %s\n", example(s).c_str(), sampler.error().message.c_str());
        CHECK(sampler);
    }
    CHECK(draws >= 2);
    const auto seen = [&](kind k) {
        return std::any_of(all.begin(), all.end(), [k](const stage &s) {
            return std::any_of(s.parameters.begin(), s.parameters.end(), [k](const auto &p) { return p.kind == k; });
        });
    };
    for (const kind k : {kind::number, kind::count, kind::choice, kind::tokens, kind::sequences, kind::biases, kind::keys})
        CHECK(seen(k));
    const auto top_p = std::find_if(all.begin(), all.end(), [](const stage &s) { return s.name == "top_p"; });
    CHECK(top_p != all.end() && top_p->aliases.find("nucleus") != std::string_view::npos && !top_p->draws);
    CHECK(top_p->parameters.at(0).name == "p" && top_p->parameters[0].required && top_p->parameters[0].max == 1.0);
    const auto min_keep = std::find_if(top_p->parameters.begin(), top_p->parameters.end(),
                                       [](const bregman::parameter &p) { return p.name == "min_keep"; });
    CHECK(min_keep != top_p->parameters.end() && min_keep->default_value == "1" && min_keep->kind == kind::count);
    const auto divergence = std::find_if(all.begin(), all.end(), [](const stage &s) { return s.name == "bregman"; });
    const auto in_group = [](const bregman::parameter &p) { return p.group != 0; };
    CHECK(std::count_if(divergence->parameters.begin(), divergence->parameters.end(), in_group) >= 3);

    CHECK(bregman::is_compatible() && std::string(bregman::version()) == bregman_version());
    CHECK(std::string(bregman::simd_level()) == bregman_simd_level() && *bregman::simd_level() != '\0');
    test_macros();
}
