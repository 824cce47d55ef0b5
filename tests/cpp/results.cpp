// Failures as values and as exceptions.
#include "check.hpp"

#include <limits>
#include <string>

using bregman::failure;
using bregman::result;
using bregman::sampler;
using bregman::status;

template <class F> static status thrown(F call, const char *word) {
    try {
        call();
    } catch (const std::runtime_error &e) {
        CHECK(std::string(e.what()).find(word) != std::string::npos);
        const auto *mine = dynamic_cast<const bregman::error *>(&e);
        CHECK(mine != nullptr);
        return mine->code();
    }
    return status::ok;
}

static void test_creation() {
    CHECK(thrown([] { sampler("top_k(3) | drow", 1); }, "did you mean `draw`") == status::invalid_chain);
    CHECK(thrown([] { sampler(std::string("greedy\0 | nonsense", 18), 1); }, "NUL") == status::invalid_chain);
    const result<sampler> wrong = sampler::create("top_k(-1)", 1);
    CHECK(!wrong && !wrong.has_value() && wrong.error().code == status::invalid_chain);
    CHECK(wrong.error().message.find("top_k") != std::string::npos);
    result<sampler> good = sampler::create("top_k( 3 )|dist", 1);
    CHECK(good && good->describe() == "top_k(3) | draw");
    const sampler taken = std::move(good).value();
    CHECK(taken && !*good);
}

static void test_calls() {
    sampler s("top_k(3) | draw", 1);
    std::vector<float> logits = row(10, 1);
    logits[4] = std::numeric_limits<float>::quiet_NaN();
    const result<bregman_result> failed = s.try_decode(logits);
    CHECK(failed.error().code == status::invalid_logits && failed.error().message.find("logit 4") != std::string::npos);
    CHECK(failed.error().message == s.last_error());
    CHECK(thrown([&] { (void)s.decode(logits); }, "logit 4") == status::invalid_logits);
    CHECK(thrown([&] { (void)s.decode({}); }, "logits") == status::invalid_argument);
    CHECK(thrown([&] { s.process(logits); }, "logit 4") == status::invalid_logits);
    CHECK(thrown([&] { (void)s.distribution(logits); }, "logit 4") == status::invalid_logits);
    CHECK(thrown([&] { s.accept(-3); }, "-3") == status::invalid_argument);
    CHECK(thrown([&] { s.accept({1, 2, -4}); }, "-4") == status::invalid_argument);
    CHECK(thrown([&] { s.set_logit_bias(std::vector<std::int32_t>{1, 2}, std::vector<float>{1.0f}); }, "2 ids") ==
          status::invalid_argument);
    CHECK(thrown([&] { (void)sampler("top_k(3)", 1).decode(row(5, 1)); }, "draw") == status::unsupported);
    bregman_candidates none{nullptr, 0, -1, 0};
    CHECK(thrown([&] { s.apply(none); }, "no token") == status::empty_support);
    CHECK(std::string(bregman::text(status::empty_support)) == bregman_status_text(BREGMAN_EMPTY_SUPPORT));
}

// A detector's score must equal the C function's.
static void test_watermarks() {
    const std::vector<std::int32_t> tokens = {5, 6, 7, 8, 5, 6, 7, 9};
    for (const char *stage : {"watermark(key=0x2a, width=2)", "synthid(keys=654 400 836)", "green_list(key=7, vocab=10)"}) {
        const bregman_watermark score = bregman::watermark_score(stage, tokens);
        bregman_watermark of_c{};
        of_c.struct_size = sizeof of_c;
        CHECK(bregman_watermark_score(stage, tokens.data(), tokens.size(), &of_c, nullptr, 0) == BREGMAN_OK);
        CHECK(score.score == of_c.score && score.p_value == of_c.p_value && score.counted == of_c.counted);
        CHECK(score.counted > 4 && score.p_value > 0 && score.p_value <= 1);
    }
    CHECK(bregman::watermark_score("watermark(1)", {}).p_value == 1);
    CHECK(thrown([&] { (void)bregman::watermark_score("draw", tokens); }, "no watermark") == status::invalid_chain);
    CHECK(bregman::try_watermark_score("watermark(123456789x)", tokens).error().message.find("123456789") == std::string::npos);
    CHECK(sampler("watermark(123456789)", 1).describe() == "watermark(hidden)");
}

static void test_values() {
    result<int> seven = 7;
    const result<int> none = failure{status::internal, "why"};
    CHECK(seven.value() == 7 && *seven == 7 && seven.value_or(1) == 7 && none.value_or(1) == 1);
    *seven = 8;
    CHECK(std::as_const(seven).value() == 8 && std::move(seven).value() == 8);
    CHECK(thrown([&] { (void)none.value(); }, "why") == status::internal);
    result<std::string> text = std::string("text");
    CHECK(text->size() == 4);
    CHECK(result<void>().has_value() && thrown([] { result<void>(failure{status::internal, "why"}).value(); }, "why") ==
                                            status::internal);
}

void test_results() {
    test_creation();
    test_calls();
    test_watermarks();
    test_values();
}
