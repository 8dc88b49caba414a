#include "apps/rpt/ignore_rules.h"

#include <optional>

namespace rpt::cli {
namespace {

// Reads "[...]" at the start of `pattern`; the number of bytes it takes and whether `c` belongs to
// it, or nothing if it is not closed and so stands for itself.
struct ClassMatch {
    size_t size;
    bool matched;
};
std::optional<ClassMatch> match_class(std::string_view pattern, char c) {
    size_t at = 1;
    const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
    if (negated) ++at;
    bool matched = false;
    for (bool first = true; at < pattern.size(); first = false) {
        if (pattern[at] == ']' && !first) return ClassMatch{at + 1, matched != negated && c != '/'};
        if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
        const char low = pattern[at++];
        char high = low;
        if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
            high = pattern[at + 1];
            at += 2;
        }
        matched = matched || (low <= c && c <= high);
    }
    return std::nullopt;
}

// Inside one name and across names: "**" between slashes was taken care of by the caller.
bool match_from(std::string_view pattern, std::string_view text) {
    while (!pattern.empty()) {
        if (pattern.starts_with("**/")) {
            // any number of whole names, none included
            for (std::string_view rest = text;;) {
                if (match_from(pattern.substr(3), rest)) return true;
                const size_t slash = rest.find('/');
                if (slash == std::string_view::npos) return false;
                rest = rest.substr(slash + 1);
            }
        }
        if (pattern == "**") return !text.empty();
        const char p = pattern[0];
        if (p == '*') {
            while (!pattern.empty() && pattern[0] == '*') pattern.remove_prefix(1);
            for (size_t used = 0;; ++used) {
                if (match_from(pattern, text.substr(used))) return true;
                if (used == text.size() || text[used] == '/') return false;
            }
        }
        if (text.empty()) return false;
        if (p == '?') {
            if (text[0] == '/') return false;
            pattern.remove_prefix(1);
        } else if (p == '[') {
            if (auto found = match_class(pattern, text[0])) {
                if (!found->matched) return false;
                pattern.remove_prefix(found->size);
            } else {
                if (text[0] != '[') return false;
                pattern.remove_prefix(1);
            }
        } else {
            if (p == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
            if (pattern[0] != text[0]) return false;
            pattern.remove_prefix(1);
        }
        const bool name_ends = text[0] == '/';
        text.remove_prefix(1);
        // "a/**" and "a/**/b": the double star counts only at the start of a name
        if (!name_ends && pattern.starts_with("**")) {
            while (pattern.size() > 1 && pattern[1] == '*') pattern.remove_prefix(1);
        }
    }
    return text.empty();
}

std::string_view without_trailing_spaces(std::string_view line) {
    while (!line.empty() && line.back() == ' ') {
        size_t backslashes = 0;
        while (backslashes + 1 < line.size() && line[line.size() - 2 - backslashes] == '\\')
            ++backslashes;
        if (backslashes % 2 == 1) break;
        line.remove_suffix(1);
    }
    return line;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
    return match_from(pattern, text);
}

void IgnoreRules::add_file(std::string_view folder, std::string_view content) {
    if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
    while (!content.empty()) {
        const size_t end = content.find('\n');
        std::string_view line = content.substr(0, end);
        content = end == std::string_view::npos ? std::string_view() : content.substr(end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.starts_with('#')) continue;
        line = without_trailing_spaces(line);
        Rule rule;
        rule.folder = folder;
        if (line.starts_with('!')) {
            rule.negated = true;
            line.remove_prefix(1);
        }
        if (line.ends_with('/')) {
            rule.folders_only = true;
            line.remove_suffix(1);
        }
        rule.anchored = line.find('/') != std::string_view::npos;
        if (line.starts_with('/')) line.remove_prefix(1);
        if (line.empty()) continue;
        rule.pattern = line;
        rules_.push_back(std::move(rule));
    }
}

bool IgnoreRules::ignores(std::string_view path, bool is_folder) const {
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
        if (!rule->anchored) below = below.substr(below.rfind('/') + 1);
        if (glob_matches(rule->pattern, below)) return !rule->negated;
    }
    return false;
}

}  // namespace rpt::cli
