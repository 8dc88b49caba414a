// The rules of .gitignore files: which paths of a tree a person does not want read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "apps/rpt/glob_pattern.h"

namespace rpt::cli {

// The rules that hold in one folder of a tree: those of its own file, of the files above it, and of
// those outside the tree. A later rule beats an earlier one, so the weakest file is added first. A
// walk takes the rules of a folder away again when it leaves it.
class IgnoreRules {
  public:
    // Lines of a rule file that stands in `folder`, relative to the root of the tree ("" for the
    // root itself and for files outside the tree).
    void add_file(std::string_view folder, std::string_view content);
    // `path` is relative to the root. Says nothing about the folders above it: a walk that asks for
    // each folder on the way down and does not enter the ignored ones gets git's answer, in which
    // nothing inside an ignored folder comes back.
    bool ignores(std::string_view path, bool is_folder) const;

    size_t size() const { return rules_.size(); }
    void shrink_to(size_t size) { rules_.erase(rules_.begin() + ptrdiff_t(size), rules_.end()); }

  private:
    struct Rule {
        std::string folder;   // where the rule was written, "" or "a/b"
        GlobPattern pattern;  // without its marks
        bool negated = false;
        bool folders_only = false;
        bool anchored = false;  // matches the path below `folder`; otherwise the last name alone
    };
    void add_line(std::string_view folder, std::string_view line);

    std::vector<Rule> rules_;
};

}  // namespace rpt::cli
