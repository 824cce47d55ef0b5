// An engine with a registry of samplers that loads bregman as a plug-in: no link-time dependency, one symbol.
#include "command_line.h"
#include "plugin.h"
#include "registry.h"

#include <cmath>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

using namespace engine;

namespace {

// The engine's own sampler: bans the last token.
Stage no_repeat() {
    Stage stage;
    stage.name = "no-repeat";
    stage.summary = "bans the tokens that were drawn last";
    stage.source = "this engine";
    Option window;
    window.name = "window";
    window.summary = "how many of them";
    window.fallback = "1";
    window.type = Type::whole;
    window.min = 1;
    window.max = 1 << 20;
    stage.options.push_back(window);
    return stage;
}

void ban_last(float *logits, const std::vector<int32_t> &tokens, size_t window) {
    const size_t from = tokens.size() > window ? tokens.size() - window : 0;
    for (size_t i = from; i < tokens.size(); i++)
        logits[tokens[i]] = -INFINITY;
}

// In place of a model: logits from -8 to 8 that depend on the sequence, the position and the last token.
void forward(float *logits, size_t vocab, size_t sequence, const std::vector<int32_t> &tokens) {
    const uint64_t last = tokens.empty() ? 0 : static_cast<uint64_t>(tokens.back()) + 1;
    uint64_t state = (sequence << 40) ^ (static_cast<uint64_t>(tokens.size()) << 20) ^ last;
    for (size_t i = 0; i < vocab; i++) {
        // splitmix64
        state += 0x9E3779B97F4A7C15u;
        uint64_t z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        logits[i] = static_cast<float>((z ^ (z >> 31)) >> 40) / 1048576.0f - 8.0f;
    }
}

// The engine's own samplers run first, on the logits; the plug-in's chain draws the token.
std::vector<Use> plugin_part(const Request &request, const Plugin &plugin, size_t &window) {
    std::vector<Use> uses;
    for (const Use &use : request.samplers) {
        if (plugin.owns(*use.stage)) {
            uses.push_back(use);
        } else {
            if (!uses.empty())
                throw Refused(use.stage->name + " must come before the samplers of the plug-in");
            const auto given = use.values.find("window");
            window = std::stoul(given == use.values.end() ? use.stage->option("window")->fallback : given->second);
        }
    }
    if (uses.empty() || !uses.back().stage->draws)
        throw Refused("the last sampler must be one that takes the token");
    return uses;
}

void generate(const Request &request, const Plugin &plugin) {
    size_t window = 0;
    const std::string chain = plugin.chain(plugin_part(request, plugin, window));
    std::vector<Plugin::Sampler> owners;
    std::vector<bregman_sampler *> samplers;
    for (uint32_t s = 0; s < request.sequences; s++) {
        owners.push_back(plugin.sampler(chain, request.seed + s));
        samplers.push_back(owners.back().get());
    }
    std::printf("chain: %s\n", chain.c_str());

    const size_t rows = samplers.size(), vocab = request.vocab;
    std::vector<float> logits(rows * vocab);
    std::vector<bregman_result> results(rows);
    std::vector<std::vector<int32_t>> tokens(rows);
    bregman_batch batch = {};
    batch.struct_size = sizeof batch;
    batch.dtype = BREGMAN_F32;
    batch.logits = logits.data();
    batch.rows = rows;
    batch.vocab = batch.row_stride = vocab;
    batch.flags = BREGMAN_ACCEPT;
    batch.threads = request.threads;
    for (uint32_t t = 0; t < request.tokens; t++) {
        for (size_t s = 0; s < rows; s++) {
            forward(&logits[s * vocab], vocab, s, tokens[s]);
            ban_last(&logits[s * vocab], tokens[s], window);
        }
        plugin->decode_batch(samplers.data(), &batch, results.data());
        for (size_t s = 0; s < rows; s++) {
            if (results[s].status != BREGMAN_OK)
                throw std::runtime_error("sequence " + std::to_string(s) + ": " + plugin->sampler_error(samplers[s]));
            tokens[s].push_back(results[s].token);
        }
    }
    for (size_t s = 0; s < rows; s++) {
        std::printf("sequence %zu:", s);
        for (const int32_t token : tokens[s])
            std::printf(" %d", static_cast<int>(token));
        std::printf("\n");
    }
}

} // namespace

int main(int argc, char **argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    try {
        Registry registry;
        registry.add(no_repeat());
        Plugin plugin(plugin_path(arguments));
        plugin.add_to(registry);
        const Request request = parse(arguments, registry);
        if (request.help)
            std::fputs(usage(registry).c_str(), stdout);
        else
            generate(request, plugin);
        return 0;
    } catch (const Refused &refused) {
        std::fprintf(stderr, "plugin_host: %s\n", refused.what());
        return 2;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "plugin_host: %s\n", error.what());
        return 1;
    }
}
