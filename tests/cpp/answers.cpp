// Answers besides the token, and the settings of a sampler: each must equal the C function of the same name.
#include "check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

using bregman::sampler;
using bregman::source;
using bregman::status;

static const char chain[] = "temperature(0.8) | bregman(alpha=1.5, floor=0.005) | gumbel";
static const std::size_t vocab = 333, count = 7;

template <class R> static bool refused(const R &r, const char *word) {
    return !r && r.error().code == status::invalid_argument && r.error().message.find(word) != std::string::npos;
}

static void test_top() {
    sampler s(chain, 3);
    const std::vector<float> logits = row(vocab, 2);
    for (const source of : {source::model, source::decoded}) {
        std::vector<std::int32_t> ids(20);
        std::vector<float> logprobs(20);
        std::size_t n = 0;
        CHECK(bregman_top_logprobs(s.get(), logits.data(), vocab, static_cast<std::uint32_t>(of), 20, ids.data(),
                                   logprobs.data(), &n) == BREGMAN_OK);
        const bregman::ranking top = s.top_logprobs(logits, of, 20);
        CHECK(n > 0 && top.ids.size() == n && top.logprobs.size() == top.ids.size());
        for (std::size_t i = 0; i < top.ids.size(); i++)
            CHECK(top.ids[i] == ids[i] && top.logprobs[i] == logprobs[i]);
    }
    // The decoded distribution has the tokens that the chain keeps, the model has all, whatever number is requested.
    const std::size_t all = std::numeric_limits<std::size_t>::max(), support = s.distribution(logits).ids.size();
    CHECK(s.top_logprobs(logits, source::decoded, all).ids.size() == support && support < vocab);
    CHECK(s.top_logprobs(logits, source::model, all).ids.size() == vocab);
    bregman::ranking none;
    CHECK(!s.try_top_logprobs(logits, static_cast<source>(9), 5, none) && none.ids.empty() && none.logprobs.empty());
    CHECK(!s.try_top_logprobs({}, source::model, 5, none) && !sampler().try_top_logprobs(logits, source::decoded, 5, none));
}

static void test_draws() {
    sampler s(chain, 3), same_seed(chain, 3), c(chain, 3);
    const std::vector<float> logits = row(vocab, 2);
    for (int i = 0; i < 40; i++) {
        std::int32_t ids[3];
        float logprobs[3], scores[3];
        std::size_t n = 0;
        CHECK(bregman_draw_many(c.get(), logits.data(), vocab, 3, ids, logprobs, scores, &n) == BREGMAN_OK && n == 3);
        const bregman::draws drawn = s.draw_many(logits, 3);
        CHECK(drawn.ids.size() == 3 && drawn.logprobs.size() == 3 && drawn.scores.size() == 3);
        for (std::size_t k = 0; k < 3; k++)
            CHECK(drawn.ids[k] == ids[k] && drawn.logprobs[k] == logprobs[k] && drawn.scores[k] == scores[k]);
        CHECK(drawn.ids[0] == same_seed.decode(logits).token && drawn.scores[0] >= drawn.scores[1]);
    }
    const std::size_t all = std::numeric_limits<std::size_t>::max();
    CHECK(s.draw_many(logits, all).ids.size() == s.distribution(logits).ids.size());
    bregman::draws none;
    CHECK(!s.try_draw_many(logits, 0, none) && none.ids.empty() && !s.try_draw_many({}, 3, none) && none.scores.empty());
}

static void test_model_answers() {
    const std::vector<float> logits = {0, 1, 2, 3, 2, 1};
    const std::vector<std::int32_t> given = {0, 1, -1, 2};
    const std::vector<std::size_t> second = {1, 1};
    const auto rows = bregman::rows::f32(logits, 3);
    bregman::answers more;
    more.given = 2;
    more.given_ids = given;
    more.given_ranks = true;
    more.top = 1;
    bregman::model_answers(rows, 2, more);
    const double total = std::log(std::exp(0.0) + std::exp(1.0) + std::exp(2.0));
    CHECK(std::fabs(more.given_logprobs_of(0)[0] + total) < 1e-6 && more.given_ranks_of(0)[1] == 2);
    CHECK(std::isnan(more.given_logprobs_of(1)[0]) && more.given_ranks_of(1)[0] == 0 && more.given_ranks_of(1)[1] == 3);
    CHECK(more.top_ids(0)[0] == 2 && more.top_ids(1)[0] == 0);
    more.given_ids = bregman::view<const std::int32_t>(given.data(), 3);
    CHECK(refused(bregman::try_model_answers(rows, 2, more), "3 given ids"));
    // The same beside a decode, of two samplers on one row, with both sources.
    more.given_ids = given;
    more.other_logprob = more.other_top = true;
    more.of = source::decoded;
    bregman::batch batch;
    sampler a("greedy", 1), b("greedy", 2);
    batch.add(a), batch.add(b);
    bregman::options how;
    how.ln_kept_mass = true;
    auto shared = rows;
    shared.row_index(second);
    batch.decode(shared, how, &more);
    for (std::size_t r = 0; r < 2; r++) {
        CHECK(batch.results()[r].token == 0 && std::fabs(batch.results()[r].ln_kept_mass - (2 - total)) < 1e-6);
        CHECK(std::fabs(more.other_logprob_of(r) - (2 - total)) < 1e-6 && more.other_top_logprobs(r).size() == 1);
    }
    CHECK(more.given_logprobs_of(0)[0] == 0.0f && more.given_logprobs_of(0)[1] == -std::numeric_limits<float>::infinity());
    const std::vector<std::size_t> third = {0, 2};
    shared.row_index(third);
    CHECK(refused(batch.try_decode(shared, how), "too few for 3 rows"));
    // Distributions, one after the other.
    sampler c("top_k(2)", 1), d("draw", 1);
    bregman_sampler *const handles[] = {c.get(), d.get()};
    bregman::distributions all;
    bregman::distribution_batch(handles, rows, all);
    CHECK(all.offsets == (std::vector<std::size_t>{0, 2, 5}) && all.ids == (std::vector<std::int32_t>{2, 1, 0, 1, 2}));
    CHECK(std::fabs(all.probs[2] - std::exp(2 - total)) < 1e-6);
}

static void test_sparse() {
    const std::vector<float> logits = row(vocab, 2);
    const std::size_t half = vocab / 2;
    const char both[] = "top_k(5) | top_p(0.9) | draw";
    bregman::reduced low, high;
    const bregman::view<const float> all = logits;
    bregman::reduce(bregman::rows::f32({all.data(), half}, half), 1, 0, 20, low);
    bregman::reduce(bregman::rows::f32({all.data() + half, vocab - half}, vocab - half), 1, static_cast<std::int32_t>(half),
                    20, high);
    low.ids.insert(low.ids.end(), high.ids.begin(), high.ids.end());
    low.logits.insert(low.logits.end(), high.logits.begin(), high.logits.end());
    const std::vector<double> rest = {std::log(std::exp(low.log_rest[0]) + std::exp(high.log_rest[0]))};
    const std::vector<float> bound = {std::max(low.bound[0], high.bound[0])};
    sampler whole(both, 7), sparse(both, 7), flat("draw", 7);
    auto rows = bregman::rows::f32(low.logits, 40).sparse(low.ids, {}, rest, bound);
    bregman::batch batch, needs_all;
    batch.add(sparse);
    needs_all.add(flat);
    for (int i = 0; i < 20; i++) {
        batch.decode(rows);
        const bregman_result expected = whole.decode(logits);
        CHECK(batch.results()[0].token == expected.token && batch.results()[0].support == expected.support);
    }
    const auto incomplete = needs_all.try_decode(rows);
    CHECK(!incomplete && incomplete.error().code == status::incomplete && std::string(text(status::incomplete)) == "incomplete row");
    CHECK(refused(batch.try_decode(bregman::rows::f32(low.logits, 40).sparse(high.ids)), "20 ids"));
    // The other calls that take rows.
    const auto dense = bregman::rows::f32(logits, vocab);
    bregman_sampler *const handles[] = {whole.get()};
    bregman::distributions ours, theirs;
    bregman::distribution_batch(handles, rows, ours);
    bregman::distribution_batch(handles, dense, theirs);
    CHECK(ours.ids == theirs.ids && ours.offsets == theirs.offsets && std::fabs(ours.probs[0] - theirs.probs[0]) < 1e-6);
    bregman::answers of_list, of_row;
    of_list.top = of_row.top = 2;
    of_list.given = of_row.given = 1;
    of_list.given_ids = of_row.given_ids = bregman::view<const std::int32_t>(theirs.ids.data(), 1);
    bregman::model_answers(rows, 1, of_list);
    bregman::model_answers(dense, 1, of_row);
    CHECK(of_list.top_ids(0)[1] == of_row.top_ids(0)[1]);
    CHECK(std::fabs(of_list.given_logprobs_of(0)[0] - of_row.given_logprobs_of(0)[0]) < 2e-6);
    bregman::draft none, exact;
    exact.rule = bregman::rule::token;
    bregman_sampler *const fresh[] = {sparse.get()};
    const bregman::verified v = bregman::verify(fresh, {&none, 1}, rows);
    CHECK(v.results[0].token == whole.decode(logits).token);
    bregman::verified unknown;
    const auto sparse_laws = bregman::try_verify(fresh, {&exact, 1}, rows, unknown);
    CHECK(!sparse_laws && sparse_laws.error().code == status::unsupported);
    CHECK(!bregman::try_reduce(bregman::rows::f32(logits, vocab), 1, -1, 3, low));
}

static void test_kept_list() {
    std::vector<float> logits = {0, 1, 2, 3, 2, 1, 0.5f, 0.25f, 0};
    logits[4] = std::numeric_limits<float>::quiet_NaN();
    const auto rows = bregman::rows::f32(logits, 3);
    sampler a("top_k(2) | draw", 1), b("draw", 1), c("draw", 2);
    bregman::batch batch;
    batch.add(a), batch.add(b), batch.add(c);
    bregman::answers more;
    more.kept = 3;
    more.kept_as_list = true;
    CHECK(!batch.try_decode(rows, {}, &more));
    const auto list = more.kept_list();
    const auto offsets = more.kept_offsets();
    CHECK((std::vector<std::int32_t>(list.begin(), list.end()) == std::vector<std::int32_t>{2, 1, 0, 1, 2}));
    CHECK((std::vector<std::size_t>(offsets.begin(), offsets.end()) == std::vector<std::size_t>{0, 2, 2, 5}));
    CHECK(more.kept_ids(0).size() == 2 && more.kept_ids(1).empty() && more.kept_ids(2)[0] == 0 && more.kept_ids(2).size() == 3);
    more.kept_as_list = false;
    CHECK(!batch.try_decode(rows, {}, &more) && more.kept_list().empty() && more.kept_offsets().empty());
    CHECK(more.kept_ids(0).size() == 2 && more.kept_ids(1).empty() && more.kept_ids(2).size() == 3);
}

static void test_mask() {
    sampler s("greedy", 1);
    const std::vector<float> logits = {1, 4, 3, 2};
    CHECK(s.decode(logits).token == 1);
    s.set_mask(std::vector<std::uint32_t>{0xcu});
    CHECK(s.decode(logits).token == 2 && s.clone().decode(logits).token == 2);
    CHECK(refused(s.try_set_mask({}), "clear_mask") && s.decode(logits).token == 2);
    s.clear_mask();
    CHECK(s.decode(logits).token == 1);
    s.set_mask(std::vector<std::uint32_t>{1u});
    s.reset(); // keeps the mask
    CHECK(s.decode(logits).token == 0 && !sampler().try_clear_mask());
}

static void test_prompt() {
    const char about_output[] = "penalties(presence=3, scope=output) | greedy";
    sampler s(about_output, 1);
    const std::vector<float> logits = {1, 4, 3, 2};
    s.accept({1, 2});
    CHECK(s.decode(logits).token == 1); // the whole history is the prompt
    s.set_prompt_length(1);             // token 2 is output
    CHECK(s.top_logprobs(logits, source::decoded, 1).ids[0] == 1);
    s.set_prompt_length(0); // token 1 is output, too: its logit 3 - 3 is below 2, as is 1
    CHECK(s.decode(logits).token == 3);
    CHECK(refused(s.try_set_prompt_length(3), "") && s.decode(logits).token == 3);
}

static void test_batch_answers() {
    std::vector<float> all;
    std::vector<sampler> each, again;
    bregman::batch batch, plain;
    for (unsigned r = 0; r < count; r++) {
        const std::vector<float> next = row(vocab, r);
        all.insert(all.end(), next.begin(), next.end());
        each.emplace_back(chain, r);
        again.emplace_back(chain, r);
    }
    all[3 * vocab + 5] = std::numeric_limits<float>::quiet_NaN();
    for (std::size_t r = 0; r < count; r++) {
        batch.add(each[r]);
        plain.add(again[r]);
    }
    bregman::answers more;
    more.of = source::decoded;
    more.logprob = more.rank = true;
    more.top = 5;
    more.kept = vocab;
    more.kept_mask_words = 11;
    const bregman::rows input = bregman::rows::f32(all, vocab);
    CHECK(batch.try_decode(input, {}, &more).error().code == status::invalid_logits && !plain.try_decode(input));
    for (std::size_t r = 0; r < count; r++) {
        const bregman_result &result = batch.results()[r];
        CHECK(same(result, plain.results()[r]));
        if (r == 3) {
            CHECK(std::isnan(more.logprob_of(r)) && more.rank_of(r) == 0 && more.top_ids(r).empty());
            CHECK(more.top_logprobs(r).empty() && more.kept_ids(r).empty() && more.kept_mask(r)[0] == 0);
            continue;
        }
        const bregman::distribution decoded = again[r].distribution({&all[r * vocab], vocab});
        CHECK(more.kept_ids(r).size() == result.support && decoded.ids.size() == result.support);
        std::vector<std::uint32_t> bits(11);
        for (std::size_t i = 0; i < decoded.ids.size(); i++) {
            const auto token = static_cast<std::size_t>(decoded.ids[i]);
            bits[token / 32] |= 1u << token % 32;
            CHECK(more.kept_ids(r)[i] == decoded.ids[i]);
            CHECK(i >= more.top_ids(r).size() || more.top_ids(r)[i] == decoded.ids[i]);
        }
        CHECK(std::vector<std::uint32_t>(more.kept_mask(r).begin(), more.kept_mask(r).end()) == bits);
        CHECK(more.top_ids(r).size() == std::min<std::size_t>(5, decoded.ids.size()));
        CHECK(more.top_logprobs(r).size() == more.top_ids(r).size());
        CHECK(std::abs(more.logprob_of(r) - std::log(result.p)) < 1e-5f);
        CHECK(more.rank_of(r) >= 1 && more.rank_of(r) <= result.support);
        CHECK(decoded.ids[more.rank_of(r) - 1] == result.token || decoded.probs[more.rank_of(r) - 1] == result.p);
    }
}

// Answers that were not requested are empty, and an unknown source is refused.
static void test_misuse() {
    const std::vector<float> logits = row(vocab, 1);
    sampler s(chain, 1);
    bregman::batch batch;
    bregman::answers more;
    batch.add(s);
    batch.decode(bregman::rows::f32(logits, vocab), {}, &more);
    CHECK(more.top_ids(0).empty() && more.top_logprobs(0).empty() && more.kept_ids(0).empty() && more.kept_mask(0).empty());
    more.of = static_cast<source>(9);
    more.logprob = true;
    CHECK(refused(batch.try_decode(bregman::rows::f32(logits, vocab), {}, &more), "source") && batch.results()[0].token == -1);
    batch.clear();
    more.of = source::model;
    batch.decode(bregman::rows::f32({}, vocab), {}, &more); // no rows, no answers
}

void test_answers() {
    test_top();
    test_draws();
    test_model_answers();
    test_sparse();
    test_kept_list();
    test_mask();
    test_prompt();
    test_batch_answers();
    test_misuse();
}
