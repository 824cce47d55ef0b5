// Batches: every number format, stride and mask gives the same as rows one by one; arrays that are too short are refused.
#include "check.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

using bregman::options;
using bregman::rows;
using bregman::sampler;
using bregman::status;

static const char chain[] = "temperature(0.8) | bregman(alpha=1.5, floor=0.005) | draw";
static const std::size_t vocab = 333, count = 7;

static std::vector<sampler> samplers() {
    std::vector<sampler> all;
    for (unsigned r = 0; r < count; r++)
        all.emplace_back(chain, 100 + r);
    return all;
}

// The upper half of a float is its bfloat16, if the lower is zero.
static std::uint16_t to_bf16(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    CHECK((bits & 0xffffu) == 0);
    return static_cast<std::uint16_t>(bits >> 16);
}

// For 0 and the normal numbers of half precision.
static std::uint16_t to_f16(float x) {
    if (x == 0.0f)
        return 0;
    int exponent = 0;
    const float mantissa = std::frexp(std::fabs(x), &exponent) * 2048.0f; // [1024, 2048)
    CHECK(mantissa == std::floor(mantissa) && exponent > -14 && exponent <= 16);
    return static_cast<std::uint16_t>((x < 0 ? 0x8000 : 0) | ((exponent + 14) << 10) | (static_cast<int>(mantissa) & 0x3ff));
}

// `count` rows with `gap` numbers between them that must not be read; the logits are exact in bfloat16.
static std::vector<float> storage(std::size_t gap) {
    std::vector<float> all;
    for (unsigned r = 0; r < count; r++) {
        for (const float x : row(vocab, r))
            all.push_back(std::round(x * 16.0f) / 16.0f);
        all.insert(all.end(), r + 1 < count ? gap : 0, std::numeric_limits<float>::quiet_NaN());
    }
    return all;
}

static std::vector<bregman_result> one_by_one(const std::vector<float> &all, std::size_t stride) {
    std::vector<bregman_result> results;
    std::vector<sampler> each = samplers();
    for (std::size_t r = 0; r < count; r++)
        results.push_back(each[r].decode({all.data() + r * stride, vocab}));
    return results;
}

static bool equal(bregman::view<const bregman_result> a, const std::vector<bregman_result> &b) {
    bool good = a.size() == b.size();
    for (std::size_t r = 0; good && r < b.size(); r++)
        good = same(a[r], b[r]);
    return good;
}

static void test_formats() {
    bregman::batch batch;
    for (const std::size_t gap : {std::size_t{0}, std::size_t{19}}) {
        const std::vector<float> f32 = storage(gap);
        std::vector<std::uint16_t> f16, bf16;
        for (const float x : f32) {
            f16.push_back(std::isnan(x) ? std::uint16_t{0x7e00} : to_f16(x));
            bf16.push_back(std::isnan(x) ? std::uint16_t{0x7fc0} : to_bf16(x));
        }
        const std::size_t stride = gap == 0 ? 0 : vocab + gap;
        const std::vector<bregman_result> expected = one_by_one(f32, vocab + gap);
        for (const rows &input : {rows::f32(f32, vocab, stride), rows::f16(f16, vocab, stride), rows::bf16(bf16, vocab, stride)})
            for (const std::uint32_t threads : {0u, 1u, 3u}) {
                std::vector<sampler> each = samplers();
                batch.clear();
                for (sampler &s : each)
                    batch.add(s);
                options how;
                how.threads = threads;
                batch.decode(input, how);
                CHECK(batch.size() == count && equal(batch.results(), expected));

                std::vector<bregman_sampler *> handles;
                std::vector<bregman_result> results(count);
                each = samplers();
                for (const sampler &s : each)
                    handles.push_back(s.get());
                bregman::decode_batch(handles, input, results, how);
                CHECK(equal(results, expected));
            }
    }
}

static void test_mask() {
    const std::vector<float> all = storage(0);
    for (const std::size_t stride : {std::size_t{0}, std::size_t{11}, std::size_t{14}}) {
        const std::size_t words = stride == 0 ? 11 : stride;
        std::vector<std::uint32_t> mask(words * count);
        for (std::size_t r = 0; r < count; r++)
            for (std::size_t w = 0; w < 11; w++)
                mask[r * words + w] = 1u << (r + w) % 32; // one token in each word
        std::vector<sampler> each = samplers();
        bregman::batch batch;
        for (sampler &s : each)
            batch.add(s);
        batch.decode(rows::f32(all, vocab).mask(mask, stride));
        for (std::size_t r = 0; r < count; r++) {
            const auto token = static_cast<std::size_t>(batch.results()[r].token);
            CHECK(token % 32 == (r + token / 32) % 32 && batch.results()[r].support <= 11);
        }
    }
}

static void test_options() {
    const std::vector<float> all = storage(0);
    for (unsigned bits = 0; bits < 16; bits++) {
        const options how{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, 1};
        CHECK(how.flags() == bits);
        std::vector<sampler> each = samplers();
        bregman::batch batch;
        batch.add(each[0]);
        batch.decode(rows::f32(all, vocab), how);
        const bregman_result r = batch.results()[0];
        CHECK(std::isnan(r.kept_mass) == !how.kept_mass && std::isnan(r.model_logprob) == !how.model_logprob);
        CHECK(std::isnan(r.entropy) == !how.entropy);
    }
}

// A bad row fails alone, and the failure names it.
static void test_failures() {
    std::vector<float> all = storage(0);
    const std::vector<bregman_result> expected = one_by_one(all, vocab);
    all[3 * vocab + 5] = std::numeric_limits<float>::quiet_NaN();
    std::vector<sampler> each = samplers();
    bregman::batch batch;
    for (sampler &s : each)
        batch.add(s);
    const bregman::result<void> failed = batch.try_decode(rows::f32(all, vocab));
    CHECK(!failed && failed.error().code == status::invalid_logits);
    CHECK(failed.error().message.find("row 3: ") == 0 && failed.error().message.find("logit 5") != std::string::npos);
    for (std::size_t r = 0; r < count; r++)
        CHECK(r == 3 ? batch.results()[r].token == -1 && batch.results()[r].status == BREGMAN_INVALID_LOGITS
                     : same(batch.results()[r], expected[r]));
    bool threw = false;
    try {
        batch.decode(rows::f32(all, vocab));
    } catch (const bregman::error &e) {
        threw = e.code() == status::invalid_logits;
    }
    CHECK(threw);
    batch.clear();
    batch.add(each[0]);
    batch.add(each[0]); // a sampler is of one sequence
    CHECK(batch.try_decode(rows::f32(all, vocab)).error().code == status::invalid_argument);
    CHECK(batch.results()[0].status == BREGMAN_OK && batch.results()[1].status == BREGMAN_INVALID_ARGUMENT);
    sampler none;
    batch.clear();
    batch.add(none);
    CHECK(!batch.try_decode(rows::f32(all, vocab)) && batch.results()[0].token == -1);
}

// The C ABI relies on the lengths that it is given; the views know theirs, and nothing is read beyond them.
static void test_bounds() {
    const std::vector<float> all = storage(0);
    std::vector<sampler> each = samplers();
    bregman::batch batch;
    for (sampler &s : each)
        batch.add(s);
    const std::vector<std::uint32_t> mask(11 * count, ~0u);
    const auto refused = [&](const rows &input, const char *word) {
        const bregman::result<void> r = batch.try_decode(input);
        return !r && r.error().code == status::invalid_argument && r.error().message.find(word) != std::string::npos &&
               batch.results()[0].token == -1 && batch.results()[0].status == BREGMAN_INVALID_ARGUMENT;
    };
    CHECK(refused(rows::f32({all.data(), all.size() - 1}, vocab), "too few for 7 rows"));
    CHECK(refused(rows::f32(all, vocab, vocab + 1), "too few for 7 rows"));
    CHECK(refused(rows::f32(all, vocab, std::numeric_limits<std::size_t>::max() / 2), "too few for 7 rows"));
    CHECK(refused(rows::f32({}, vocab), "too few for 7 rows"));
    CHECK(refused(rows::f32(all, vocab).mask({mask.data(), mask.size() - 1}), "the mask has 76 words"));
    CHECK(refused(rows::f32(all, vocab).mask(mask, 12), "the mask has 77 words"));
    CHECK(refused(rows::f32(all, vocab, 10), "stride"));
    CHECK(refused(rows::f32(all, 0), "vocab"));
    std::vector<bregman_sampler *> handles(3, each[0].get());
    std::vector<bregman_result> results(2);
    CHECK(!bregman::try_decode_batch(handles, rows::f32(all, vocab), results));
    CHECK(bregman::try_decode_batch({}, rows::f32({}, vocab), {}).has_value()); // no rows: nothing to do
    batch.decode(rows::f32(all, vocab).mask(mask));
    CHECK(batch.results()[0].status == BREGMAN_OK);
}

void test_batch() {
    test_formats();
    test_mask();
    test_options();
    test_failures();
    test_bounds();
}
