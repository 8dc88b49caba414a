// The rules of .gitignore files: which paths of a tree a person does not want read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rpt::cli {

// `pattern` against `text`, both with '/' between names: '*' and '?' stay inside a name, "**" as a
// whole name stands for any number of them, [a-z] and [!a-z] for one character, '\' takes the next
// one as it is.
bool glob_matches(std::string_view pattern, std::string_view text);

// The rules of one tree, gathered from its root downwards. A later rule beats an earlier one, and
// so a deeper file beats the one above it.
class IgnoreRules {
  public:
    // Lines of a .gitignore that stands in `folder`, relative to the root of the tree ("" for the
    // root itself).
    void add_file(std::string_view folder, std::string_view content);
    // `path` is relative to the root. Says nothing about the folders above it: a walk that asks for
    // each folder on the way down and does not enter the ignored ones gets git's answer, in which
    // nothing inside an ignored folder comes back.
    bool ignores(std::string_view path, bool is_folder) const;

  private:
    struct Rule {
        std::string folder;   // where the rule was written, "" or "a/b"
        std::string pattern;  // without its marks
        bool negated = false;
        bool folders_only = false;
        bool anchored = false;  // matches the path below `folder`; otherwise the last name alone
    };
    std::vector<Rule> rules_;
};

}  // namespace rpt::cli
