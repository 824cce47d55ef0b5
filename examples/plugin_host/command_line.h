// The command line.
#pragma once

#include "plugin.h"
#include "registry.h"

#include <cstdint>
#include <string>
#include <vector>

namespace engine {

struct Request {
    bool help = false;
    std::vector<Use> samplers; // in order, validated
    uint32_t sequences = 2;
    uint32_t tokens = 12;
    uint32_t vocab = 32000;
    uint32_t threads = 1;
    uint64_t seed = 1;
};

// The path of the plug-in, which is needed before its options are known.
std::string plugin_path(const std::vector<std::string> &arguments);

// Throws Refused.
Request parse(const std::vector<std::string> &arguments, const Registry &registry);

std::string usage(const Registry &registry);

} // namespace engine
