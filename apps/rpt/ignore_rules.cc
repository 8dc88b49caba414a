#include "apps/rpt/ignore_rules.h"

namespace rpt::cli {
namespace {

// Blanks at the end go, unless a backslash stands before them; tabs stay.
std::string_view without_trailing_spaces(std::string_view line) {
    size_t end = 0;
    for (size_t at = 0; at < line.size(); ++at) {
        if (line[at] == ' ') continue;
        if (line[at] == '\\' && at + 1 < line.size()) ++at;
        end = at + 1;
    }
    return line.substr(0, end);
}

}  // namespace

void IgnoreRules::add_file(std::string_view folder, std::string_view content) {
    if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
    while (!content.empty()) {
        const size_t end = content.find('\n');
        std::string_view line = content.substr(0, end);
        content = end == std::string_view::npos ? std::string_view() : content.substr(end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        line = line.substr(0, line.find('\0'));  // as git does, which reads lines of C
        if (!line.starts_with('#')) add_line(folder, without_trailing_spaces(line));
    }
}

void IgnoreRules::add_line(std::string_view folder, std::string_view line) {
    const bool negated = line.starts_with('!');
    if (negated) line.remove_prefix(1);
    const bool folders_only = line.ends_with('/');
    if (folders_only) line.remove_suffix(1);
    const bool anchored = line.find('/') != std::string_view::npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (line.empty()) return;
    rules_.push_back({std::string(folder), GlobPattern(line), negated, folders_only, anchored});
}

bool IgnoreRules::ignores(std::string_view path, bool is_folder) const {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
        if (rule->folders_only && !is_folder) continue;
        std::string_view below = path;
        if (!rule->folder.empty()) {
            if (!below.starts_with(rule->folder) || below.size() <= rule->folder.size() ||
                below[rule->folder.size()] != '/') {
                continue;
            }
            below.remove_prefix(rule->folder.size() + 1);
        }
        if (rule->pattern.matches(rule->anchored ? below : name)) return !rule->negated;
    }
    return false;
}

}  // namespace rpt::cli
