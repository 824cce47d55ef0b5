// A server with continuous batching: requests start and end between steps, each with its own chain, seed and state, and one
// call decodes all rows of a step. Its "model" is a formula, so that it runs without one.
#include <bregman.hpp>

#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

constexpr std::size_t vocab = 1000;

// One request and its tokens so far.
struct sequence {
    int id;
    bregman::sampler sampler;
    std::vector<std::int32_t> tokens;
    std::size_t wanted;
    std::string error;

    bool is_done() const { return tokens.size() >= wanted || !error.empty(); }
};

// The row of logits that follows a sequence's tokens: the model's forward pass.
static void forward(const sequence &s, float *logits) {
    const auto last = static_cast<std::size_t>(s.tokens.empty() ? s.id : s.tokens.back());
    for (std::size_t t = 0; t < vocab; t++)
        logits[t] = static_cast<float>((t * 7919 + last * 31337 + s.tokens.size() * 104729) % 1009) / 100.0f;
    if (s.id == 13 && s.tokens.size() == 5)
        logits[7] = std::nanf(""); // a model that fails for one sequence
}

class server {
  public:
    explicit server(std::uint32_t threads) { how_.accept = true, how_.threads = threads; }

    // A request with an invalid chain is refused with the reason, and the server continues.
    std::string submit(int id, const std::string &chain, std::uint64_t seed, std::size_t wanted) {
        auto sampler = bregman::sampler::create(chain, seed);
        if (!sampler)
            return sampler.error().message;
        running_.push_back({id, std::move(*sampler), {}, wanted, {}});
        return {};
    }

    // Decodes one token for every running sequence.
    void step() {
        logits_.resize(running_.size() * vocab);
        batch_.clear();
        for (std::size_t r = 0; r < running_.size(); r++) {
            forward(running_[r], &logits_[r * vocab]);
            batch_.add(running_[r].sampler);
        }
        // Each result has the status of its row, so the batch's is not needed.
        (void)batch_.try_decode(bregman::rows::f32(logits_, vocab), how_);
        for (std::size_t r = 0; r < running_.size(); r++) {
            const bregman_result &result = batch_.results()[r];
            if (result.status == BREGMAN_OK)
                running_[r].tokens.push_back(result.token);
            else
                running_[r].error = running_[r].sampler.last_error();
        }
        retire();
    }

    bool is_idle() const { return running_.empty(); }
    const std::vector<sequence> &finished() const { return finished_; }

  private:
    // Removes the sequences that have ended; samplers may be moved.
    void retire() {
        for (std::size_t r = 0; r < running_.size();)
            if (running_[r].is_done()) {
                finished_.push_back(std::move(running_[r]));
                running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(r));
            } else {
                r++;
            }
    }

    std::vector<sequence> running_, finished_;
    std::vector<float> logits_;
    bregman::batch batch_; // reused from step to step
    bregman::options how_;
};

static const char *chain_of(int id) {
    static const char *const chains[] = {"temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw",
                                         "top_k(40) | top_p(0.95) | temperature(0.7) | draw", "greedy"};
    return chains[id % 3];
}

// The tokens of a request that is served alone.
static std::vector<std::int32_t> alone(int id, std::size_t wanted) {
    server s(1);
    s.submit(id, chain_of(id), static_cast<std::uint64_t>(id), wanted);
    while (!s.is_idle())
        s.step();
    return s.finished().at(0).tokens;
}

int main() {
    server s(2);
    const std::string refused = s.submit(0, "top_k(40) | drow", 0, 1);
    std::printf("refused: %s\n", refused.c_str());
    int next = 1;
    while (next <= 20 || !s.is_idle()) {
        for (int i = 0; i < 2 && next <= 20; i++, next++) // two new requests a step
            s.submit(next, chain_of(next), static_cast<std::uint64_t>(next), static_cast<std::size_t>(5 + next));
        s.step();
    }
    // The tokens of a request do not depend on the others in its batches.
    int same = 0, failed = 0;
    for (const sequence &f : s.finished()) {
        same += f.tokens == alone(f.id, f.wanted);
        failed += !f.error.empty();
        if (!f.error.empty())
            std::printf("request %d: %s\n", f.id, f.error.c_str());
    }
    std::printf("%zu requests, %d as if alone, %d failed\n", s.finished().size(), same, failed);
    return refused.empty() || same != 20 || failed != 1;
}
