// bregman for C++17 and later: header-only, over the C ABI of bregman.h. SPDX-License-Identifier: MIT OR Apache-2.0
//
//     bregman::sampler sampler("temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", 42);
//     bregman_result r = sampler.decode(logits);              // throws bregman::error
//     if (auto r = sampler.try_decode(logits)) use(r->token); // or returns the error
//
// Link libbregman. Semantics, ranges, units and defaults of a call are in bregman.h, at the function of the same name.
// This header adds ownership, bounds checks and error handling:
//
// Errors. Every call that can fail has two forms. `try_x` returns a `result`, which is a value or a `failure` (status
// and
//   message), and throws only std::bad_alloc. `x` returns the value and throws `error`, a std::runtime_error with a
//   status. A call that fails changes nothing. Compiled without exceptions, `x` writes the message to stderr and aborts.
// Ownership. A `sampler` owns its handle. It can be moved but not copied; `clone` makes a copy. A moved-from or
//   default-constructed sampler is empty, and calls on it fail with status::invalid_argument.
// Views. `view<T>` is a pointer and a length, from any contiguous container: std::vector, std::array, array, std::span.
//   It owns nothing; what it points to must be valid during the call.
// Threads. One thread at a time may use a sampler. Different samplers are independent, clones too.
// Macros. This header defines only its include guard; bregman.h defines constants named BREGMAN_*.
#ifndef BREGMAN_HPP
#define BREGMAN_HPP

#include "bregman.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace bregman {

/// The status of a call: BREGMAN_OK and so on in bregman.h.
enum class status : std::uint32_t {
    ok = BREGMAN_OK,
    invalid_argument = BREGMAN_INVALID_ARGUMENT,
    invalid_chain = BREGMAN_INVALID_CHAIN,
    invalid_logits = BREGMAN_INVALID_LOGITS,
    empty_support = BREGMAN_EMPTY_SUPPORT,
    no_convergence = BREGMAN_NO_CONVERGENCE,
    buffer_too_small = BREGMAN_BUFFER_TOO_SMALL,
    unsupported = BREGMAN_UNSUPPORTED,
    internal = BREGMAN_INTERNAL,
    incomplete = BREGMAN_INCOMPLETE,
    out_of_memory = BREGMAN_OUT_OF_MEMORY,
};

/// A status in words, such as "invalid argument". Static.
inline const char *text(status code) noexcept { return bregman_status_text(static_cast<std::uint32_t>(code)); }

/// Why a call failed.
struct failure {
    status code = status::internal; ///< never status::ok
    std::string message;            ///< names the argument and the reason, in English
};

/// Thrown by the calls that throw; what() is the message.
class error : public std::runtime_error {
  public:
    explicit error(const failure &why) : std::runtime_error(why.message), code_(why.code) {}
    status code() const noexcept { return code_; }

  private:
    status code_;
};

namespace detail {
[[noreturn]] inline void raise(const failure &why) {
#if defined(__cpp_exceptions)
    throw error(why);
#else
    std::fprintf(stderr, "bregman: %s\n", why.message.c_str());
    std::abort();
#endif
}
} // namespace detail

/// A value or a failure, like std::expected<T, failure>.
template <class T> class [[nodiscard]] result {
  public:
    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(failure why) : state_(std::in_place_index<1>, std::move(why)) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value; throws `error` on a failure.
    T &value() & { return check(), *std::get_if<0>(&state_); }
    const T &value() const & { return check(), *std::get_if<0>(&state_); }
    T &&value() && { return check(), std::move(*std::get_if<0>(&state_)); }
    template <class U> T value_or(U &&other) const & { return has_value() ? **this : static_cast<T>(std::forward<U>(other)); }

    /// The value, unchecked: undefined on a failure.
    T &operator*() noexcept { return *std::get_if<0>(&state_); }
    const T &operator*() const noexcept { return *std::get_if<0>(&state_); }
    T *operator->() noexcept { return std::get_if<0>(&state_); }
    const T *operator->() const noexcept { return std::get_if<0>(&state_); }

    /// The failure, unchecked: undefined if there is a value.
    const failure &error() const noexcept { return *std::get_if<1>(&state_); }

  private:
    void check() const {
        if (!has_value())
            detail::raise(error());
    }
    std::variant<T, failure> state_;
};

/// Success or a failure, like std::expected<void, failure>.
template <> class [[nodiscard]] result<void> {
  public:
    result() = default;
    result(failure why) : state_(std::move(why)) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /// Throws `error` on a failure.
    void value() const {
        if (!has_value())
            detail::raise(error());
    }
    const failure &error() const noexcept { return *std::get_if<1>(&state_); }

  private:
    std::variant<std::monostate, failure> state_;
};

/// A pointer and a number of elements. Owns nothing.
template <class T> class view {
    template <class C> using element = std::remove_pointer_t<decltype(std::data(std::declval<C &>()))>;

  public:
    constexpr view() noexcept = default;
    constexpr view(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// From a std::vector, std::array, array, std::string or std::span with elements of type T, or T without const.
    template <class C, class = std::enable_if_t<std::is_convertible_v<element<C> (*)[], T (*)[]>>>
    constexpr view(C &&c) noexcept : data_(std::data(c)), size_(std::size(c)) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr T &operator[](std::size_t i) const noexcept { return data_[i]; } ///< unchecked

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/// Rows of logits in one contiguous storage, with an optional mask: the input of `batch`. Owns nothing.
class rows {
  public:
    /// Row r begins at storage[r * stride]. A stride of 0 stands for `vocab`: consecutive rows.
    static rows f32(view<const float> storage, std::size_t vocab, std::size_t stride = 0) noexcept {
        return {storage.data(), storage.size(), BREGMAN_F32, vocab, stride};
    }
    /// IEEE 754 half precision, as bits.
    static rows f16(view<const std::uint16_t> storage, std::size_t vocab, std::size_t stride = 0) noexcept {
        return {storage.data(), storage.size(), BREGMAN_F16, vocab, stride};
    }
    /// bfloat16, as bits.
    static rows bf16(view<const std::uint16_t> storage, std::size_t vocab, std::size_t stride = 0) noexcept {
        return {storage.data(), storage.size(), BREGMAN_BF16, vocab, stride};
    }
    /// The mask of row r begins at words[r * stride]: token t is allowed if bit t % 32 of word t / 32 is set (the
    /// layout of llguidance and xgrammar). A stride of 0 stands for the number of words that the vocabulary needs.
    rows &mask(view<const std::uint32_t> words, std::size_t stride = 0) noexcept {
        mask_ = words;
        mask_stride_ = stride != 0 ? stride : vocab_ / 32 + (vocab_ % 32 != 0);
        return *this;
    }

    /// Makes the rows sparse: ids[i] is the token of element i of the storage (-1: none), each token once in a row. Decoding
    /// gives what the whole rows would give, or status::incomplete: see bregman_batch::ids in bregman.h. `lengths`, `log_rest`
    /// and `bound` may be empty, or have an element for each row; without `log_rest` there are no other tokens.
    rows &sparse(view<const std::int32_t> ids, view<const std::uint32_t> lengths = {}, view<const double> log_rest = {},
                 view<const float> bound = {}, float rest_temperature = 1.0f) noexcept {
        ids_ = ids;
        lengths_ = lengths;
        log_rest_ = log_rest;
        bound_ = bound;
        rest_temperature_ = rest_temperature;
        return *this;
    }
    /// Sampler i reads row indices[i], with its mask: several samplers may read one row, and rows may be left out. There
    /// are as many indices as samplers.
    rows &row_index(view<const std::size_t> indices) noexcept {
        row_index_ = indices;
        return *this;
    }

    /// Checks that the storage and the mask hold what `n` samplers read: "", or what is wrong.
    std::string check(std::size_t n) const {
        if (row_index_.data() != nullptr) {
            if (row_index_.size() != n)
                return "there are " + std::to_string(row_index_.size()) + " row indices for " + std::to_string(n) + " samplers";
            const std::size_t *last = std::max_element(row_index_.begin(), row_index_.end());
            n = n == 0 || *last == std::numeric_limits<std::size_t>::max() ? n : *last + 1;
        }
        // Row n - 1 begins at (n - 1) * stride and has `vocab` elements; written so that nothing overflows.
        const auto holds = [n](std::size_t size, std::size_t stride, std::size_t last) {
            return n == 0 || (size >= last && (stride == 0 || n - 1 <= (size - last) / stride));
        };
        if (!holds(size_, stride_, vocab_))
            return "there are " + std::to_string(size_) + " logits, too few for " + std::to_string(n) + " rows";
        if (ids_.data() != nullptr && !holds(ids_.size(), stride_, vocab_))
            return "there are " + std::to_string(ids_.size()) + " ids, too few for " + std::to_string(n) + " rows";
        for (const std::size_t size : {lengths_.size(), log_rest_.size(), bound_.size()})
            if (size != 0 && size < n)
                return "lengths, log_rest or bound has " + std::to_string(size) + " elements for " + std::to_string(n) + " rows";
        if (mask_.data() != nullptr && !holds(mask_.size(), mask_stride_, mask_stride_))
            return "the mask has " + std::to_string(mask_.size()) + " words, too few for " + std::to_string(n) + " rows";
        return {};
    }
    /// The bregman_batch of `n` rows.
    bregman_batch raw(std::size_t n, std::uint32_t flags, std::uint32_t threads) const noexcept {
        bregman_batch b{};
        b.struct_size = sizeof b;
        b.dtype = dtype_;
        b.logits = data_;
        b.rows = n;
        b.vocab = vocab_;
        b.row_stride = stride_;
        b.mask = mask_.data();
        b.mask_stride = mask_stride_;
        b.flags = flags;
        b.threads = threads;
        b.ids = ids_.data();
        b.lengths = lengths_.data();
        b.log_rest = log_rest_.data();
        b.bound = bound_.data();
        b.rest_temperature = rest_temperature_;
        b.row_index = row_index_.data();
        return b;
    }

  private:
    rows(const void *data, std::size_t size, std::uint32_t dtype, std::size_t vocab, std::size_t stride) noexcept
        : data_(data), size_(size), dtype_(dtype), vocab_(vocab), stride_(stride != 0 ? stride : vocab) {}

    const void *data_;
    std::size_t size_;
    std::uint32_t dtype_;
    std::size_t vocab_, stride_;
    view<const std::uint32_t> mask_;
    std::size_t mask_stride_ = 0;
    view<const std::size_t> row_index_;
    view<const std::int32_t> ids_;
    view<const std::uint32_t> lengths_;
    view<const double> log_rest_;
    view<const float> bound_;
    float rest_temperature_ = 0;
};

/// Options of a batch.
struct options {
    bool kept_mass = false;     ///< fill bregman_result::kept_mass
    bool model_logprob = false; ///< fill bregman_result::model_logprob
    bool entropy = false;       ///< fill bregman_result::entropy
    bool accept = false;        ///< append each drawn token to the history of its sampler
    std::uint32_t threads = 1;  ///< largest number of threads, with the caller's; 0 or 1: the caller's alone
    bool ln_kept_mass = false;  ///< fill bregman_result::ln_kept_mass
    bool stay = false;          ///< leave positions and what was learnt as they are (BREGMAN_STAY); not with accept

    std::uint32_t flags() const noexcept {
        return (kept_mass ? BREGMAN_WANT_KEPT_MASS : 0u) | (ln_kept_mass ? BREGMAN_WANT_LN_KEPT : 0u) |
               (model_logprob ? BREGMAN_WANT_MODEL_LOGPROB : 0u) |
               (entropy ? BREGMAN_WANT_ENTROPY : 0u) | (accept ? BREGMAN_ACCEPT : 0u) | (stay ? BREGMAN_STAY : 0u);
    }
};

/// A decoded distribution in descending order of probability (ties: ascending id). The probabilities sum to 1 up to the
/// rounding of f32.
struct distribution {
    std::vector<std::int32_t> ids;
    std::vector<float> probs; ///< as long as ids
};

/// Source of log-probabilities and ranks.
enum class source : std::uint32_t {
    model = BREGMAN_OF_MODEL,     ///< the untouched logits (no mask, no bias, no stage, temperature 1)
    decoded = BREGMAN_OF_DECODED, ///< the decoded distribution
};

/// Tokens and their log-probabilities, the most likely first (ties: ascending id).
struct ranking {
    std::vector<std::int32_t> ids;
    std::vector<float> logprobs; ///< as long as ids; ln p
};

/// Where a sampler is.
struct place {
    std::uint64_t seed = 0, position = 0; ///< of the next row's random numbers
    std::size_t history = 0;              ///< number of tokens of the history
    std::size_t prompt = 0;               ///< how many of them are the prompt: all of them before the first row
};

/// Different tokens drawn from one row, in the order of the draw.
struct draws {
    std::vector<std::int32_t> ids;
    std::vector<float> logprobs; ///< ln p under the decoded distribution
    std::vector<float> scores;   ///< logprobs plus the Gumbel noise of each token, in descending order
};

/// A chain and the state of one sequence: seed and position of its random numbers, history, logit bias, mask, and what
/// stages that learn have learnt.
class sampler {
  public:
    /// An empty sampler.
    sampler() noexcept = default;
    /// From a chain such as "top_k(40) | draw" (at most 65 536 bytes and 64 stages). The callbacks and `user` pointers
    /// of generators must outlive the sampler and its clones.
    sampler(const std::string &chain, std::uint64_t seed, view<const bregman_generator> generators = {})
        : sampler(create(chain, seed, generators).value()) {}
    /// The same without exceptions.
    static result<sampler> create(const std::string &chain, std::uint64_t seed,
                                  view<const bregman_generator> generators = {}) {
        if (chain.find('\0') != std::string::npos)
            return failure{status::invalid_chain, "the chain contains a NUL"};
        char why[512] = "";
        bregman_sampler *handle = nullptr;
        const auto code = static_cast<status>(bregman_sampler_new_with_generators(
            chain.c_str(), seed, generators.data(), generators.size(), &handle, why, sizeof why));
        if (code != status::ok)
            return failure{code, why};
        return sampler(handle);
    }
    /// Takes ownership of a handle of the C ABI; NULL gives an empty sampler.
    static sampler adopt(bregman_sampler *handle) noexcept { return sampler(handle); }

    sampler(sampler &&other) noexcept : handle_(other.release()) {}
    sampler &operator=(sampler &&other) noexcept {
        if (this != &other) {
            bregman_sampler_free(handle_);
            handle_ = other.release();
        }
        return *this;
    }
    sampler(const sampler &) = delete;
    sampler &operator=(const sampler &) = delete;
    ~sampler() { bregman_sampler_free(handle_); }

    /// The handle, for calls of the C ABI; the sampler still owns it. NULL if empty.
    bregman_sampler *get() const noexcept { return handle_; }
    /// Releases the handle: the caller frees it with bregman_sampler_free.
    [[nodiscard]] bregman_sampler *release() noexcept { return std::exchange(handle_, nullptr); }
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    /// An independent sampler in the same state.
    sampler clone() const { return try_clone().value(); }
    result<sampler> try_clone() const {
        bregman_sampler *copy = nullptr;
        const std::uint32_t code = bregman_sampler_clone(handle_, &copy);
        return code == BREGMAN_OK ? result<sampler>(sampler(copy)) : result<sampler>(why(code));
    }

    /// The sampler as bytes, of which `load` makes one that goes on as this one would: in another process, language or
    /// machine. The same state gives the same bytes. They have everything but the callbacks of generators; keys of
    /// watermarks are in them. docs/state.md describes them.
    std::vector<std::byte> save() const { return try_save().value(); }
    result<std::vector<std::byte>> try_save() const {
        return sized<std::byte>([this](std::byte *bytes, std::size_t capacity, std::size_t *n) {
            return bregman_sampler_save(handle_, bytes, capacity, n);
        });
    }
    /// A sampler from the bytes of `save`, of this or an earlier version. `generators` are at least those that the chain
    /// names, as for the constructor. Bytes from anywhere are checked: those that are no state fail with
    /// status::invalid_argument. Thread-safe.
    static sampler load(view<const std::byte> state, view<const bregman_generator> generators = {}) {
        return try_load(state, generators).value();
    }
    static result<sampler> try_load(view<const std::byte> state, view<const bregman_generator> generators = {}) {
        char why[512] = "";
        bregman_sampler *handle = nullptr;
        const auto code = static_cast<status>(bregman_sampler_load(state.data(), state.size(), generators.data(),
                                                                   generators.size(), &handle, why, sizeof why));
        if (code != status::ok)
            return failure{code, why};
        return sampler(handle);
    }

    /// Takes the last `n` tokens of the history back: history, random position and what the chain has learnt are as they
    /// were before those were decoded, so that the same logits give the same tokens. Fails if the history is shorter.
    void rewind(std::size_t n) { try_rewind(n).value(); }
    result<void> try_rewind(std::size_t n) { return answer(bregman_sampler_rewind(handle_, n)); }

    /// The seed and position of the next row's random numbers, and the lengths of the history and the prompt.
    place where() const { return try_where().value(); }
    result<place> try_where() const {
        place at;
        const std::uint32_t code = bregman_sampler_where(handle_, &at.seed, &at.position, &at.history, &at.prompt);
        return answer(code, at);
    }
    /// A copy of the history, prompt first.
    std::vector<std::int32_t> history() const { return try_history().value(); }
    result<std::vector<std::int32_t>> try_history() const {
        return sized<std::int32_t>([this](std::int32_t *tokens, std::size_t capacity, std::size_t *n) {
            return bregman_sampler_history(handle_, tokens, capacity, n);
        });
    }

    /// Decodes a row into a token, and advances the random position by one.
    bregman_result decode(view<const float> logits) { return try_decode(logits).value(); }
    result<bregman_result> try_decode(view<const float> logits) {
        bregman_result r{};
        const std::uint32_t code = bregman_decode(handle_, logits.data(), logits.size(), &r);
        return answer(code, r);
    }

    /// The decoded distribution. Draws nothing and advances nothing.
    bregman::distribution distribution(view<const float> logits) {
        bregman::distribution d;
        return distribution(logits, d), d;
    }
    /// The same into vectors that are reused.
    void distribution(view<const float> logits, bregman::distribution &into) { try_distribution(logits, into).value(); }
    result<void> try_distribution(view<const float> logits, bregman::distribution &into) {
        std::size_t n = into.ids.capacity() != 0 ? into.ids.capacity() : 64;
        for (;;) {
            into.ids.resize(n);
            into.probs.resize(n);
            const std::uint32_t code = bregman_distribution(handle_, logits.data(), logits.size(), into.ids.data(),
                                                            into.probs.data(), into.ids.size(), &n);
            if (code == BREGMAN_BUFFER_TOO_SMALL)
                continue; // n is now the required capacity
            into.ids.resize(code == BREGMAN_OK ? n : 0);
            into.probs.resize(into.ids.size());
            return answer(code);
        }
    }

    /// The `n` most likely tokens, or all with positive probability if they are fewer. Draws nothing and advances
    /// nothing.
    ranking top_logprobs(view<const float> logits, source of, std::size_t n) {
        ranking top;
        return try_top_logprobs(logits, of, n, top).value(), top;
    }
    result<void> try_top_logprobs(view<const float> logits, source of, std::size_t n, ranking &into) {
        n = std::min(n, logits.size()); // bounds the allocation: a row has no more tokens
        into.ids.resize(n);
        into.logprobs.resize(n);
        const std::uint32_t code = bregman_top_logprobs(handle_, logits.data(), logits.size(),
                                                        static_cast<std::uint32_t>(of), n, into.ids.data(),
                                                        into.logprobs.data(), &n);
        into.ids.resize(code == BREGMAN_OK ? n : 0);
        into.logprobs.resize(into.ids.size());
        return answer(code);
    }

    /// Draws `n` different tokens without replacement, or the whole support if it is smaller. Advances the position by
    /// one.
    draws draw_many(view<const float> logits, std::size_t n) {
        draws drawn;
        return try_draw_many(logits, n, drawn).value(), drawn;
    }
    result<void> try_draw_many(view<const float> logits, std::size_t n, draws &into) {
        n = std::min(n, std::max<std::size_t>(logits.size(), 1));
        into.ids.resize(n);
        into.logprobs.resize(n);
        into.scores.resize(n);
        const std::uint32_t code = bregman_draw_many(handle_, logits.data(), logits.size(), n, into.ids.data(),
                                                     into.logprobs.data(), into.scores.data(), &n);
        n = code == BREGMAN_OK ? n : 0;
        into.ids.resize(n);
        into.logprobs.resize(n);
        into.scores.resize(n);
        return answer(code);
    }

    /// Replaces the logits by ln p of the decoded distribution, -infinity off its support. Draws nothing and advances
    /// nothing.
    void process(view<float> logits) { try_process(logits).value(); }
    result<void> try_process(view<float> logits) {
        return answer(bregman_process(handle_, logits.data(), logits.size()));
    }

    /// Applies the chain to an engine's candidates in place, as a stage of the engine's own chain.
    void apply(bregman_candidates &candidates) { try_apply(candidates).value(); }
    result<void> try_apply(bregman_candidates &candidates) { return answer(bregman_apply(handle_, &candidates)); }

    /// Appends tokens to the history.
    void accept(view<const std::int32_t> tokens) { try_accept(tokens).value(); }
    void accept(std::initializer_list<std::int32_t> tokens) { accept(view<const std::int32_t>(tokens)); }
    void accept(std::int32_t token) { accept(view<const std::int32_t>(&token, 1)); }
    result<void> try_accept(view<const std::int32_t> tokens) {
        return answer(bregman_sampler_accept(handle_, tokens.data(), tokens.size()));
    }

    /// Sets the length of the prompt: the first `n` tokens of the history. For sequences that are resumed without a saved
    /// state.
    void set_prompt_length(std::size_t n) { try_set_prompt_length(n).value(); }
    result<void> try_set_prompt_length(std::size_t n) { return answer(bregman_sampler_set_prompt_length(handle_, n)); }

    /// Allows only the tokens whose bit is set from now on: token t is bit t % 32 of word t / 32 (the layout of
    /// llguidance and xgrammar), and tokens beyond the last word are banned. An empty view fails.
    void set_mask(view<const std::uint32_t> words) { try_set_mask(words).value(); }
    result<void> try_set_mask(view<const std::uint32_t> words) {
        if (words.empty())
            return failure{status::invalid_argument, "the mask has no words: clear_mask removes a mask"};
        return answer(bregman_sampler_set_mask(handle_, words.data(), words.size()));
    }
    /// Removes the mask.
    void clear_mask() { try_clear_mask().value(); }
    result<void> try_clear_mask() { return answer(bregman_sampler_set_mask(handle_, nullptr, 0)); }

    /// Starts another sequence: the seed of creation, position 0, no history, nothing learnt. The logit bias and the mask
    /// stay.
    void reset() { try_reset().value(); }
    result<void> try_reset() { return answer(bregman_sampler_reset(handle_)); }

    /// Continues with the random numbers of `seed` at `position`, the number of rows decoded so far. To resume a sequence,
    /// use `save` and `load`: this does not restore the history, nor what stages that learn have learnt.
    void reseed(std::uint64_t seed, std::uint64_t position) { try_reseed(seed, position).value(); }
    result<void> try_reseed(std::uint64_t seed, std::uint64_t position) {
        return answer(bregman_sampler_reseed(handle_, seed, position));
    }

    /// Replaces the logit bias: bias[i] is added to the logit of token ids[i], and -infinity bans the token. Empty
    /// views remove the bias.
    void set_logit_bias(view<const std::int32_t> ids, view<const float> bias) { try_set_logit_bias(ids, bias).value(); }
    result<void> try_set_logit_bias(view<const std::int32_t> ids, view<const float> bias) {
        if (ids.size() != bias.size())
            return failure{status::invalid_argument, std::to_string(ids.size()) + " ids, but " +
                                                         std::to_string(bias.size()) + " biases"};
        return answer(bregman_sampler_set_logit_bias(handle_, ids.data(), bias.data(), ids.size()));
    }

    /// The chain in its canonical form, which the constructor accepts; "" if the sampler is empty.
    std::string describe() const {
        std::string chain(bregman_sampler_describe(handle_, nullptr, 0) + 1, '\0');
        chain.resize(bregman_sampler_describe(handle_, &chain[0], chain.size()));
        return chain;
    }
    /// The message of the last call on this sampler that failed, valid until the next call; "" if none has.
    const char *last_error() const noexcept { return bregman_sampler_error(handle_); }

  private:
    explicit sampler(bregman_sampler *handle) noexcept : handle_(handle) {}

    failure why(std::uint32_t code) const { return {static_cast<status>(code), last_error()}; }
    result<void> answer(std::uint32_t code) const {
        return code == BREGMAN_OK ? result<void>() : result<void>(why(code));
    }
    /// A vector that `fill` fills, once it has said how long that must be.
    template <class T, class F> result<std::vector<T>> sized(F fill) const {
        std::vector<T> all;
        std::size_t n = 0;
        std::uint32_t code = fill(nullptr, 0, &n);
        if (code == BREGMAN_BUFFER_TOO_SMALL) {
            all.resize(n);
            code = fill(all.data(), n, &n);
        }
        return answer(code, std::move(all));
    }
    template <class T> result<T> answer(std::uint32_t code, T value) const {
        return code == BREGMAN_OK ? result<T>(std::move(value)) : result<T>(why(code));
    }

    bregman_sampler *handle_ = nullptr;
};

/// Outputs of a batch in addition to the tokens, by row. Filled in by `decode_batch`, `batch::decode` and `model_answers`;
/// reuse it from step to step. A row that failed has NaN, rank 0 and no tokens.
class answers {
  public:
    // What to compute.
    source of = source::model;       ///< source of log-probabilities, ranks and most likely tokens
    bool logprob = false;            ///< the log-probability of the token
    bool rank = false;               ///< the rank of the token
    std::size_t top = 0;             ///< number of most likely tokens
    std::size_t kept = 0;            ///< largest number of tokens with positive probability
    std::size_t kept_mask_words = 0; ///< words per row of the mask of these
    bool kept_as_list = false;       ///< whether the kept tokens of all rows are one list, with offsets
    std::size_t given = 0;           ///< number of tokens per row that `given_ids` asks about
    view<const std::int32_t> given_ids; ///< those of row r begin at r * given; -1 asks for none. Must outlive the batch
    bool given_ranks = false;           ///< the ranks of these tokens, too
    bool other_logprob = false;         ///< the log-probability of the token under the other source
    bool other_top = false;             ///< those of the most likely tokens under the other source

    /// ln p of the token of row r. Unchecked: r must be a row of the last batch, and `logprob` have been set.
    float logprob_of(std::size_t r) const noexcept { return logprobs_[r]; }
    /// The number of tokens at least as likely as that of row r, itself included; 1 for the most likely. Unchecked:
    /// `rank` must have been set.
    std::uint32_t rank_of(std::size_t r) const noexcept { return ranks_[r]; }
    /// The most likely tokens of row r in descending order (ties: ascending id).
    view<const std::int32_t> top_ids(std::size_t r) const noexcept { return tokens(top_ids_, r, top_size_); }
    /// ln p of these tokens; as long as top_ids(r).
    view<const float> top_logprobs(std::size_t r) const noexcept {
        return {top_size_ == 0 ? nullptr : &top_logprobs_[r * top_size_], top_ids(r).size()};
    }
    /// The tokens of row r with positive probability, the most likely first; bregman_result::support is how many there
    /// are.
    view<const std::int32_t> kept_ids(std::size_t r) const noexcept {
        if (kept_offsets_.empty() || kept_ids_.empty())
            return tokens(kept_ids_, r, kept_size_);
        return {kept_ids_.data() + kept_offsets_[r], kept_offsets_[r + 1] - kept_offsets_[r]};
    }
    /// Those of all rows without gaps, and where each row's begin in it, one element more than there are rows. Empty unless
    /// `kept_as_list` was set.
    view<const std::int32_t> kept_list() const noexcept {
        return {kept_ids_.data(), kept_offsets_.empty() ? 0 : kept_offsets_.back()};
    }
    view<const std::size_t> kept_offsets() const noexcept { return kept_offsets_; }
    /// Their mask: token t is bit t % 32 of word t / 32.
    view<const std::uint32_t> kept_mask(std::size_t r) const noexcept {
        return {mask_size_ == 0 ? nullptr : &kept_mask_[r * mask_size_], mask_size_};
    }

    /// ln p of the tokens that were asked about for row r: -infinity for one that cannot be sampled, NaN for -1.
    view<const float> given_logprobs_of(std::size_t r) const noexcept {
        return {given_size_ == 0 ? nullptr : &given_logprobs_[r * given_size_], given_size_};
    }
    /// Their ranks; 0 where there is no probability. Unchecked: `given_ranks` must have been set.
    view<const std::uint32_t> given_ranks_of(std::size_t r) const noexcept {
        return {given_size_ == 0 ? nullptr : &given_ranks_[r * given_size_], given_size_};
    }
    /// ln p of the token of row r under the other source. Unchecked: `other_logprob` must have been set.
    float other_logprob_of(std::size_t r) const noexcept { return other_logprobs_[r]; }
    /// ln p under the other source of top_ids(r). Unchecked: `other_top` must have been set.
    view<const float> other_top_logprobs(std::size_t r) const noexcept {
        return {top_size_ == 0 ? nullptr : &other_top_logprobs_[r * top_size_], top_ids(r).size()};
    }

    /// Checks that there are as many given ids as `n` rows need: "", or what is wrong.
    std::string check(std::size_t n) const {
        if (given == 0 || given_ids.size() / given >= n)
            return {};
        return std::to_string(given_ids.size()) + " given ids, too few for " + std::to_string(n) + " rows";
    }
    /// Allocates room for `n` rows and returns its bregman_answers, valid until the next call.
    bregman_answers raw(std::size_t n) {
        top_size_ = top, kept_size_ = kept, mask_size_ = kept_mask_words, given_size_ = given;
        given_logprobs_.assign(n * given, std::numeric_limits<float>::quiet_NaN());
        given_ranks_.assign(given_ranks ? n * given : 0, 0);
        other_logprobs_.assign(other_logprob ? n : 0, std::numeric_limits<float>::quiet_NaN());
        other_top_logprobs_.assign(other_top ? n * top : 0, std::numeric_limits<float>::quiet_NaN());
        logprobs_.assign(logprob ? n : 0, std::numeric_limits<float>::quiet_NaN());
        ranks_.assign(rank ? n : 0, 0);
        top_ids_.assign(n * top, -1);
        top_logprobs_.assign(n * top, std::numeric_limits<float>::quiet_NaN());
        kept_ids_.assign(n * kept, -1);
        kept_offsets_.assign(kept_as_list ? n + 1 : 0, 0);
        kept_mask_.assign(n * kept_mask_words, 0);
        bregman_answers a{};
        a.struct_size = sizeof a;
        a.source = static_cast<std::uint32_t>(of);
        a.logprobs = some(logprobs_);
        a.ranks = some(ranks_);
        a.top = a.top_stride = top;
        a.top_ids = some(top_ids_);
        a.top_logprobs = some(top_logprobs_);
        a.kept = a.kept_stride = kept;
        a.kept_ids = some(kept_ids_);
        a.kept_offsets = a.kept_ids != nullptr ? some(kept_offsets_) : nullptr;
        a.kept_mask = some(kept_mask_);
        a.kept_mask_stride = kept_mask_words;
        a.given = a.given_stride = given;
        a.given_ids = given_ids.data();
        a.given_logprobs = some(given_logprobs_);
        a.given_ranks = some(given_ranks_);
        a.other_logprobs = some(other_logprobs_);
        a.other_top_logprobs = some(other_top_logprobs_);
        return a;
    }

  private:
    template <class T> static T *some(std::vector<T> &all) noexcept { return all.empty() ? nullptr : all.data(); }
    static view<const std::int32_t> tokens(const std::vector<std::int32_t> &all, std::size_t r, std::size_t n) noexcept {
        if (n == 0)
            return {};
        const std::int32_t *first = &all[r * n];
        return {first, static_cast<std::size_t>(std::find(first, first + n, -1) - first)};
    }

    std::vector<float> logprobs_, top_logprobs_, given_logprobs_, other_logprobs_, other_top_logprobs_;
    std::vector<std::uint32_t> ranks_, kept_mask_, given_ranks_;
    std::vector<std::int32_t> top_ids_, kept_ids_;
    std::vector<std::size_t> kept_offsets_;
    std::size_t top_size_ = 0, kept_size_ = 0, mask_size_ = 0, given_size_ = 0; // as of the last batch
};

/// Decodes row r with samplers[r] into results[r]; the samplers must be different. Allocates only on failure, and for
/// `more`.
///
/// The failure of one row does not affect the others: on failure, results[r] still has the token or the status of row
/// r, and the failure is that of the first row that failed. Nothing is written if there are too few results, logits or
/// mask words. `more`: NULL, or the answers to fill in; they do not change the tokens.
inline result<void> try_decode_batch(view<bregman_sampler *const> samplers, const rows &rows, view<bregman_result> results,
                                     const options &how = {}, answers *more = nullptr) {
    std::string problem = rows.check(samplers.size());
    if (problem.empty() && more != nullptr)
        problem = more->check(samplers.size());
    if (results.size() < samplers.size())
        problem = std::to_string(results.size()) + " results, too few for " + std::to_string(samplers.size()) + " rows";
    if (!problem.empty())
        return failure{status::invalid_argument, std::move(problem)};
    const bregman_answers outputs = more != nullptr ? more->raw(samplers.size()) : bregman_answers{};
    if (samplers.empty())
        return {};
    const bregman_batch raw = rows.raw(samplers.size(), how.flags(), how.threads);
    const std::uint32_t code = more != nullptr
                                   ? bregman_decode_batch_answers(samplers.data(), &raw, results.data(), &outputs)
                                   : bregman_decode_batch(samplers.data(), &raw, results.data());
    if (code == BREGMAN_OK)
        return {};
    for (std::size_t r = 0; r < samplers.size(); r++)
        if (results[r].status == code)
            return failure{static_cast<status>(code), "row " + std::to_string(r) + ": " + bregman_sampler_error(samplers[r])};
    return failure{static_cast<status>(code), text(static_cast<status>(code))};
}
/// The same; throws `error` on a failure.
inline void decode_batch(view<bregman_sampler *const> samplers, const rows &rows, view<bregman_result> results,
                         const options &how = {}, answers *more = nullptr) {
    try_decode_batch(samplers, rows, results, how, more).value();
}

/// The most likely tokens (`more.top`) and the answers about `more.given_ids` for `n` rows under the model, without
/// samplers: for prompts and for scoring. `more.of` is source::model; what is about a decoded token is not asked for, and the
/// rows have no mask. A row that fails has NaN, rank 0 and no tokens, and the status is that of the first one.
inline result<void> try_model_answers(const rows &rows, std::size_t n, answers &more, std::uint32_t threads = 1) {
    std::string problem = rows.check(n);
    if (problem.empty())
        problem = more.check(n);
    if (!problem.empty())
        return failure{status::invalid_argument, std::move(problem)};
    const bregman_answers outputs = more.raw(n);
    const bregman_batch raw = rows.raw(n, 0, threads);
    const std::uint32_t code = bregman_model_answers(&raw, &outputs);
    return code == BREGMAN_OK ? result<void>() : failure{static_cast<status>(code), text(static_cast<status>(code))};
}
/// The same; throws `error` on a failure.
inline void model_answers(const rows &rows, std::size_t n, answers &more, std::uint32_t threads = 1) {
    try_model_answers(rows, n, more, threads).value();
}

/// The decoded distributions of the rows of a batch, one after the other.
struct distributions {
    std::vector<std::size_t> offsets; ///< row r has elements offsets[r] to offsets[r + 1] - 1 of the others
    std::vector<std::int32_t> ids;    ///< in descending order of probability within a row (ties: ascending id)
    std::vector<float> probs;
};

/// The decoded distribution of row r under samplers[r], into vectors that are reused. Draws nothing and advances nothing. A
/// row that fails has no entries, and the failure is that of the first one.
inline result<void> try_distribution_batch(view<bregman_sampler *const> samplers, const rows &rows, distributions &into,
                                           std::uint32_t threads = 1) {
    std::string problem = rows.check(samplers.size());
    if (!problem.empty())
        return failure{status::invalid_argument, std::move(problem)};
    const bregman_batch raw = rows.raw(samplers.size(), 0, threads);
    std::size_t room = into.ids.capacity() != 0 ? into.ids.capacity() : 64 * samplers.size();
    for (;;) {
        into.offsets.assign(samplers.size() + 1, 0);
        into.ids.resize(room);
        into.probs.resize(room);
        const std::uint32_t code = bregman_distribution_batch(samplers.data(), &raw, into.offsets.data(), into.ids.data(),
                                                              into.probs.data(), room);
        if (into.offsets.back() > room) {
            room = into.offsets.back();
            continue;
        }
        into.ids.resize(into.offsets.back());
        into.probs.resize(into.offsets.back());
        return code == BREGMAN_OK ? result<void>() : failure{static_cast<status>(code), text(static_cast<status>(code))};
    }
}
/// The same; throws `error` on a failure.
inline void distribution_batch(view<bregman_sampler *const> samplers, const rows &rows, distributions &into,
                               std::uint32_t threads = 1) {
    try_distribution_batch(samplers, rows, into, threads).value();
}

/// What sparse rows are made of, for rows of `n` entries each.
struct reduced {
    std::vector<std::int32_t> ids;  ///< in descending order of logit within a row (ties: ascending id); -1 for none
    std::vector<float> logits;      ///< as long as ids
    std::vector<double> log_rest;   ///< of each row
    std::vector<float> bound;       ///< of each row
};

/// Reduces `count` rows, each a shard of a vocabulary whose first token is `first`, to their `n` largest logits and what is
/// to be known of the others at `temperature`: see bregman_reduce.
inline result<void> try_reduce(const rows &rows, std::size_t count, std::int32_t first, std::size_t n, reduced &into,
                               float temperature = 1.0f, std::uint32_t threads = 1) {
    std::string problem = rows.check(count);
    if (!problem.empty())
        return failure{status::invalid_argument, std::move(problem)};
    into.ids.resize(count * n);
    into.logits.resize(count * n);
    into.log_rest.resize(count);
    into.bound.resize(count);
    const bregman_batch raw = rows.raw(count, 0, threads);
    const std::uint32_t code = bregman_reduce(&raw, first, n, temperature, into.ids.data(), into.logits.data(),
                                              into.log_rest.data(), into.bound.data());
    return code == BREGMAN_OK ? result<void>() : failure{static_cast<status>(code), text(static_cast<status>(code))};
}
/// The same; throws `error` on a failure.
inline void reduce(const rows &rows, std::size_t count, std::int32_t first, std::size_t n, reduced &into,
                   float temperature = 1.0f, std::uint32_t threads = 1) {
    try_reduce(rows, count, first, n, into, temperature, threads).value();
}

/// The samplers and results of one decoding step. A server reuses it from step to step, so that nothing is allocated.
class batch {
  public:
    /// Removes all rows; keeps the memory.
    void clear() noexcept { handles_.clear(), results_.clear(); }
    /// Adds a row for this sampler, which must stay valid until the decode. Adding it twice makes the decode fail.
    void add(sampler &sampler) { handles_.push_back(sampler.get()); }
    std::size_t size() const noexcept { return handles_.size(); }

    /// As decode_batch.
    void decode(const rows &rows, const options &how = {}, answers *more = nullptr) { try_decode(rows, how, more).value(); }
    result<void> try_decode(const rows &rows, const options &how = {}, answers *more = nullptr) {
        // So that results() of a batch that was not decoded has no tokens.
        results_.assign(handles_.size(), bregman_result{-1, BREGMAN_INVALID_ARGUMENT, 0, 0, 0, 0, 0, 0});
        return try_decode_batch(handles_, rows, results_, how, more);
    }
    /// The results in the order of `add`, also after a failure. Valid until the next call on this batch.
    view<const bregman_result> results() const noexcept { return results_; }

  private:
    std::vector<bregman_sampler *> handles_;
    std::vector<bregman_result> results_;
};

/// How it is decided which tokens of a draft are accepted.
enum class rule : std::uint32_t {
    match = BREGMAN_RULE_MATCH, ///< those that the chain draws anyway: the text of plain decoding. Every chain, and trees
    token = BREGMAN_RULE_TOKEN, ///< each with probability min(1, p / q): the distribution of plain decoding
    block = BREGMAN_RULE_BLOCK, ///< the same for the draft as a whole, which accepts at least as many on average
};

/// Tokens that a draft model, or a table of n-grams, proposes for one sequence. Owns nothing.
struct draft {
    view<const std::int32_t> tokens; ///< none decodes the one row of the sequence
    bregman::rule rule = bregman::rule::match;
    /// Empty for a line. Else (rule::match only) for each token of a tree the place of the token that it follows, -1 for
    /// the accepted text; a token stands after the one that it follows.
    view<const std::int32_t> parents;
    /// NULL if the tokens were not drawn: each then had probability 1. Else the distributions that they were drawn from,
    /// after the draft's own chain, one for each token (`distribution_batch` makes them). Not read under rule::match.
    const distributions *laws = nullptr;

    /// Checks the lengths: "", or what is wrong.
    std::string check() const {
        const auto count = [this](std::size_t n, const char *what) {
            return std::to_string(n) + what + " for " + std::to_string(tokens.size()) + " tokens";
        };
        if (!parents.empty() && parents.size() != tokens.size())
            return count(parents.size(), " parents");
        if (laws == nullptr)
            return {};
        if (laws->offsets.size() != tokens.size() + 1)
            return count(laws->offsets.size(), " offsets of laws");
        if (laws->ids.size() != laws->probs.size() || laws->offsets.back() > laws->ids.size())
            return "the laws have " + std::to_string(laws->ids.size()) + " ids, " + std::to_string(laws->probs.size()) +
                   " probabilities and offsets up to " + std::to_string(laws->offsets.back());
        return {};
    }
    bregman_draft raw() const noexcept {
        bregman_draft d{};
        d.struct_size = sizeof d;
        d.rule = static_cast<std::uint32_t>(rule);
        d.tokens = tokens.data();
        d.n = tokens.size();
        d.parents = parents.empty() ? nullptr : parents.data();
        if (laws != nullptr) {
            d.q_offsets = laws->offsets.data();
            d.q_ids = laws->ids.data();
            d.q_probs = laws->probs.data();
        }
        return d;
    }
};

/// What `verify` found, in vectors that are reused. Sequence s has the elements first[s] to first[s + 1] - 1 of `results` and
/// `path`.
struct verified {
    std::vector<std::uint32_t> accepted; ///< number of accepted drafted tokens, one for each sequence
    /// Of each sequence the first accepted + 1 are its new tokens in order, the others have token -1 and status BREGMAN_OK.
    std::vector<bregman_result> results;
    /// Of each sequence the first accepted are the places of the accepted tokens in its draft, the others -1.
    std::vector<std::int32_t> path;
    std::vector<std::size_t> first; ///< one more than there are sequences
};

/// Finds how many tokens of drafts[s] are accepted, and draws the token that follows them, with samplers[s], for all
/// sequences in one call; see bregman_verify. Sequence s has drafts[s].tokens.size() + 1 consecutive rows of `rows`, and the
/// samplers are different. `how.stay` is refused, and so are sparse rows unless the rule is match.
///
/// Sequences are independent: one that fails changes nothing in its sampler and does not affect the others, its results have
/// its status, and the failure is that of the first one. If lengths do not fit, nothing is verified.
inline result<void> try_verify(view<bregman_sampler *const> samplers, view<const draft> drafts, const rows &rows,
                               verified &into, const options &how = {}) {
    into = verified{};
    std::string problem;
    if (samplers.size() != drafts.size())
        problem = std::to_string(samplers.size()) + " samplers for " + std::to_string(drafts.size()) + " drafts";
    std::vector<bregman_draft> raw_drafts;
    into.first.push_back(0);
    for (const draft &d : drafts) {
        if (problem.empty())
            problem = d.check();
        raw_drafts.push_back(d.raw());
        into.first.push_back(into.first.back() + d.tokens.size() + 1);
    }
    const std::size_t n = into.first.back();
    if (problem.empty())
        problem = rows.check(n);
    if (!problem.empty())
        return failure{status::invalid_argument, std::move(problem)};
    into.accepted.assign(drafts.size(), 0);
    into.results.assign(n, bregman_result{-1, BREGMAN_OK, 0, 0, 0, 0, 0, 0});
    into.path.assign(n, -1);
    if (samplers.empty())
        return {};
    const bregman_batch raw = rows.raw(n, how.flags(), how.threads);
    const std::uint32_t code = bregman_verify(samplers.data(), raw_drafts.data(), samplers.size(), &raw,
                                              into.accepted.data(), into.path.data(), into.results.data());
    if (code == BREGMAN_OK)
        return {};
    for (std::size_t s = 0; s < samplers.size(); s++)
        if (into.results[into.first[s]].status == code)
            return failure{static_cast<status>(code),
                           "sequence " + std::to_string(s) + ": " + bregman_sampler_error(samplers[s])};
    return failure{static_cast<status>(code), text(static_cast<status>(code))};
}
/// The same; throws `error` on a failure.
inline verified verify(view<bregman_sampler *const> samplers, view<const draft> drafts, const rows &rows,
                       const options &how = {}) {
    verified found;
    return try_verify(samplers, drafts, rows, found, how).value(), found;
}

/// The kind of value that a parameter takes.
enum class kind : std::uint32_t {
    number = BREGMAN_KIND_NUMBER,       ///< from min to max
    count = BREGMAN_KIND_COUNT,         ///< a whole number from min to max
    choice = BREGMAN_KIND_CHOICE,       ///< one of the words in choices
    name = BREGMAN_KIND_NAME,           ///< a name given by the host, such as that of a generator
    tokens = BREGMAN_KIND_TOKENS,       ///< token ids, such as "2 32000"
    sequences = BREGMAN_KIND_SEQUENCES, ///< token sequences, such as "13; 25 11"
    biases = BREGMAN_KIND_BIASES,       ///< token:bias pairs, such as "15:-2.5 30:-inf"
    keys = BREGMAN_KIND_KEYS,           ///< from min to max secret keys, such as "0x9d3c55aa10f2e671"
};

/// A parameter of a stage. All texts are static; lists are separated by commas.
struct parameter {
    std::string_view name, aliases, summary, default_value, choices;
    double min = 0, max = 0;
    bregman::kind kind = bregman::kind::number;
    bool min_excluded = false, required = false;
    /// 0 for no group. Parameters of a stage in the same group exclude each other, and one of them must be given unless
    /// one has a default.
    std::uint32_t group = 0;
};

/// A stage, or a macro, that a chain can name. All texts are static; lists are separated by commas.
struct stage {
    std::string_view name, aliases, summary, source;
    bool draws = false;                ///< draws a token, and therefore ends a chain
    bool learns = false;               ///< its draw depends on the tokens that it drew before (bregman_stage::learns)
    std::vector<parameter> parameters; ///< the first may be given without its name
};

namespace detail {
inline std::vector<stage> catalogue(std::size_t count, std::uint32_t (*info_of)(std::size_t, bregman_stage *)) {
    std::vector<stage> all;
    for (std::size_t i = 0; i < count; i++) {
        bregman_stage info{};
        info.struct_size = sizeof info;
        if (info_of(i, &info) != BREGMAN_OK)
            continue;
        stage s{info.name, info.aliases, info.summary, info.source, info.draws != 0, info.learns != 0, {}};
        for (std::size_t p = 0; p < info.parameter_count; p++) {
            const char *at = reinterpret_cast<const char *>(info.parameters) + p * info.parameter_size;
            const auto &q = *reinterpret_cast<const bregman_parameter *>(at);
            s.parameters.push_back({q.name, q.aliases, q.summary, q.default_value, q.choices, q.min, q.max,
                                    static_cast<kind>(q.kind), q.min_excluded != 0, q.required != 0, q.group});
        }
        all.push_back(std::move(s));
    }
    return all;
}
} // namespace detail

/// The stages that a chain can name. Thread-safe.
inline std::vector<stage> stages() { return detail::catalogue(bregman_stage_count(), bregman_stage_info); }
/// The macros that a chain can name: engines, such as llama_cpp. Thread-safe.
inline std::vector<stage> macros() { return detail::catalogue(bregman_macro_count(), bregman_macro_info); }

/// Looks for the mark of `stage`, such as "watermark(key=0x9d3c55aa10f2e671)", in a text: its output from the beginning.
/// Thread-safe.
inline result<bregman_watermark> try_watermark_score(std::string_view stage, view<const std::int32_t> tokens) {
    if (stage.find('\0') != std::string_view::npos)
        return failure{status::invalid_chain, "stage has a NUL in it"};
    bregman_watermark score{};
    score.struct_size = sizeof score;
    char message[512] = "";
    const auto code = static_cast<status>(
        bregman_watermark_score(std::string(stage).c_str(), tokens.data(), tokens.size(), &score, message, sizeof message));
    if (code != status::ok)
        return failure{code, message};
    return score;
}
inline bregman_watermark watermark_score(std::string_view stage, view<const std::int32_t> tokens) {
    return try_watermark_score(stage, tokens).value();
}

/// The version of the library, such as "0.1.0". Static; thread-safe.
inline const char *version() noexcept { return bregman_version(); }
/// Whether the library has the version of the ABI that this header was written for. Thread-safe.
inline bool is_compatible() noexcept { return bregman_abi_version() == BREGMAN_ABI_VERSION; }
/// The instruction set in use: see bregman_simd_level. Static; thread-safe.
inline const char *simd_level() noexcept { return bregman_simd_level(); }

} // namespace bregman

#endif // BREGMAN_HPP
