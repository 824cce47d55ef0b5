// A sampler owns its handle, and is moved or cloned but never copied.
#include "check.hpp"

#include <map>
#include <string>

using bregman::sampler;

static_assert(!std::is_copy_constructible_v<sampler> && !std::is_copy_assignable_v<sampler>);
static_assert(std::is_nothrow_move_constructible_v<sampler> && std::is_nothrow_move_assignable_v<sampler>);
static_assert(std::is_nothrow_default_constructible_v<sampler> && sizeof(sampler) == sizeof(bregman_sampler *));
static_assert(!std::is_convertible_v<bregman_sampler *, sampler>, "a handle is adopted in so many words");

static const char chain[] = "temperature(0.8) | bregman(alpha=1.5, floor=0.005) | draw";

static void test_moves() {
    sampler a("greedy", 1), b("top_k(3) | draw", 1);
    bregman_sampler *handle = a.get();
    sampler c = std::move(a);
    CHECK(c.get() == handle && !a && a.get() == nullptr);
    b = std::move(c);
    CHECK(b.get() == handle && !c);
    sampler &itself = b;
    b = std::move(itself);
    CHECK(b.get() == handle && b.describe() == "greedy");
    handle = b.release();
    CHECK(!b);
    sampler adopted = sampler::adopt(handle);
    CHECK(adopted.describe() == "greedy");

    std::map<int, sampler> sequences; // as in a server
    sequences.emplace(7, sampler(chain, 7));
    sequences[8] = sampler(chain, 8);
    sequences.erase(7);
    CHECK(sequences.size() == 1 && sequences.at(8));
    std::vector<sampler> many;
    for (unsigned i = 0; i < 100; i++)
        many.emplace_back(chain, i);
    CHECK(many.front() && many.back());
}

static void test_empty() {
    sampler none;
    const std::vector<float> logits = row(10, 1);
    CHECK(!none && none.describe().empty() && none.last_error()[0] != '\0');
    CHECK(none.try_decode(logits).error().code == bregman::status::invalid_argument);
    CHECK(none.try_clone().error().code == bregman::status::invalid_argument);
    CHECK(!none.try_reset() && !none.try_reseed(1, 1) && !none.try_accept(std::vector<std::int32_t>{1}));
}

// A clone continues as the original does, independently of it.
static void test_clones() {
    const std::vector<float> logits = row(500, 3);
    sampler a(chain, 5);
    std::vector<bregman_result> first;
    for (int i = 0; i < 30; i++)
        first.push_back(a.decode(logits));
    a.reset();
    for (std::size_t i = 0; i < 10; i++)
        CHECK(same(a.decode(logits), first[i]));
    sampler b = a.clone();
    for (std::size_t i = 10; i < 30; i++)
        CHECK(same(a.decode(logits), first[i]));
    a = sampler();
    for (std::size_t i = 10; i < 30; i++)
        CHECK(same(b.decode(logits), first[i]));
    b.reseed(5, 20);
    for (std::size_t i = 20; i < 30; i++)
        CHECK(same(b.decode(logits), first[i]));
}

void test_ownership() {
    test_moves();
    test_empty();
    test_clones();
}
