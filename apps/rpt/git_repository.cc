#include "apps/rpt/git_repository.h"

#include <fcntl.h>

#include "apps/rpt/file_opening.h"
#include "apps/rpt/git_config.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPointerBytes = 8192;  // of a file that holds one path

// The one line of a small file, without its end.
std::string line_of(const fs::path& file) {
    std::string problem;
    std::string text =
        read_small_file(AT_FDCWD, file.native(), true, kMaxPointerBytes, problem).value_or("");
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
}

// What git asks of a folder before it takes it for its own.
bool is_git_dir(const fs::path& folder, const fs::path& common) {
    std::error_code error;
    return fs::exists(fs::symlink_status(folder / "HEAD", error)) &&
           fs::is_directory(common / "objects", error) && fs::is_directory(common / "refs", error);
}

}  // namespace

std::optional<GitRepository> repository_in(const fs::path& folder) {
    std::error_code error;
    fs::path git_dir = folder / ".git";
    const fs::file_status status = fs::status(git_dir, error);
    if (fs::is_regular_file(status)) {
        // a linked checkout or a submodule
        constexpr std::string_view kMark = "gitdir: ";
        const std::string line = line_of(git_dir);
        if (!line.starts_with(kMark)) return std::nullopt;
        git_dir = folder / line.substr(kMark.size());
    } else if (!fs::is_directory(status)) {
        return std::nullopt;
    }
    git_dir = fs::weakly_canonical(git_dir, error);
    fs::path common = git_dir;
    if (const std::string shared = line_of(git_dir / "commondir"); !shared.empty())
        common = fs::weakly_canonical(git_dir / shared, error);
    if (!is_git_dir(git_dir, common)) return std::nullopt;
    return GitRepository{git_dir, common};
}

fs::path working_tree_of(const fs::path& folder) {
    std::error_code error;
    std::optional<fs::path> likely;
    for (fs::path at = folder;; at = at.parent_path()) {
        if (repository_in(at)) return at;
        if (!likely && fs::exists(fs::symlink_status(at / ".git", error))) likely = at;
        if (at == at.parent_path()) return likely.value_or(folder);
    }
}

std::vector<std::string> outer_rules(const fs::path& top,
                                     const std::optional<GitRepository>& repository,
                                     const RuleFileComplaint& complain) {
    std::vector<std::string> contents;
    const auto add = [&](const fs::path& file) {
        std::string problem;
        auto text = read_small_file(AT_FDCWD, file.native(), true, kMaxRuleBytes, problem);
        if (text) contents.push_back(std::move(*text));
        if (!problem.empty()) complain(file, problem);
    };
    const GitConfig config = repository
                                 ? read_git_config(repository->git_dir, repository->common_dir)
                                 : read_git_config({}, {});
    const std::string* given = config.find("core.excludesfile");
    const fs::path own = given != nullptr ? expand_home(*given) : user_git_file("ignore");
    if (!own.empty()) add(top / own);
    if (repository) add(repository->common_dir / "info/exclude");
    return contents;
}

}  // namespace rpt::cli
