#include "command_line.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>
#include <utility>

namespace engine {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// "--name value" and "--name=value"; --help has no value.
Pairs pairs(const std::vector<std::string> &arguments) {
    Pairs all;
    for (size_t i = 0; i < arguments.size(); i++) {
        std::string name = arguments[i];
        if (name.rfind("--", 0) != 0)
            throw Refused("'" + name + "' is not an option");
        name.erase(0, 2);
        const size_t equals = name.find('=');
        if (equals != std::string::npos)
            all.emplace_back(name.substr(0, equals), name.substr(equals + 1));
        else if (name == "help")
            all.emplace_back(name, "");
        else if (++i < arguments.size())
            all.emplace_back(name, arguments[i]);
        else
            throw Refused("--" + name + " needs a value");
    }
    return all;
}

template <typename T> T number(const std::string &name, const std::string &value, T least, T most) {
    T v = 0;
    const char *end = value.data() + value.size();
    const auto [rest, error] = std::from_chars(value.data(), end, v);
    if (error != std::errc() || rest != end || v < least || v > most)
        throw Refused("--" + name + " takes a whole number from " + std::to_string(least) + " to " +
                      std::to_string(most) + ", not '" + value + "'");
    return v;
}

// The samplers named by --samplers, without their options.
std::vector<Use> samplers(const std::string &list, const Registry &registry) {
    std::vector<Use> uses;
    std::istringstream in(list);
    for (std::string name; std::getline(in, name, ',');) {
        const Stage *stage = registry.find(name);
        if (stage == nullptr)
            throw Refused("there is no sampler '" + name + "': see --help");
        if (std::any_of(uses.begin(), uses.end(), [&](const Use &use) { return use.stage == stage; }))
            throw Refused("the sampler " + name + " is named twice");
        uses.push_back({stage, {}});
    }
    return uses;
}

// Adds --STAGE-OPTION to its stage; false if the request has no such stage.
bool give(std::vector<Use> &uses, const std::string &name, const std::string &value) {
    for (Use &use : uses) {
        const std::string start = use.stage->name + "-";
        if (name.rfind(start, 0) != 0)
            continue;
        const std::string option = name.substr(start.size());
        if (use.stage->option(option) == nullptr)
            continue;
        if (!use.values.emplace(option, value).second)
            throw Refused("--" + name + " is given twice");
        return true;
    }
    return false;
}

// Sets an option of the engine itself; false if it has none of this name.
bool take(Request &request, const std::string &name, const std::string &value) {
    if (name == "sequences")
        request.sequences = number<uint32_t>(name, value, 1, 1024);
    else if (name == "tokens")
        request.tokens = number<uint32_t>(name, value, 1, 1u << 20);
    else if (name == "vocab")
        request.vocab = number<uint32_t>(name, value, 1, 1u << 20);
    else if (name == "threads")
        request.threads = number<uint32_t>(name, value, 1, 256);
    else if (name == "seed")
        request.seed = number<uint64_t>(name, value, 0, std::numeric_limits<uint64_t>::max());
    else
        return name == "plugin" || name == "samplers"; // handled before
    return true;
}

} // namespace

std::string plugin_path(const std::vector<std::string> &arguments) {
    for (const auto &[name, value] : pairs(arguments))
        if (name == "plugin")
            return value;
    return "libbregman.so." + std::to_string(BREGMAN_ABI_VERSION);
}

Request parse(const std::vector<std::string> &arguments, const Registry &registry) {
    const Pairs given = pairs(arguments);
    Request request;
    for (const auto &[name, value] : given) {
        request.help = request.help || name == "help";
        if (name == "samplers")
            request.samplers = samplers(value, registry);
    }
    if (request.help)
        return request;
    if (request.samplers.empty())
        throw Refused("--samplers must be given, such as --samplers no-repeat,br-top-k,br-draw: see --help");
    for (const auto &[name, value] : given)
        if (!take(request, name, value) && !give(request.samplers, name, value))
            throw Refused("--" + name + " is not an option of this engine or of the samplers that were named");
    for (const Use &use : request.samplers)
        validate(use);
    return request;
}

std::string usage(const Registry &registry) {
    return "usage: plugin_host --samplers NAME,... [options]\n"
           "An engine with samplers of its own and those of a plug-in. Its model is a stand-in: noise.\n"
           "\n"
           "  --plugin FILE     the bregman library (default: libbregman.so." +
           std::to_string(BREGMAN_ABI_VERSION) +
           ", where the loader finds it)\n"
           "  --samplers LIST   names from below, in order; the last one takes the token\n"
           "  --sequences N     how many are generated side by side (default 2)\n"
           "  --tokens N        tokens for each (default 12)\n"
           "  --vocab N         tokens that there are (default 32000)\n"
           "  --threads N       threads for the plug-in (default 1)\n"
           "  --seed N          seed of the first sequence; the next has the next (default 1)\n"
           "\n"
           "Samplers and their options:\n" +
           help(registry);
}

} // namespace engine
