// Working trees of git: where one starts, and which rule files count in it besides its .gitignore
// files.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace rpt::cli {

struct GitRepository {
    std::filesystem::path git_dir;     // what its ".git" is or points to
    std::filesystem::path common_dir;  // what all checkouts of the repository share
    bool is_linked() const { return git_dir != common_dir; }  // made by `git worktree add`
};

// The repository whose working tree starts in this folder.
std::optional<GitRepository> repository_in(const std::filesystem::path& folder);
// The folder in which the working tree around this one starts, itself included. A folder with a
// ".git" that git would not take for a repository counts if there is no better one; without any,
// it is the folder itself.
std::filesystem::path working_tree_of(const std::filesystem::path& folder);

// Told about a rule file that cannot be used, with the reason.
using RuleFileComplaint =
    std::function<void(const std::filesystem::path& file, const std::string& why)>;
constexpr size_t kMaxRuleBytes = 4 << 20;
// Contents of the rule files outside the tree, the weakest first: the user's own, which git's
// configuration names or which stands in its usual place, and the repository's info/exclude.
std::vector<std::string> outer_rules(const std::filesystem::path& top,
                                     const std::optional<GitRepository>& repository,
                                     const RuleFileComplaint& complain);

}  // namespace rpt::cli
