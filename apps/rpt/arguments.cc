#include "apps/rpt/arguments.h"

#include <CLI/App.hpp>
#include <algorithm>
#include <string_view>

namespace rpt::cli {
namespace {

// Texts may be empty.
bool takes_empty(const CLI::Option& option) {
    const std::string name = option.get_name();
    return name == "--prompt" || name == "--suffix";
}

void refuse_in(const CLI::App& command) {
    for (const CLI::Option* option : command.get_options()) {
        if (takes_empty(*option)) continue;
        const auto& values = option->results();
        if (std::ranges::any_of(values, [](const std::string& value) { return value.empty(); }))
            throw CLI::ValidationError(option->get_name(),
                                       "its value is empty; give one or leave it out");
    }
    for (const CLI::App* chosen : command.get_subcommands()) refuse_in(*chosen);
}

}  // namespace

bool wants_json(int argc, const char* const* argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--") return false;
        if (word == "--json") return true;
    }
    return false;
}

std::vector<std::string> words_of(int argc, const char* const* argv) {
    std::vector<std::string> words;
    bool options = true;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        options = options && word != "--";
        if (options && word.starts_with("--") && word.find('=') == word.size() - 1) {
            words.emplace_back(word.substr(0, word.size() - 1));
            words.emplace_back();
        } else {
            words.emplace_back(word);
        }
    }
    std::ranges::reverse(words);
    return words;
}

void refuse_empty_values(const CLI::App& app) {
    refuse_in(app);
}

}  // namespace rpt::cli
