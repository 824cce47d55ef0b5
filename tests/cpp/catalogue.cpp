// The catalogue, and what the library says of itself.
#include "check.hpp"

#include <algorithm>
#include <string>

using bregman::kind;
using bregman::stage;

// A chain's text for the stage alone, made from the catalogue only: its required parameters at their smallest.
static std::string example(const stage &s) {
    std::string text(s.name);
    const char *separator = "(";
    for (const bregman::parameter &p : s.parameters)
        if (p.required) {
            CHECK(p.kind == kind::number || p.kind == kind::count);
            text += separator + std::string(p.name) + "=" + std::to_string(p.min_excluded ? p.max : p.min);
            separator = ", ";
        }
    return text + (*separator == ',' ? ")" : "");
}

void test_catalogue() {
    const std::vector<stage> all = bregman::stages();
    CHECK(all.size() == bregman_stage_count() && all.size() >= 7);
    std::size_t made = 0, draws = 0;
    for (const stage &s : all) {
        CHECK(!s.name.empty() && !s.summary.empty() && !s.source.empty());
        draws += s.draws;
        for (const bregman::parameter &p : s.parameters) {
            CHECK(!p.name.empty() && !p.summary.empty() && !(p.max < p.min));
            CHECK(p.kind != kind::choice || p.choices.find(',') != std::string_view::npos);
            CHECK(!p.required || p.default_value.empty());
        }
        // Stages with a choice of parameters, exactly one of which must be given, refuse to go without.
        const auto sampler = bregman::sampler::create(example(s), 1);
        CHECK(sampler || sampler.error().code == bregman::status::invalid_chain);
        made += sampler.has_value();
    }
    CHECK(made >= 5 && draws >= 2);
    const auto top_p = std::find_if(all.begin(), all.end(), [](const stage &s) { return s.name == "top_p"; });
    CHECK(top_p != all.end() && top_p->aliases.find("nucleus") != std::string_view::npos && !top_p->draws);
    CHECK(top_p->parameters.at(0).name == "p" && top_p->parameters[0].required && top_p->parameters[0].max == 1.0);
    CHECK(top_p->parameters.at(1).default_value == "1" && top_p->parameters[1].kind == kind::count);

    CHECK(bregman::is_compatible() && std::string(bregman::version()) == bregman_version());
    CHECK(std::string(bregman::simd_level()) == bregman_simd_level() && *bregman::simd_level() != '\0');
}
