// Saved states, rewinding, and rows that leave the state as it is.
#include "check.hpp"

#include <cmath>
#include <string>

using bregman::sampler;
using bregman::status;

static const std::size_t vocab = 200;

static const char *const chains[] = {"mirostat_v2(tau=3)", "adaptive_p(target=0.4)", "penalties(repeat=1.3) | draw",
                                     "top_k(20) | gumbel"};

static std::int32_t step(sampler &s, unsigned number) {
    const std::int32_t token = s.decode(row(vocab, number)).token;
    s.accept(token);
    return token;
}

static void test_moving(const char *chain) {
    sampler undisturbed(chain, 7), moved(chain, 7);
    undisturbed.accept({1, 2});
    moved.accept({1, 2});
    std::vector<std::int32_t> expected{1, 2};
    for (unsigned i = 0; i < 20; i++) {
        const std::vector<std::byte> state = moved.save();
        moved = sampler::load(state);
        CHECK(moved.save() == state);
        expected.push_back(step(undisturbed, i));
        CHECK(step(moved, i) == expected.back());
    }
    CHECK(moved.history() == expected);
    const bregman::place at = moved.where();
    CHECK(at.seed == 7 && at.position == 20 && at.history == 22 && at.prompt == 2);
    CHECK(moved.save() == undisturbed.save());
}

static void test_rewinding(const char *chain) {
    sampler s(chain, 9);
    std::vector<std::int32_t> tokens;
    std::vector<std::byte> middle;
    for (unsigned i = 0; i < 12; i++) {
        if (i == 5)
            middle = s.save();
        tokens.push_back(step(s, i));
    }
    const auto refused = s.try_rewind(13);
    CHECK(!refused && refused.error().code == status::invalid_argument && s.history() == tokens);
    s.rewind(7);
    CHECK(s.save() == middle && s.where().position == 5);
    for (unsigned i = 5; i < 12; i++)
        CHECK(step(s, i) == tokens[i]);
    s.rewind(12);
    CHECK(s.history().empty() && s.where().position == 0);
}

static void test_staying(const char *chain) {
    std::vector<sampler> one;
    one.emplace_back(chain, 3);
    sampler plain(chain, 3);
    for (unsigned i = 0; i < 10; i++) {
        const std::vector<float> logits = row(vocab, i);
        bregman::options how;
        how.stay = true;
        bregman::batch batch;
        batch.add(one[0]);
        batch.decode(bregman::rows::f32(logits, vocab), how);
        const std::int32_t first = batch.results()[0].token;
        CHECK(one[0].where().position == i);
        how.accept = true;
        CHECK(!batch.try_decode(bregman::rows::f32(logits, vocab), how));
        CHECK(step(one[0], i) == first && step(plain, i) == first);
    }
}

static void twice(void *, const double *x, double *out, std::size_t n) {
    for (std::size_t i = 0; i < n; i++)
        out[i] = 2 * x[i];
}

static void squared(void *, const double *x, double *out, std::size_t n) {
    for (std::size_t i = 0; i < n; i++)
        out[i] = x[i] * x[i];
}

static void halved(void *, const double *x, double *out, std::size_t n) {
    for (std::size_t i = 0; i < n; i++)
        out[i] = x[i] / 2;
}

static void test_generators() {
    bregman_generator mine{};
    mine.struct_size = sizeof mine;
    mine.name = "mine";
    mine.phi = squared, mine.f = twice, mine.f_inverse = halved;
    sampler s("bregman(generator=mine, lambda=0.01) | draw", 4, {&mine, 1});
    const std::vector<std::byte> state = s.save();
    const auto without = sampler::try_load(state);
    CHECK(!without && without.error().code == status::invalid_argument);
    CHECK(without.error().message.find("mine") != std::string::npos);
    sampler again = sampler::load(state, {&mine, 1});
    for (unsigned i = 0; i < 10; i++)
        CHECK(step(again, i) == step(s, i));
}

static void test_misuse() {
    sampler s("draw", 1);
    step(s, 0);
    const std::vector<std::byte> state = s.save();
    for (std::size_t i = 0; i < state.size(); i++) {
        std::vector<std::byte> wrong = state;
        wrong[i] ^= std::byte{4};
        CHECK(sampler::try_load(wrong).error().code == status::invalid_argument);
        CHECK(!sampler::try_load({state.data(), i}));
    }
    sampler empty;
    CHECK(empty.try_save().error().code == status::invalid_argument);
    CHECK(!empty.try_rewind(0) && !empty.try_where() && !empty.try_history());
}

void test_state() {
    for (const char *chain : chains) {
        test_moving(chain);
        test_rewinding(chain);
        test_staying(chain);
    }
    test_generators();
    test_misuse();
}
