// The C++ driver of the cross-language agreement test (tests/agreement/README.md), C++17 over bregman.h.
//
// usage: agreement CASES

#include "decisions.hpp"

#include <bregman.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Words = std::vector<std::string>;

struct Free {
    void operator()(bregman_sampler *s) const { bregman_sampler_free(s); }
};
using Sampler = std::unique_ptr<bregman_sampler, Free>;

/// Consecutive rows of logits in one format; in `half` if they have 16 bits.
struct Set {
    std::uint32_t dtype = BREGMAN_F32;
    std::size_t width = 0;
    std::vector<float> f32;
    std::vector<std::uint16_t> half;

    void push(std::uint32_t bits) {
        if (dtype == BREGMAN_F32) {
            f32.push_back(from_bits(bits));
        } else {
            half.push_back(static_cast<std::uint16_t>(bits));
        }
    }

    void put(std::size_t at, std::uint32_t bits) {
        if (dtype == BREGMAN_F32) {
            f32.at(at) = from_bits(bits);
        } else {
            half.at(at) = static_cast<std::uint16_t>(bits);
        }
    }

    /// The first `vocab` logits of a row of f32.
    std::vector<float> row(std::size_t row, std::size_t vocab) const {
        if (dtype != BREGMAN_F32 || row * width + vocab > f32.size()) {
            throw std::runtime_error("there is no such row of f32");
        }
        const auto start = f32.begin() + static_cast<std::ptrdiff_t>(row * width);
        return {start, start + static_cast<std::ptrdiff_t>(vocab)};
    }

    const void *address(std::size_t row) const {
        return dtype == BREGMAN_F32 ? static_cast<const void *>(&f32.at(row * width)) : &half.at(row * width);
    }

    static float from_bits(std::uint32_t bits) {
        float value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
};

struct Mask {
    std::size_t words = 0;
    std::vector<std::uint32_t> bits;
};

template <class T> T number(const std::string &word, int base = 10) {
    T value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
    if (error != std::errc{} || end != word.data() + word.size()) {
        throw std::runtime_error("`" + word + "` is not a number of its kind");
    }
    return value;
}

std::size_t size(const std::string &word) { return number<std::size_t>(word); }
std::uint32_t hex(const std::string &word) { return number<std::uint32_t>(word, 16); }

std::uint32_t to_bits(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

std::string figure(float value) {
    if (std::isnan(value)) {
        return "nan";
    }
    char text[9];
    std::snprintf(text, sizeof text, "%08x", to_bits(value));
    return text;
}

/// The sum of the four 16-bit parts of output `i` of splitmix64, as a logit from -16 to 16.
float random_logit(std::uint64_t seed, std::uint64_t i) {
    std::uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const auto sum = static_cast<std::int32_t>((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));
    return static_cast<float>(sum - 131070) / 8192.0f;
}

std::uint32_t dtype_of(const std::string &name) {
    static const std::map<std::string, std::uint32_t> names{
        {"f32", BREGMAN_F32}, {"f16", BREGMAN_F16}, {"bf16", BREGMAN_BF16}};
    return names.at(name);
}

/// The sets, masks and samplers so far, by name.
class Driver {
  public:
    explicit Driver(std::string directory) : dir(std::move(directory)) {}

    void run(const std::string &line, int at) {
        using Command = void (Driver::*)(const Words &);
        static const std::map<std::string, Command> commands{
            {"rows", &Driver::rows},         {"random", &Driver::random},
            {"same", &Driver::same},         {"upper", &Driver::upper},
            {"set", &Driver::set},           {"mask", &Driver::mask},
            {"clone", &Driver::clone},       {"free", &Driver::free},
            {"reset", &Driver::reset},       {"reseed", &Driver::reseed},
            {"accept", &Driver::accept},     {"bias", &Driver::bias},
            {"describe", &Driver::describe}, {"decode", &Driver::decode},
            {"batch", &Driver::batch},       {"distribution", &Driver::distribution},
            {"reduced", &Driver::reduced},
            {"process", &Driver::process},   {"save", &Driver::save},
            {"load", &Driver::load},         {"rewind", &Driver::rewind},
            {"where", &Driver::where},       {"verify", &Driver::verify},
            {"score", &Driver::score}};
        line_number = at;
        std::istringstream stream(line);
        const Words words{std::istream_iterator<std::string>(stream), {}};
        if (decisions.run(words, [this](const std::string &text) { say(text); })) {
            return;
        }
        if (words.at(0) == "new") {
            create(words, line);
        } else {
            (this->*commands.at(words[0]))(words);
        }
    }

  private:
    std::string dir;
    int line_number = 0;
    std::map<std::string, Set> sets;
    std::map<std::string, Mask> masks;
    std::map<std::string, Sampler> samplers;
    Decisions decisions;

    bregman_sampler *sampler(const std::string &name) const { return samplers.at(name).get(); }

    void say(const std::string &text) const { std::cout << line_number << ' ' << text << '\n'; }

    static std::string outcome(std::uint32_t status, const char *message) {
        return status == BREGMAN_OK ? "ok" : "error " + std::to_string(status) + " " + message;
    }

    void say_outcome(std::uint32_t status, bregman_sampler *s) const { say(outcome(status, bregman_sampler_error(s))); }

    void answer(std::size_t row, const bregman_result &r, const bregman_sampler *s) const {
        std::ostringstream text;
        text << row << ' ' << outcome(r.status, bregman_sampler_error(s));
        if (r.status == BREGMAN_OK) {
            text << ' ' << r.token << ' ' << r.support << ' ' << figure(r.p) << ' ' << figure(r.kept_mass) << ' '
                 << figure(r.model_logprob) << ' ' << figure(r.entropy) << ' ' << figure(r.ln_kept_mass);
        }
        say(text.str());
    }

    void rows(const Words &w) {
        Set s;
        s.dtype = dtype_of(w.at(2));
        s.width = size(w.at(3));
        const std::size_t bytes = s.dtype == BREGMAN_F32 ? 4 : 2;
        std::ifstream file(dir + w.at(5), std::ios::binary);
        const std::string data{std::istreambuf_iterator<char>(file), {}};
        if (data.size() != s.width * size(w.at(4)) * bytes) {
            throw std::runtime_error(w[5] + " cannot be read, or is too short");
        }
        for (std::size_t at = 0; at < data.size(); at += bytes) {
            std::uint32_t bits = 0;
            for (std::size_t i = 0; i < bytes; i++) {
                bits |= std::uint32_t{static_cast<unsigned char>(data[at + i])} << 8 * i;
            }
            s.push(bits);
        }
        sets[w[1]] = std::move(s);
    }

    void random(const Words &w) {
        Set s;
        s.width = size(w.at(2));
        for (std::uint64_t i = 0; i < s.width * size(w.at(3)); i++) {
            s.f32.push_back(random_logit(number<std::uint64_t>(w.at(4)), i));
        }
        sets[w[1]] = std::move(s);
    }

    void same(const Words &w) {
        Set s;
        s.dtype = dtype_of(w.at(2));
        s.width = size(w.at(3));
        for (std::size_t i = 0; i < s.width * size(w.at(4)); i++) {
            s.push(hex(w.at(5)));
        }
        sets[w[1]] = std::move(s);
    }

    void upper(const Words &w) {
        Set s;
        s.dtype = BREGMAN_BF16;
        s.width = sets.at(w.at(2)).width;
        for (const float value : sets.at(w[2]).f32) {
            s.push(to_bits(value) >> 16);
        }
        sets[w[1]] = std::move(s);
    }

    void set(const Words &w) {
        Set &s = sets.at(w.at(1));
        for (std::size_t i = 4; i < w.size(); i++) {
            s.put(size(w.at(2)) * s.width + size(w.at(3)) + i - 4, hex(w[i]));
        }
    }

    void mask(const Words &w) {
        Mask m;
        m.words = size(w.at(2));
        for (std::size_t i = 0; i < m.words * size(w.at(3)); i++) {
            m.bits.push_back(hex(w.at(4 + i % (w.size() - 4))));
        }
        masks[w[1]] = std::move(m);
    }

    /// new S SEED CHAIN; the chain is the rest of the line.
    void create(const Words &w, const std::string &line) {
        const std::size_t start = ("new " + w.at(1) + " " + w.at(2) + " ").size();
        const std::string chain = start < line.size() ? line.substr(start) : "";
        char error[8192] = "";
        bregman_sampler *made = nullptr;
        const auto seed = number<std::uint64_t>(w[2]);
        const std::uint32_t status = bregman_sampler_new(chain.c_str(), seed, &made, error, sizeof error);
        if (status == BREGMAN_OK) {
            samplers[w[1]].reset(made);
        }
        say(outcome(status, error));
    }

    void clone(const Words &w) {
        bregman_sampler *from = sampler(w.at(2)), *made = nullptr;
        const std::uint32_t status = bregman_sampler_clone(from, &made);
        if (status == BREGMAN_OK) {
            samplers[w[1]].reset(made);
        }
        say_outcome(status, from);
    }

    void free(const Words &w) {
        sampler(w.at(1));
        samplers.erase(w[1]);
        say("ok");
    }

    void reset(const Words &w) { say_outcome(bregman_sampler_reset(sampler(w.at(1))), sampler(w[1])); }

    void reseed(const Words &w) {
        const auto seed = number<std::uint64_t>(w.at(2)), position = number<std::uint64_t>(w.at(3));
        say_outcome(bregman_sampler_reseed(sampler(w[1]), seed, position), sampler(w[1]));
    }

    void accept(const Words &w) {
        std::vector<std::int32_t> tokens;
        for (std::size_t i = 2; i < w.size(); i++) {
            tokens.push_back(number<std::int32_t>(w[i]));
        }
        say_outcome(bregman_sampler_accept(sampler(w[1]), tokens.data(), tokens.size()), sampler(w[1]));
    }

    void bias(const Words &w) {
        std::vector<std::int32_t> ids;
        std::vector<float> values;
        for (std::size_t i = 2; i < w.size(); i++) {
            const std::size_t equals = w[i].find('=');
            ids.push_back(number<std::int32_t>(w[i].substr(0, equals)));
            values.push_back(Set::from_bits(hex(w[i].substr(equals + 1))));
        }
        bregman_sampler *s = sampler(w.at(1));
        say_outcome(bregman_sampler_set_logit_bias(s, ids.data(), values.data(), ids.size()), s);
    }

    void describe(const Words &w) {
        std::string text(bregman_sampler_describe(sampler(w.at(1)), nullptr, 0) + 1, '\0');
        text.resize(bregman_sampler_describe(sampler(w[1]), text.data(), text.size()));
        say("ok " + text);
    }

    /// score N TOKEN... STAGE
    void score(const Words &w) {
        const std::size_t n = size(w.at(1));
        std::vector<std::int32_t> tokens;
        std::string stage;
        for (std::size_t i = 0; i < n; i++)
            tokens.push_back(std::stoi(w.at(i + 2)));
        for (std::size_t i = n + 2; i < w.size(); i++)
            stage += (i > n + 2 ? " " : "") + w[i];
        const auto score = bregman::try_watermark_score(stage, tokens);
        if (!score)
            return say(outcome(static_cast<std::uint32_t>(score.error().code), score.error().message.c_str()));
        std::uint64_t bits[2];
        std::memcpy(&bits[0], &score->score, sizeof bits[0]);
        std::memcpy(&bits[1], &score->p_value, sizeof bits[1]);
        char text[64];
        std::snprintf(text, sizeof text, "ok %zu %016llx %016llx", score->counted, static_cast<unsigned long long>(bits[0]),
                      static_cast<unsigned long long>(bits[1]));
        say(text);
    }

    /// decode S SET FIRST COUNT VOCAB
    void decode(const Words &w) {
        const std::size_t first = size(w.at(3)), count = size(w.at(4));
        for (std::size_t row = first; row < first + count; row++) {
            const std::vector<float> logits = sets.at(w[2]).row(row, size(w.at(5)));
            bregman_result result;
            bregman_decode(sampler(w[1]), logits.data(), logits.size(), &result);
            answer(row, result, sampler(w[1]));
        }
    }

    /// batch FLAGS THREADS MASK SET FIRST STEP VOCAB S...
    void batch(const Words &w) {
        const Set &s = sets.at(w.at(4));
        const std::size_t first = size(w.at(5)), step = size(w.at(6));
        std::vector<bregman_sampler *> list;
        for (std::size_t i = 8; i < w.size(); i++) {
            list.push_back(sampler(w[i]));
        }
        bregman_batch batch{};
        batch.struct_size = sizeof batch;
        batch.dtype = s.dtype;
        batch.logits = s.address(first);
        batch.rows = list.size();
        batch.vocab = size(w.at(7));
        batch.row_stride = step * s.width;
        batch.flags = number<std::uint32_t>(w.at(1));
        batch.threads = number<std::uint32_t>(w.at(2));
        if (w.at(3) != "-") {
            batch.mask = masks.at(w[3]).bits.data();
            batch.mask_stride = masks.at(w[3]).words;
        }
        std::vector<bregman_result> results(list.size());
        bregman_decode_batch(list.data(), &batch, results.data());
        for (std::size_t r = 0; r < list.size(); r++) {
            answer(first + r * step, results[r], list[r]);
        }
    }

    /// reduced N T FLAGS THREADS SET FIRST VOCAB S...
    void reduced(const Words &w) {
        const Set &s = sets.at(w.at(5));
        const std::size_t n = size(w.at(1)), first = size(w.at(6)), vocab = size(w.at(7)), count = w.size() - 8;
        const float temperature = Set::from_bits(hex(w.at(2)));
        const auto threads = number<std::uint32_t>(w.at(4));
        std::vector<float> storage;
        std::vector<bregman_sampler *> list;
        for (std::size_t r = 0; r < count; r++) {
            const std::vector<float> row = s.row(first + r, vocab);
            storage.insert(storage.end(), row.begin(), row.end());
            list.push_back(sampler(w[8 + r]));
        }
        bregman::reduced lists;
        bregman::reduce(bregman::rows::f32(storage, vocab), count, 0, n, lists, temperature, threads);
        const auto rows = bregman::rows::f32(lists.logits, n).sparse(lists.ids, {}, lists.log_rest, lists.bound, temperature);
        const bregman_batch batch = rows.raw(count, number<std::uint32_t>(w.at(3)), threads);
        std::vector<bregman_result> results(count);
        bregman_decode_batch(list.data(), &batch, results.data());
        for (std::size_t r = 0; r < count; r++) {
            answer(first + r, results[r], list[r]);
        }
    }

    /// distribution S SET ROW VOCAB
    void distribution(const Words &w) {
        const std::vector<float> logits = sets.at(w.at(2)).row(size(w.at(3)), size(w.at(4)));
        std::vector<std::int32_t> ids(logits.size());
        std::vector<float> probs(logits.size());
        std::size_t n = 0;
        bregman_sampler *s = sampler(w[1]);
        const std::uint32_t status =
            bregman_distribution(s, logits.data(), logits.size(), ids.data(), probs.data(), ids.size(), &n);
        if (status != BREGMAN_OK) {
            return say_outcome(status, s);
        }
        std::ostringstream text;
        text << "ok " << n;
        for (std::size_t i = 0; i < n; i++) {
            text << ' ' << ids[i] << ':' << figure(probs[i]);
        }
        say(text.str());
    }

    /// Runs a call on the wrapper of bregman.hpp, which gives the handle back.
    template <class F> auto wrapped(const std::string &name, F call) {
        auto wrapper = bregman::sampler::adopt(samplers.at(name).release());
        const auto found = call(wrapper);
        samplers[name].reset(wrapper.release());
        return found;
    }

    void save(const Words &w) {
        const auto state = wrapped(w.at(1), [](bregman::sampler &s) { return s.try_save(); });
        if (!state) {
            return say_outcome(static_cast<std::uint32_t>(state.error().code), sampler(w[1]));
        }
        std::string text = "ok ";
        for (const std::byte byte : *state) {
            char digits[3];
            std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(byte));
            text += digits;
        }
        say(text);
    }

    void load(const Words &w) {
        std::vector<std::byte> state;
        for (std::size_t i = 0; i < w.at(2).size(); i += 2) {
            state.push_back(static_cast<std::byte>(hex(w[2].substr(i, 2))));
        }
        auto loaded = bregman::sampler::try_load(state);
        if (!loaded) {
            return say(outcome(static_cast<std::uint32_t>(loaded.error().code), loaded.error().message.c_str()));
        }
        samplers[w[1]].reset(loaded->release());
        say("ok");
    }

    void rewind(const Words &w) {
        const auto done = wrapped(w.at(1), [&](bregman::sampler &s) { return s.try_rewind(size(w.at(2))); });
        say_outcome(done ? BREGMAN_OK : static_cast<std::uint32_t>(done.error().code), sampler(w[1]));
    }

    void where(const Words &w) {
        const bregman::place at = wrapped(w.at(1), [](bregman::sampler &s) { return s.where(); });
        std::ostringstream text;
        text << "ok " << at.seed << ' ' << at.position << ' ' << at.prompt;
        for (const std::int32_t token : wrapped(w[1], [](bregman::sampler &s) { return s.history(); })) {
            text << ' ' << token;
        }
        say(text.str());
    }

    /// The parts of a text between the separators; none of "-".
    static Words split(const std::string &text, char separator) {
        std::istringstream stream(text == "-" ? "" : text);
        Words parts;
        for (std::string part; std::getline(stream, part, separator);) {
            parts.push_back(part);
        }
        return parts;
    }

    static std::vector<std::int32_t> tokens(const std::string &text) {
        std::vector<std::int32_t> all;
        for (const std::string &token : split(text, ',')) {
            all.push_back(number<std::int32_t>(token));
        }
        return all;
    }

    /// verify FLAGS THREADS SET FIRST VOCAB DRAFT..., a draft being S/RULE/TOKENS/PARENTS/LAWS
    void verify(const Words &w) {
        struct Parsed {
            std::vector<std::int32_t> tokens, parents;
            bregman::distributions laws;
        };
        static const std::map<std::string, bregman::rule> rules{
            {"match", bregman::rule::match}, {"token", bregman::rule::token}, {"block", bregman::rule::block}};
        const std::size_t count = w.size() - 6;
        std::vector<Parsed> parsed(count);
        std::vector<bregman::draft> drafts(count);
        std::vector<bregman_sampler *> list;
        for (std::size_t s = 0; s < count; s++) {
            const Words parts = split(w[6 + s], '/');
            Parsed &p = parsed[s];
            p.tokens = tokens(parts.at(2)), p.parents = tokens(parts.at(3));
            p.laws.offsets.push_back(0);
            for (const std::string &law : split(parts.at(4), ';')) {
                for (const std::string &entry : split(law, ',')) {
                    const std::size_t colon = entry.find(':');
                    p.laws.ids.push_back(number<std::int32_t>(entry.substr(0, colon)));
                    p.laws.probs.push_back(Set::from_bits(hex(entry.substr(colon + 1))));
                }
                p.laws.offsets.push_back(p.laws.ids.size());
            }
            drafts[s].tokens = p.tokens, drafts[s].parents = p.parents, drafts[s].rule = rules.at(parts.at(1));
            drafts[s].laws = parts[4] == "-" ? nullptr : &p.laws;
            list.push_back(sampler(parts.at(0)));
        }
        const Set &set = sets.at(w.at(3));
        const auto flags = number<std::uint32_t>(w.at(1));
        bregman::options how;
        how.kept_mass = (flags & BREGMAN_WANT_KEPT_MASS) != 0;
        how.model_logprob = (flags & BREGMAN_WANT_MODEL_LOGPROB) != 0;
        how.entropy = (flags & BREGMAN_WANT_ENTROPY) != 0;
        how.accept = (flags & BREGMAN_ACCEPT) != 0;
        how.ln_kept_mass = (flags & BREGMAN_WANT_LN_KEPT) != 0;
        how.stay = (flags & BREGMAN_STAY) != 0;
        how.threads = number<std::uint32_t>(w.at(2));
        const std::size_t start = size(w.at(4)) * set.width, vocab = size(w.at(5));
        bregman::verified v;
        const bregman::view<const float> storage(set.f32.data() + start, set.f32.size() - start);
        (void)bregman::try_verify(list, drafts, bregman::rows::f32(storage, vocab, set.width), v, how);
        for (std::size_t s = 0; s < count; s++) {
            const std::size_t row = v.first.at(s);
            if (v.results.at(row).status != BREGMAN_OK) {
                answer(s, v.results[row], list[s]);
                continue;
            }
            std::ostringstream text;
            text << s << " ok " << v.accepted[s];
            for (std::size_t i = 0; i < v.accepted[s]; i++) {
                text << ' ' << v.path[row + i];
            }
            say(text.str());
            for (std::size_t i = 0; i <= v.accepted[s]; i++) {
                answer(s, v.results[row + i], list[s]);
            }
        }
    }

    /// process S SET ROW VOCAB
    void process(const Words &w) {
        std::vector<float> logits = sets.at(w.at(2)).row(size(w.at(3)), size(w.at(4)));
        bregman_sampler *s = sampler(w[1]);
        say_outcome(bregman_process(s, logits.data(), logits.size()), s);
        std::size_t kept = 0;
        std::uint64_t hash = 0xcbf29ce484222325u;
        for (const float value : logits) {
            kept += to_bits(value) != 0xff800000u;
            for (int shift = 0; shift < 32; shift += 8) {
                hash = (hash ^ (to_bits(value) >> shift & 0xff)) * 0x100000001b3u;
            }
        }
        char text[17];
        std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
        say("row " + std::to_string(kept) + " " + text);
    }
};

} // namespace

int main(int argc, char **argv) try {
    if (argc != 2) {
        throw std::runtime_error("usage: agreement CASES");
    }
    const std::string path = argv[1];
    std::ifstream cases(path);
    if (!cases) {
        throw std::runtime_error(path + " cannot be read");
    }
    Driver driver(path.substr(0, path.rfind('/') + 1));
    std::string line;
    for (int number = 1; std::getline(cases, line); number++) {
        if (!line.empty() && line[0] != '#') {
            driver.run(line, number);
        }
    }
    return 0;
} catch (const std::exception &e) {
    std::cerr << "agreement: " << e.what() << '\n';
    return 1;
}
