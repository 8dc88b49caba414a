// What CLI11 lets pass of a command line and we do not.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace rpt::cli {

// Whether --json stands on the line, also one that cannot be understood.
bool wants_json(int argc, const char* const* argv);

// The words in the order in which CLI::App::parse() wants them, which is the last one first. CLI11
// takes the word behind "--key=" for its value, so such a word becomes two.
std::vector<std::string> words_of(int argc, const char* const* argv);

// An empty value, mostly an unset variable of a script, is a mistake, but for texts. Throws
// CLI::ValidationError.
void refuse_empty_values(const CLI::App& app);

}  // namespace rpt::cli
