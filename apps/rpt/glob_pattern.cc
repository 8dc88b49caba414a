#include "apps/rpt/glob_pattern.h"

#include <optional>

namespace rpt::cli {
namespace {

using ByteSet = std::bitset<256>;

bool is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(int c) {
    return c >= '0' && c <= '9';
}
bool is_visible(int c) {
    return c > ' ' && c < 0x7f;
}

// The names that may stand between "[:" and ":]". Of ASCII, whatever the locale.
bool in_named_class(std::string_view name, int c) {
    if (name == "alnum") return is_letter(c) || is_digit(c);
    if (name == "alpha") return is_letter(c);
    if (name == "blank") return c == ' ' || c == '\t';
    if (name == "cntrl") return c < 0x20 || c == 0x7f;
    if (name == "digit") return is_digit(c);
    if (name == "graph") return is_visible(c);
    if (name == "lower") return c >= 'a' && c <= 'z';
    if (name == "print") return is_visible(c) || c == ' ';
    if (name == "punct") return is_visible(c) && !is_letter(c) && !is_digit(c);
    if (name == "space") return c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (name == "upper") return c >= 'A' && c <= 'Z';
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');  // xdigit
}

bool is_class_name(std::string_view name) {
    for (const std::string_view known : {"alnum", "alpha", "blank", "cntrl", "digit", "graph",
                                         "lower", "print", "punct", "space", "upper", "xdigit"})
        if (name == known) return true;
    return false;
}

// Reads a class from behind its '[' to behind its ']'.
class ClassReader {
  public:
    ClassReader(std::string_view pattern, size_t at) : pattern_(pattern), at_(at) {}

    // Nothing if the class is not whole.
    std::optional<ByteSet> read() {
        const bool negated = byte() == '!' || byte() == '^';
        if (negated) ++at_;
        for (bool first = true; first || byte() != ']'; first = false)
            if (!read_member()) return std::nullopt;
        ++at_;
        ByteSet set = negated ? ~set_ : set_;
        set.reset('/');
        return set;
    }
    size_t end() const { return at_; }

  private:
    int byte(size_t ahead = 0) const {
        return at_ + ahead < pattern_.size() ? static_cast<unsigned char>(pattern_[at_ + ahead])
                                             : -1;
    }

    bool read_member() {
        if (byte() == '-' && last_ >= 0 && byte(1) >= 0 && byte(1) != ']') {
            ++at_;
            if (byte() == '\\') ++at_;
            if (byte() < 0) return false;
            for (int c = last_; c <= byte(); ++c) set_.set(static_cast<size_t>(c));
            last_ = -1;  // "a-c-e" is a range and two bytes
            ++at_;
            return true;
        }
        if (byte() == '[' && byte(1) == ':') {
            const size_t name = at_ + 2, close = pattern_.find(']', name);
            if (close == std::string_view::npos) return false;
            if (close > name && pattern_[close - 1] == ':')
                return read_named(pattern_.substr(name, close - 1 - name), close);
        } else if (byte() == '\\') {
            ++at_;
        }
        if (byte() < 0) return false;
        last_ = byte();
        set_.set(static_cast<size_t>(last_));
        ++at_;
        return true;
    }

    bool read_named(std::string_view name, size_t close) {
        if (!is_class_name(name)) return false;
        for (int c = 0; c < 0x80; ++c)
            if (in_named_class(name, c)) set_.set(static_cast<size_t>(c));
        last_ = -1;
        at_ = close + 1;
        return true;
    }

    std::string_view pattern_;
    size_t at_;
    int last_ = -1;  // what a range may start with
    ByteSet set_;
};

}  // namespace

GlobPattern::GlobPattern(std::string_view pattern) {
    const size_t special = pattern.find_first_of("*?[\\");
    const size_t plain = special == std::string_view::npos ? pattern.size() : special;
    literal_ = pattern.substr(0, plain);
    compile(pattern);
}

void GlobPattern::compile(std::string_view pattern) {
    for (size_t at = literal_.size(); at < pattern.size() && whole_;) {
        if (pattern[at] == '*') {
            at = compile_stars(pattern, at);
        } else if (pattern[at] == '[' || pattern[at] == '?') {
            ByteSet any = ByteSet().set().reset('/');
            if (pattern[at++] == '[') {
                ClassReader reader(pattern, at);
                const auto set = reader.read();
                whole_ = set.has_value();
                any = set.value_or(any);
                at = reader.end();
            }
            steps_.push_back({Step::Kind::kClass, static_cast<uint32_t>(classes_.size())});
            classes_.push_back(any);
        } else {
            if (pattern[at] == '\\') ++at;
            whole_ = at < pattern.size();
            if (whole_) steps_.push_back({Step::Kind::kByte, uint8_t(pattern[at++])});
        }
    }
}

size_t GlobPattern::compile_stars(std::string_view pattern, size_t at) {
    const size_t start = at;
    while (at < pattern.size() && pattern[at] == '*') ++at;
    const std::string_view rest = pattern.substr(at);
    const bool whole_name = (start == 0 || pattern[start - 1] == '/') &&
                            (rest.empty() || rest[0] == '/' || rest.starts_with("\\/"));
    if (at - start < 2 || !whole_name) {
        steps_.push_back({Step::Kind::kStar});
        return at;
    }
    if (rest.starts_with('/')) steps_.push_back({Step::Kind::kFolders});
    steps_.push_back({Step::Kind::kAcross});
    return at;
}

// Steps that are reached without a byte lie ahead, so one pass finds them all.
void GlobPattern::close(std::vector<uint8_t>& active) const {
    for (size_t i = 0; i < steps_.size(); ++i) {
        const Step::Kind kind = steps_[i].kind;
        if (!active[i] || kind == Step::Kind::kByte || kind == Step::Kind::kClass) continue;
        active[i + 1] = 1;
        if (kind == Step::Kind::kFolders) active[i + 3] = 1;
    }
}

bool GlobPattern::take(const Step& step, unsigned char byte) const {
    return step.kind == Step::Kind::kByte ? step.value == byte : classes_[step.value][byte];
}

bool GlobPattern::matches(std::string_view text) const {
    if (!whole_ || !text.starts_with(literal_)) return false;
    text.remove_prefix(literal_.size());
    if (steps_.empty()) return text.empty();
    std::vector<uint8_t> active(steps_.size() + 1), next(steps_.size() + 1);
    active[0] = 1;
    close(active);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        next.assign(next.size(), 0);
        for (size_t i = 0; i < steps_.size(); ++i) {
            if (!active[i]) continue;
            switch (steps_[i].kind) {
                case Step::Kind::kFolders:
                    break;
                case Step::Kind::kStar:
                    if (byte != '/') next[i] = 1;
                    break;
                case Step::Kind::kAcross:
                    next[i] = 1;
                    break;
                default:
                    if (take(steps_[i], byte)) next[i + 1] = 1;
            }
        }
        close(next);
        active.swap(next);
    }
    return active[steps_.size()] != 0;
}

}  // namespace rpt::cli
