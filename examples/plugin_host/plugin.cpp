#include "plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <sstream>

namespace engine {

namespace {

// Names in the engine are in kebab case, and those of a plug-in have a prefix.
std::string kebab(std::string name) {
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
}

std::string own_name(const std::string &name) { return "br-" + kebab(name); }

std::vector<std::string> words(const char *list) {
    std::vector<std::string> all;
    std::istringstream in(list);
    for (std::string word; std::getline(in, word, ',');)
        all.push_back(word);
    return all;
}

Option option(const bregman_parameter &p) {
    Option o;
    o.name = kebab(p.name);
    o.summary = p.summary;
    o.fallback = p.default_value;
    static const std::map<uint32_t, Type> types = {{BREGMAN_KIND_NUMBER, Type::number},
                                                   {BREGMAN_KIND_COUNT, Type::whole},
                                                   {BREGMAN_KIND_CHOICE, Type::choice},
                                                   {BREGMAN_KIND_NAME, Type::name}};
    // A kind of value of a later library: the library itself checks it.
    const auto known = types.find(p.kind);
    o.type = known == types.end() ? Type::name : known->second;
    o.min = p.min;
    o.max = p.max;
    o.min_excluded = p.min_excluded != 0;
    o.choices = words(p.choices);
    o.required = p.required != 0;
    o.group = p.group;
    return o;
}

} // namespace

Plugin::Plugin(const std::string &path) {
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        throw std::runtime_error(dlerror());
    const auto get_api = reinterpret_cast<bregman_get_api_fn>(dlsym(library, "bregman_get_api"));
    if (get_api == nullptr)
        throw std::runtime_error(path + " is not a bregman library: it has no bregman_get_api");
    api_ = get_api(BREGMAN_ABI_VERSION);
    if (api_ == nullptr)
        throw std::runtime_error(path + " does not serve version " + std::to_string(BREGMAN_ABI_VERSION) +
                                 " of the interface");
    // decode_batch is the last function that this engine calls: the table of an older library may end before it.
    if (api_->struct_size <= offsetof(bregman_api, decode_batch))
        throw std::runtime_error(path + " is too old for this engine");
}

void Plugin::add_to(Registry &registry) {
    for (size_t index = 0; index < api_->stage_count(); index++) {
        bregman_stage info = {};
        info.struct_size = sizeof info;
        if (api_->stage_info(index, &info) != BREGMAN_OK)
            throw std::runtime_error("the plug-in does not describe its stages");
        Stage stage;
        Origin origin{info.name, {}};
        stage.name = own_name(info.name);
        for (const std::string &alias : words(info.aliases))
            stage.aliases.push_back(own_name(alias));
        stage.summary = info.summary;
        stage.source = info.source;
        stage.draws = info.draws != 0;
        for (size_t i = 0; i < info.parameter_count; i++) {
            // The structs of a later library may be larger than those of this header.
            const char *at = reinterpret_cast<const char *>(info.parameters) + i * info.parameter_size;
            const auto &parameter = *reinterpret_cast<const bregman_parameter *>(at);
            stage.options.push_back(option(parameter));
            origin.parameters[stage.options.back().name] = parameter.name;
        }
        const std::string name = stage.name;
        registry.add(std::move(stage));
        origins_.emplace(registry.find(name), std::move(origin));
    }
}

std::string Plugin::chain(const std::vector<Use> &uses) const {
    std::string text;
    for (const Use &use : uses) {
        const Origin &origin = origins_.at(use.stage);
        std::string list;
        for (const auto &[name, value] : use.values)
            list += (list.empty() ? "" : ", ") + origin.parameters.at(name) + "=" + value;
        text += (text.empty() ? "" : " | ") + origin.name + (list.empty() ? "" : "(" + list + ")");
    }
    return text;
}

Plugin::Sampler Plugin::sampler(const std::string &chain, uint64_t seed) const {
    bregman_sampler *sampler = nullptr;
    char error[512];
    if (api_->sampler_new(chain.c_str(), seed, &sampler, error, sizeof error) != BREGMAN_OK)
        throw Refused(error);
    return Sampler(sampler, Free{api_});
}

} // namespace engine
