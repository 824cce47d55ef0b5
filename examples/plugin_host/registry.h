// The engine's registry of samplers: names, options and their values, independent of the implementation.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace engine {

enum class Type { number, whole, choice, name };

struct Option {
    std::string name;
    std::string summary;
    std::string fallback; // the default; empty for none
    Type type = Type::number;
    double min = 0.0;
    double max = 0.0;
    bool min_excluded = false;
    std::vector<std::string> choices;
    bool required = false;
    unsigned group = 0; // options with the same number other than 0 exclude each other

    // Its range as text, such as "(0, 1]".
    std::string range() const;
    bool takes(const std::string &value) const;
};

struct Stage {
    std::string name;
    std::vector<std::string> aliases;
    std::string summary;
    std::string source;
    bool draws = false;
    std::vector<Option> options;

    const Option *option(const std::string &name) const;
};

// The options of a stage: name and value.
using Values = std::map<std::string, std::string>;

// A stage of a request.
struct Use {
    const Stage *stage;
    Values values;
};

// The request names something that does not exist or is not allowed.
struct Refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Registry {
public:
    // Throws std::logic_error if a name is in use.
    void add(Stage stage);
    // By name or alias; nullptr if there is none.
    const Stage *find(const std::string &name) const;
    const std::map<std::string, Stage> &stages() const { return stages_; }

private:
    std::map<std::string, Stage> stages_; // by name; their addresses do not change
};

// Throws Refused if a value is out of its range, a required one is missing, or two exclude each other.
void validate(const Use &use);

// All stages and their options, for --help.
std::string help(const Registry &registry);

} // namespace engine
