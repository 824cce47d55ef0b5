// bregman as a plug-in of the engine: loaded at run time, through one symbol.
#pragma once

#include "registry.h"

#include <bregman.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace engine {

class Plugin {
public:
    // Loads the library; throws std::runtime_error if it cannot be used. It stays loaded until the process ends.
    explicit Plugin(const std::string &path);

    const bregman_api *operator->() const { return api_; }

    // Adds every stage of the library's catalogue to the registry, under a name in the engine's style.
    void add_to(Registry &registry);

    bool owns(const Stage &stage) const { return origins_.count(&stage) != 0; }

    // The text of the library's chain for these stages.
    std::string chain(const std::vector<Use> &uses) const;

    struct Free {
        const bregman_api *api;
        void operator()(bregman_sampler *sampler) const { api->sampler_free(sampler); }
    };
    using Sampler = std::unique_ptr<bregman_sampler, Free>;

    // Throws Refused with the library's message.
    Sampler sampler(const std::string &chain, uint64_t seed) const;

private:
    struct Origin {
        std::string name;
        std::map<std::string, std::string> parameters; // name in the engine, name in the library
    };

    const bregman_api *api_;
    std::map<const Stage *, Origin> origins_;
};

} // namespace engine
