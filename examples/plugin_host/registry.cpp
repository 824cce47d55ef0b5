#include "registry.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>

namespace engine {

namespace {

std::string text(double v) {
    std::ostringstream out;
    out.precision(10);
    out << v;
    return out.str();
}

std::string joined(const std::vector<std::string> &words, const char *between) {
    std::string all;
    for (const std::string &word : words)
        all += (all.empty() ? "" : between) + word;
    return all;
}

template <typename T> bool parse(const std::string &value, T &out) {
    const char *end = value.data() + value.size();
    const auto [rest, error] = std::from_chars(value.data(), end, out);
    return error == std::errc() && rest == end;
}

// The options of a group, as on the command line.
std::vector<std::string> group(const Stage &stage, unsigned number) {
    std::vector<std::string> names;
    for (const Option &option : stage.options)
        if (option.group == number)
            names.push_back("--" + stage.name + "-" + option.name);
    return names;
}

bool has_fallback(const Stage &stage, unsigned number) {
    return std::any_of(stage.options.begin(), stage.options.end(),
                       [&](const Option &o) { return o.group == number && !o.fallback.empty(); });
}

std::string limits(const Stage &stage, const Option &option) {
    if (option.required)
        return "required";
    std::string said = option.fallback.empty() ? "" : "default " + option.fallback;
    if (option.group != 0) {
        const char *how_many = has_fallback(stage, option.group) ? "at most one of " : "exactly one of ";
        said += (said.empty() ? "" : "; ") + (how_many + joined(group(stage, option.group), ", "));
    }
    return said;
}

void validate_groups(const Use &use) {
    std::map<unsigned, unsigned> given;
    for (const Option &option : use.stage->options)
        if (option.group != 0)
            given[option.group] += use.values.count(option.name) != 0;
    for (const auto &[number, count] : given) {
        const std::string names = joined(group(*use.stage, number), ", ");
        if (count > 1)
            throw Refused("only one of " + names + " may be given");
        if (count == 0 && !has_fallback(*use.stage, number))
            throw Refused("one of " + names + " must be given");
    }
}

} // namespace

std::string Option::range() const {
    switch (type) {
    case Type::number:
        if (std::isinf(min) && std::isinf(max))
            return "number";
        // The largest finite number stands for no limit; infinity is excluded.
        return (min_excluded ? "(" : "[") + text(min) + ", " +
               (max == std::numeric_limits<double>::max() ? "inf)" : text(max) + "]");
    case Type::whole:
        return "whole number from " + text(min);
    case Type::choice:
        return joined(choices, "|");
    case Type::name:
        return "name";
    }
    return "";
}

bool Option::takes(const std::string &value) const {
    switch (type) {
    case Type::number: {
        double v;
        return parse(value, v) && v <= max && (min_excluded ? v > min : v >= min);
    }
    case Type::whole: {
        unsigned long long v;
        return parse(value, v) && static_cast<double>(v) >= min && static_cast<double>(v) <= max;
    }
    case Type::choice:
        return std::find(choices.begin(), choices.end(), value) != choices.end();
    case Type::name:
        return !value.empty();
    }
    return false;
}

const Option *Stage::option(const std::string &wanted) const {
    const auto found =
        std::find_if(options.begin(), options.end(), [&](const Option &option) { return option.name == wanted; });
    return found == options.end() ? nullptr : &*found;
}

void Registry::add(Stage stage) {
    std::vector<std::string> names = stage.aliases;
    names.push_back(stage.name);
    for (const std::string &name : names)
        if (find(name) != nullptr)
            throw std::logic_error("the sampler name " + name + " is taken");
    const std::string name = stage.name;
    stages_.emplace(name, std::move(stage));
}

const Stage *Registry::find(const std::string &name) const {
    if (const auto found = stages_.find(name); found != stages_.end())
        return &found->second;
    for (const auto &[_, stage] : stages_)
        if (std::find(stage.aliases.begin(), stage.aliases.end(), name) != stage.aliases.end())
            return &stage;
    return nullptr;
}

void validate(const Use &use) {
    for (const Option &option : use.stage->options) {
        const std::string name = "--" + use.stage->name + "-" + option.name;
        const auto given = use.values.find(option.name);
        if (given == use.values.end()) {
            if (option.required)
                throw Refused(name + " must be given: " + option.summary);
        } else if (!option.takes(given->second)) {
            throw Refused(name + " takes " + option.range() + ", not '" + given->second + "'");
        }
    }
    validate_groups(use);
}

std::string help(const Registry &registry) {
    std::ostringstream out;
    for (const auto &[name, stage] : registry.stages()) {
        out << "\n  " << name;
        if (!stage.aliases.empty())
            out << " (" << joined(stage.aliases, ", ") << ")";
        out << (stage.draws ? ", takes the token" : "") << "\n      " << stage.summary << "\n      [" << stage.source
            << "]\n";
        for (const Option &option : stage.options) {
            out << "      --" << name << "-" << option.name << " <" << option.range() << ">\n          "
                << option.summary;
            if (const std::string said = limits(stage, option); !said.empty())
                out << " (" << said << ")";
            out << "\n";
        }
    }
    return out.str();
}

} // namespace engine
