// Target ignore_rules: any pattern against any path gives what a plain reading of git's rules
// gives, and the last rule that matches decides.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/rpt/glob_pattern.h"
#include "apps/rpt/ignore_rules.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input_bytes.h"

namespace rpt::fuzz {
namespace {

constexpr size_t kMostPattern = 96, kMostPath = 96;  // the twin keeps a table of both

// The twin: walks pattern and path together, trying every length of a star. A table of what failed
// keeps it from trying again.
class PlainMatch {
  public:
    PlainMatch(std::string_view pattern, std::string_view path)
        : pattern_(pattern), path_(path), failed_((pattern.size() + 1) * (path.size() + 1)) {}

    bool matches() { return from(0, 0); }

  private:
    char pattern_at(size_t i) const { return i < pattern_.size() ? pattern_[i] : '\0'; }

    bool from(size_t i, size_t j) {
        std::vector<bool>::reference failed = failed_[i * (path_.size() + 1) + j];
        if (failed) return false;
        if (try_from(i, j)) return true;
        failed = true;
        return false;
    }

    bool try_from(size_t i, size_t j) {
        if (i == pattern_.size()) return j == path_.size();
        const char p = pattern_[i];
        if (p == '*') return stars(i, j);
        if (j == path_.size()) return false;
        const char c = path_[j];
        if (p == '?') return c != '/' && from(i + 1, j + 1);
        if (p == '[') {
            bool member = false;
            const std::optional<size_t> end =
                in_class(i + 1, static_cast<unsigned char>(c), member);
            return end && member && c != '/' && from(*end, j + 1);
        }
        if (p == '\\') return i + 1 < pattern_.size() && pattern_[i + 1] == c && from(i + 2, j + 1);
        return p == c && from(i + 1, j + 1);
    }

    bool stars(size_t i, size_t j) {
        size_t behind = i;
        while (pattern_at(behind) == '*' && behind < pattern_.size()) ++behind;
        const bool name_begins = i == 0 || pattern_[i - 1] == '/';
        const bool name_ends = behind == pattern_.size() || pattern_[behind] == '/' ||
                               pattern_.substr(behind, 2) == "\\/";
        const bool across = behind - i >= 2 && name_begins && name_ends;
        if (across && pattern_at(behind) == '/' && from(behind + 1, j)) return true;
        for (size_t end = j;; ++end) {
            if (from(behind, end)) return true;
            if (end == path_.size() || (path_[end] == '/' && !across)) return false;
        }
    }

    static bool named(std::string_view name, unsigned char c, bool& known) {
        const bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z',
                   digit = c >= '0' && c <= '9', visible = c > 0x20 && c < 0x7f;
        known = true;
        if (name == "alnum") return upper || lower || digit;
        if (name == "alpha") return upper || lower;
        if (name == "blank") return c == ' ' || c == '\t';
        if (name == "cntrl") return c < 0x20 || c == 0x7f;
        if (name == "digit") return digit;
        if (name == "graph") return visible;
        if (name == "lower") return lower;
        if (name == "print") return visible || c == ' ';
        if (name == "punct") return visible && !upper && !lower && !digit;
        if (name == "space") return c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (name == "upper") return upper;
        if (name == "xdigit") return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        known = false;
        return false;
    }

    // Whether `c` is in the class behind a '[' at i - 1, and where the class ends; nothing if it
    // has no end or names what does not exist.
    std::optional<size_t> in_class(size_t i, unsigned char c, bool& member) const {
        const bool negated = pattern_at(i) == '!' || pattern_at(i) == '^';
        if (negated) ++i;
        int low = -1;  // a range may begin with it
        bool found = false;
        for (bool first = true;; first = false) {
            if (i >= pattern_.size()) return std::nullopt;
            if (pattern_[i] == ']' && !first) break;
            if (pattern_[i] == '-' && low >= 0 && i + 1 < pattern_.size() &&
                pattern_[i + 1] != ']') {
                i += pattern_[i + 1] == '\\' ? 2 : 1;
                if (i >= pattern_.size()) return std::nullopt;
                const auto high = static_cast<unsigned char>(pattern_[i++]);
                found = found || (low <= c && c <= high);
                low = -1;
                continue;
            }
            if (pattern_.substr(i, 2) == "[:") {
                const size_t close = pattern_.find(']', i + 2);
                if (close == std::string_view::npos) return std::nullopt;
                if (close > i + 2 && pattern_[close - 1] == ':') {
                    bool known = false;
                    found = named(pattern_.substr(i + 2, close - i - 3), c, known) || found;
                    if (!known) return std::nullopt;
                    low = -1;
                    i = close + 1;
                    continue;
                }
            } else if (pattern_[i] == '\\') {
                if (++i >= pattern_.size()) return std::nullopt;
            }
            low = static_cast<unsigned char>(pattern_[i++]);
            found = found || c == low;
        }
        member = found != negated;
        return i + 1;
    }

    std::string_view pattern_, path_;
    std::vector<bool> failed_;
};

struct Rule {
    std::string folder, pattern;
    bool negated, folders_only, anchored;
};

// One line of a rule file, read from behind.
std::optional<Rule> rule_of(std::string_view folder, std::string_view line) {
    line = line.substr(0, line.find('\0'));
    if (line.starts_with('#')) return std::nullopt;
    // blanks at the end, but for one that an odd number of backslashes keeps
    while (line.ends_with(' ')) {
        size_t backslashes = 0;
        while (backslashes + 1 < line.size() && line[line.size() - 2 - backslashes] == '\\')
            ++backslashes;
        if (backslashes % 2 == 1) break;
        line.remove_suffix(1);
    }
    Rule rule{std::string(folder), "", line.starts_with('!'), false, false};
    if (rule.negated) line.remove_prefix(1);
    rule.folders_only = line.ends_with('/');
    if (rule.folders_only) line.remove_suffix(1);
    rule.anchored = line.find('/') != std::string_view::npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (line.empty()) return std::nullopt;
    rule.pattern = line;
    return rule;
}

bool applies(const Rule& rule, std::string_view path, bool is_folder) {
    if (rule.folders_only && !is_folder) return false;
    if (!rule.folder.empty()) {
        if (!path.starts_with(rule.folder + "/")) return false;
        path.remove_prefix(rule.folder.size() + 1);
    }
    if (!rule.anchored) path = path.substr(path.rfind('/') + 1);
    return PlainMatch(rule.pattern, path).matches();
}

void check_pattern(InputBytes in) {
    const std::string_view pattern = in.take_until('\n').substr(0, kMostPattern),
                           path = in.rest().substr(0, kMostPath);
    expect(cli::GlobPattern(pattern).matches(path) == PlainMatch(pattern, path).matches(),
           "the twin gives another answer");
}

void check_rules(InputBytes in) {
    const std::string_view folder = in.below(2) == 0 ? "" : "a/b";
    std::string_view outer = in.take_until('\xff'), inner = in.take_until('\xff');
    cli::IgnoreRules rules;
    rules.add_file("", outer);
    const size_t n_outer = rules.size();
    rules.add_file(folder, inner);
    std::vector<Rule> plain;
    for (auto [where, content] : {std::pair(std::string_view(), outer), std::pair(folder, inner)}) {
        if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
        InputBytes lines(content);
        while (!lines.empty()) {
            std::string_view line = lines.take_until('\n');
            if (line.ends_with('\r')) line.remove_suffix(1);
            if (auto rule = rule_of(where, line)) plain.push_back(*rule);
        }
    }
    expect(rules.size() == plain.size(), "another number of rules");
    for (const Rule& rule : plain)
        if (rule.pattern.size() > kMostPattern) return;
    for (int i = 0; i < 8 && !in.empty(); ++i) {
        const std::string_view path = in.take_until('\n').substr(0, kMostPath);
        for (const bool is_folder : {false, true}) {
            bool wanted = false;
            for (const Rule& rule : plain)
                if (applies(rule, path, is_folder)) wanted = !rule.negated;
            expect(rules.ignores(path, is_folder) == wanted, "another rule decides");
        }
    }
    rules.shrink_to(n_outer);
    expect(rules.size() == n_outer, "rules of a folder stay behind");
}

// A pattern and a path of any length: time is linear in the product.
void check_long(InputBytes in) {
    const size_t times = in.below(64) + 1;
    std::string pattern, path;
    const std::string_view one = in.take_until('\n').substr(0, 16), other = in.rest().substr(0, 16);
    for (size_t i = 0; i < times; ++i) {
        pattern += one;
        path += other;
    }
    cli::GlobPattern(pattern).matches(path);
}

}  // namespace

void run_ignore_rules(InputBytes in) {
    switch (in.below(3)) {
        case 0:
            return check_pattern(in);
        case 1:
            return check_rules(in);
        default:
            return check_long(in);
    }
}

}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_ignore_rules(rpt::fuzz::InputBytes(data, size));
    return 0;
}
