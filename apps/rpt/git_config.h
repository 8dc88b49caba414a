// What git's configuration says: which file of ignore rules counts everywhere.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::cli {

// Values of "section.key" and "section.subsection.key"; sections and keys in small letters, as git
// compares them. The last of several wins.
class GitConfig {
  public:
    // `git_dir` tells which conditional includes hold; may be empty.
    explicit GitConfig(std::filesystem::path git_dir = {}) : git_dir_(std::move(git_dir)) {}
    // Adds the values of a file and of the files that it includes. One that is not there adds none,
    // and neither does what stands behind a line that git would refuse.
    void add_file(const std::filesystem::path& file);
    void set(const std::string& name, std::string value) { values_[name] = std::move(value); }
    // nullptr if it was not given.
    const std::string* find(const std::string& name) const;

  private:
    void add_file(const std::filesystem::path& file, int depth);
    void add_value(const std::string& section, const std::string& key, const std::string& value,
                   const std::filesystem::path& folder, int depth);
    bool include_holds(std::string_view condition, const std::filesystem::path& folder) const;

    std::filesystem::path git_dir_;
    std::map<std::string, std::string> values_;
};

// "~" and "~name" at the start become home folders, as in git's paths.
std::filesystem::path expand_home(const std::string& path);
// Of the machine, of the user, of the repository whose folders are given (both empty: none), and of
// the environment, in that order.
GitConfig read_git_config(const std::filesystem::path& git_dir,
                          const std::filesystem::path& common_dir);
// Where a user's own file `name` of git is: below $XDG_CONFIG_HOME, or ~/.config.
std::filesystem::path user_git_file(const std::string& name);

}  // namespace rpt::cli
