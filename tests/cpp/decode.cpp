// One row at a time, from any contiguous container: each call must equal the C function of the same name.
#include "check.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#if __has_include(<span>)
#include <span>
#endif

using bregman::sampler;
using bregman::view;

static const char chain[] = "temperature(0.8) | bregman(alpha=1.5, floor=0.005) | draw";

static bregman_sampler *make(const char *text) {
    bregman_sampler *handle = nullptr;
    CHECK(bregman_sampler_new(text, 9, &handle, nullptr, 0) == BREGMAN_OK);
    return handle;
}

static void test_against_c() {
    sampler s(chain, 9);
    bregman_sampler *plain = make(chain);
    bregman::distribution d;
    for (unsigned i = 0; i < 200; i++) {
        std::vector<float> logits = row(1 + i * 5, i), processed = logits;
        std::vector<std::int32_t> ids(logits.size());
        std::vector<float> probs(logits.size());
        std::size_t n = 0;
        CHECK(bregman_distribution(plain, logits.data(), logits.size(), ids.data(), probs.data(), ids.size(), &n) == 0);
        ids.resize(n);
        probs.resize(n);
        s.distribution(logits, d);
        CHECK(d.ids == ids && d.probs == probs);
        CHECK(s.distribution(logits).ids == ids);

        bregman_result r{};
        CHECK(bregman_decode(plain, logits.data(), logits.size(), &r) == BREGMAN_OK);
        CHECK(same(s.decode(logits), r));

        s.process(logits);
        CHECK(bregman_process(plain, processed.data(), processed.size()) == BREGMAN_OK && logits == processed);
        CHECK(std::isinf(logits[0]) || logits[0] <= 0.0f);
    }
    bregman_sampler_free(plain);
}

// The whole vocabulary: more than the room that is reserved at first.
static void test_large_distribution() {
    sampler s("temperature(2)", 1);
    const std::vector<float> logits = row(1000, 4);
    const bregman::distribution d = s.distribution(logits);
    double sum = 0;
    for (const float p : d.probs)
        sum += static_cast<double>(p);
    CHECK(d.ids.size() == 1000 && d.probs.size() == 1000 && std::abs(sum - 1.0) < 1e-5);
}

static void test_apply() {
    sampler s(chain, 9);
    bregman_sampler *plain = make(chain);
    for (unsigned i = 0; i < 50; i++) {
        const std::vector<float> logits = row(100, i);
        std::array<bregman_candidate, 100> a{}, b{};
        for (std::size_t t = 0; t < a.size(); t++)
            a[t] = b[t] = {static_cast<std::int32_t>(t), logits[t], 0.0f};
        bregman_candidates mine{a.data(), a.size(), -1, 0}, theirs{b.data(), b.size(), -1, 0};
        s.apply(mine);
        CHECK(bregman_apply(plain, &theirs) == BREGMAN_OK);
        CHECK(mine.size == theirs.size && mine.selected == theirs.selected && mine.sorted == theirs.sorted);
        CHECK(mine.size < a.size() && std::memcmp(a.data(), b.data(), sizeof a) == 0);
    }
    bregman_sampler_free(plain);
}

static void test_bias() {
    sampler s("greedy", 1);
    const std::vector<float> logits = {1, 2, 3, 4};
    CHECK(s.decode(logits).token == 3);
    const std::array<std::int32_t, 2> ids = {3, 0};
    const float bias[] = {-std::numeric_limits<float>::infinity(), 5.0f};
    s.set_logit_bias(ids, bias);
    CHECK(s.decode(logits).token == 0 && s.clone().decode(logits).token == 0);
    s.set_logit_bias({}, {});
    CHECK(s.decode(logits).token == 3);
    s.accept({1, 2});
    s.accept(3);
    s.accept(ids);
}

static void test_views() {
    sampler s("greedy", 1);
    const std::vector<float> vector = {1, 3, 2};
    std::array<float, 3> array = {1, 3, 2};
    const float plain[] = {1, 3, 2};
    CHECK(s.decode(vector).token == 1 && s.decode(array).token == 1 && s.decode(plain).token == 1);
    CHECK(s.decode({array.data(), 2}).token == 1 && s.decode(std::vector<float>{5, 1}).token == 0);
#if defined(__cpp_lib_span)
    CHECK(s.decode(std::span<const float>(vector)).token == 1 && s.decode(std::span(array).first(1)).token == 0);
#endif
    view<float> writable = array;
    const view<const float> readable = writable;
    writable[0] = 9;
    CHECK(readable[0] == 9.0f && readable.size() == 3 && readable.end() - readable.begin() == 3 && view<int>().empty());
    static_assert(!std::is_constructible_v<view<float>, const std::vector<float> &>, "no write through a const view");
    static_assert(!std::is_constructible_v<view<const float>, std::vector<double> &>, "no other type of number");
    static_assert(!std::is_constructible_v<view<const float>, std::vector<std::int32_t> &>);
}

// A generator of the host: phi(x) = x^2 / 2 is the alpha = 2 member of the family.
static void test_generator() {
    const auto half_square = [](void *, const double *x, double *out, std::size_t n) {
        for (std::size_t i = 0; i < n; i++)
            out[i] = x[i] * x[i] / 2.0;
    };
    const auto identity = [](void *, const double *x, double *out, std::size_t n) {
        for (std::size_t i = 0; i < n; i++)
            out[i] = x[i];
    };
    const bregman_generator mine[] = {
        {sizeof(bregman_generator), 0, "mine", nullptr, half_square, identity, identity, nullptr}};
    sampler own("bregman(generator=mine, k=5)", 1, mine), known("bregman(alpha=2, k=5)", 1);
    const std::vector<float> logits = row(50, 2);
    const bregman::distribution a = own.distribution(logits), b = known.distribution(logits);
    CHECK(a.ids == b.ids && a.ids.size() == 5);
    for (std::size_t i = 0; i < a.probs.size(); i++)
        CHECK(std::abs(a.probs[i] - b.probs[i]) < 1e-6f);
    CHECK(!sampler::create("bregman(generator=other, k=5)", 1, mine));
}

void test_decode() {
    test_against_c();
    test_large_distribution();
    test_apply();
    test_bias();
    test_views();
    test_generator();
}
