// Drafts: accepted tokens, trees, laws, and drafts that are refused.
#include "check.hpp"

#include <cmath>
#include <string>

using bregman::draft;
using bregman::rule;
using bregman::sampler;
using bregman::status;

static const std::size_t vocab = 200;
static const char chain[] = "penalties(presence=0.5) | top_k(20) | draw";

static std::vector<float> rows_of(std::initializer_list<unsigned> numbers) {
    std::vector<float> all;
    for (const unsigned number : numbers)
        for (const float x : row(vocab, number))
            all.push_back(x);
    return all;
}

static std::vector<std::int32_t> plain(std::initializer_list<unsigned> numbers) {
    sampler s(chain, 5);
    std::vector<std::int32_t> tokens;
    for (const unsigned number : numbers) {
        tokens.push_back(s.decode(row(vocab, number)).token);
        s.accept(tokens.back());
    }
    return tokens;
}

static void test_line() {
    const std::vector<std::int32_t> expected = plain({0, 1, 2, 3});
    const std::vector<float> logits = rows_of({0, 1, 2, 3});
    for (std::size_t right = 0; right < 4; right++) {
        std::vector<std::int32_t> tokens(expected.begin(), expected.end() - 1);
        for (std::size_t i = right; i < 3; i++)
            tokens[i] = (tokens[i] + 1) % static_cast<std::int32_t>(vocab);
        sampler s(chain, 5);
        draft d;
        d.tokens = tokens;
        bregman_sampler *const handle = s.get();
        const bregman::verified v = bregman::verify({&handle, 1}, {&d, 1}, bregman::rows::f32(logits, vocab));
        CHECK(v.accepted[0] == right && v.first.back() == 4 && s.where().position == right + 1);
        for (std::size_t i = 0; i < 4; i++) {
            CHECK(v.results[i].token == (i <= right ? expected[i] : -1) && v.results[i].status == BREGMAN_OK);
            CHECK(v.path[i] == (i < right ? static_cast<std::int32_t>(i) : -1));
        }
        CHECK(s.history() == std::vector<std::int32_t>(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(right)));
    }
}

static void test_tree() {
    const std::vector<std::int32_t> expected = plain({0, 2, 4});
    const std::vector<std::int32_t> tokens{(expected[0] + 1) % 200, expected[0], (expected[1] + 1) % 200, expected[1]};
    const std::vector<std::int32_t> parents{-1, -1, 1, 1};
    sampler s(chain, 5);
    draft d;
    d.tokens = tokens, d.parents = parents;
    bregman_sampler *const handle = s.get();
    bregman::options how;
    how.accept = true;
    const bregman::verified v = bregman::verify({&handle, 1}, {&d, 1}, bregman::rows::f32(rows_of({0, 1, 2, 3, 4}), vocab), how);
    CHECK(v.accepted[0] == 2 && v.path[0] == 1 && v.path[1] == 3 && v.path[2] == -1);
    CHECK(s.history() == expected);
}

// The tokens have the target's distribution, whatever the draft's is.
static void test_laws(rule by) {
    const std::vector<float> p{0.5f, 0.3f, 0.15f, 0.05f}, q{0.2f, 0.2f, 0.2f, 0.4f};
    std::vector<float> logits, draft_logits;
    for (int r = 0; r < 2; r++)
        for (const float x : p)
            logits.push_back(std::log(x));
    for (const float x : q)
        draft_logits.push_back(std::log(x));
    const int n = 500;
    int counts[4] = {}, accepted = 0;
    for (int i = 0; i < n; i++) {
        sampler drafting("draw", 1000 + static_cast<std::uint64_t>(i)), s("draw", static_cast<std::uint64_t>(i));
        bregman::distributions laws;
        bregman_sampler *of = drafting.get(), *const handle = s.get();
        bregman::distribution_batch({&of, 1}, bregman::rows::f32(draft_logits, 4), laws);
        const std::int32_t token = drafting.decode(draft_logits).token;
        draft d;
        d.tokens = {&token, 1}, d.rule = by, d.laws = &laws;
        const bregman::verified v = bregman::verify({&handle, 1}, {&d, 1}, bregman::rows::f32(logits, 4));
        counts[v.results[0].token]++;
        accepted += static_cast<int>(v.accepted[0]);
    }
    double chi = 0;
    for (std::size_t t = 0; t < 4; t++) {
        const double wanted = static_cast<double>(p[t]) * n;
        chi += std::pow(counts[t] - wanted, 2) / wanted;
    }
    // 3 degrees of freedom: p is 1e-6. The acceptance rate is the sum of min(p, q), .6.
    CHECK(chi < 30 && std::fabs(accepted - 0.6 * n) < 5 * std::sqrt(0.24 * n));
}

static void test_misuse() {
    std::vector<sampler> samplers;
    samplers.emplace_back(chain, 1);
    samplers.emplace_back(chain, 2);
    bregman_sampler *const handles[] = {samplers[0].get(), samplers[1].get()};
    const std::vector<float> logits = rows_of({0, 1, 2, 3});
    const auto rows = bregman::rows::f32(logits, vocab);
    const std::int32_t token = 3, parent = -1, pair[] = {3, 4};
    bregman::distributions law;
    law.offsets = {0, 2}, law.ids = {1, 2}, law.probs = {0.5f, 0.5f};
    draft drafts[2];
    drafts[0].tokens = drafts[1].tokens = {&token, 1};
    bregman::verified v;
    // A failed sequence changes nothing and fails no other.
    const std::vector<std::byte> before = samplers[1].save();
    drafts[1].rule = rule::token, drafts[1].laws = &law;
    const auto failed = bregman::try_verify(handles, drafts, rows, v);
    CHECK(!failed && failed.error().code == status::invalid_argument);
    CHECK(failed.error().message.find("sequence 1: ") == 0 && v.accepted[1] == 0);
    CHECK(v.results[0].token >= 0 && v.results[2].status == BREGMAN_INVALID_ARGUMENT && samplers[1].save() == before);
    // Lengths that do not fit.
    const auto refused = [&](const draft &d, std::size_t n) {
        return !bregman::try_verify({handles, n}, {&d, 1}, rows, v) && v.results.empty();
    };
    draft d = drafts[0];
    CHECK(refused(d, 2));
    d.parents = {&parent, 1}, d.tokens = pair;
    CHECK(refused(d, 1));
    d = drafts[1], law.offsets = {0, 3};
    CHECK(refused(d, 1));
    law.offsets = {0, 1, 2};
    CHECK(refused(d, 1));
    law.offsets = {};
    CHECK(refused(d, 1));
    CHECK(!bregman::try_verify(handles, drafts, bregman::rows::f32({logits.data(), 3 * vocab}, vocab), v));
    CHECK(bregman::try_verify({}, {}, rows, v) && v.first.size() == 1);
}

void test_verify() {
    test_line();
    test_tree();
    test_laws(rule::token);
    test_laws(rule::block);
    test_misuse();
}
