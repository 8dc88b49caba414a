#include "apps/rpt/git_config.h"

#include <fcntl.h>
#include <pwd.h>

#include <cstdlib>
#include <optional>

#include "apps/rpt/file_opening.h"
#include "apps/rpt/glob_pattern.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxBytes = 4 << 20;
constexpr int kMaxIncludes = 10;  // one within the other, as git allows

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : value;
}

bool is_true(const std::string& value) {
    return value == "true" || value == "yes" || value == "on" || value == "1";
}

std::string small_letters(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

// One file as a sequence of section headers and values.
class ConfigReader {
  public:
    explicit ConfigReader(std::string_view text) : text_(text) {
        if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
    }

    struct Entry {
        std::string section, key, value;
    };
    // Nothing at the end, and at the first line that is not of the form.
    std::optional<Entry> next() {
        for (;;) {
            skip_blank();
            if (text_.empty()) return std::nullopt;
            if (text_[0] == '#' || text_[0] == ';') {
                text_.remove_prefix(std::min(text_.find('\n'), text_.size()));
            } else if (text_[0] == '[') {
                if (!read_section()) return std::nullopt;
            } else {
                return read_entry();
            }
        }
    }

  private:
    static bool is_name(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    }
    void skip_blank() {
        const size_t at = text_.find_first_not_of(" \t\r\n");
        text_.remove_prefix(std::min(at, text_.size()));
    }
    char take() {
        if (text_.empty()) return '\n';
        const char c = text_[0];
        text_.remove_prefix(1);
        return c;
    }

    // [section], [section "sub"], and the old [section.sub]
    bool read_section() {
        take();
        section_.clear();
        while (!text_.empty() && (is_name(text_[0]) || text_[0] == '.')) section_ += take();
        section_ = small_letters(section_);
        while (text_.starts_with(' ') || text_.starts_with('\t')) take();
        if (text_.starts_with('"')) {
            take();
            section_ += '.';
            for (;;) {
                char c = take();
                if (c == '"') break;
                if (c == '\\') c = take();
                if (c == '\n') return false;
                section_ += c;
            }
        }
        return take() == ']';
    }

    std::optional<Entry> read_entry() {
        std::string key;
        while (!text_.empty() && is_name(text_[0])) key += take();
        while (text_.starts_with(' ') || text_.starts_with('\t')) take();
        if (key.empty() || section_.empty()) return std::nullopt;
        Entry entry{section_, small_letters(key), "true"};  // a key alone is true
        if (text_.starts_with('=')) {
            take();
            const auto value = read_value();
            if (!value) return std::nullopt;
            entry.value = *value;
        } else if (take() != '\n') {
            return std::nullopt;
        }
        return entry;
    }

    std::optional<std::string> read_value() {
        std::string out;
        size_t kept = 0;  // blanks behind it are dropped unless more follows
        bool quoted = false;
        for (;;) {
            char c = take();
            if (c == '\r' && text_.starts_with('\n')) c = take();
            if (c == '\n') break;
            if (!quoted && (c == '#' || c == ';')) {
                while (take() != '\n') {
                }
                break;
            }
            if (c == '"') {
                quoted = !quoted;
                continue;
            }
            if (!quoted && (c == ' ' || c == '\t')) {
                if (!out.empty()) out += c;
                continue;
            }
            if (c == '\\') {
                c = take();
                if (c == '\n') continue;
                if (c == 'n')
                    c = '\n';
                else if (c == 't')
                    c = '\t';
                else if (c == 'b')
                    c = '\b';
                else if (c != '\\' && c != '"')
                    return std::nullopt;
            }
            out += c;
            kept = out.size();
        }
        if (quoted) return std::nullopt;
        out.resize(kept);
        return out;
    }

    std::string_view text_;
    std::string section_;
};

}  // namespace

void GitConfig::add_file(const fs::path& file) {
    add_file(file, 0);
}

void GitConfig::add_file(const fs::path& file, int depth) {
    if (depth > kMaxIncludes || file.empty()) return;
    std::string problem;
    const auto text = read_small_file(AT_FDCWD, file.native(), true, kMaxBytes, problem);
    if (!text) return;
    ConfigReader reader(*text);
    while (const auto entry = reader.next())
        add_value(entry->section, entry->key, entry->value, file.parent_path(), depth);
}

void GitConfig::add_value(const std::string& section, const std::string& key,
                          const std::string& value, const fs::path& folder, int depth) {
    constexpr std::string_view kIf = "includeif.";
    if (key == "path" && (section == "include" ||
                          (section.starts_with(kIf) &&
                           include_holds(std::string_view(section).substr(kIf.size()), folder))))
        add_file(folder / expand_home(value), depth + 1);
    values_[section + "." + key] = value;
}

// gitdir: and gitdir/i: alone; branches and remotes are for other programs.
bool GitConfig::include_holds(std::string_view condition, const fs::path& folder) const {
    const bool any_case = condition.starts_with("gitdir/i:");
    if (!any_case && !condition.starts_with("gitdir:")) return false;
    std::string pattern = expand_home(std::string(condition.substr(condition.find(':') + 1)));
    if (pattern.starts_with("./")) pattern = (folder / pattern.substr(2)).native();
    if (!pattern.starts_with('/')) pattern = "**/" + pattern;
    if (pattern.ends_with('/')) pattern += "**";
    std::string place = git_dir_.native();
    if (any_case) {
        pattern = small_letters(pattern);
        place = small_letters(place);
    }
    return !place.empty() && GlobPattern(pattern).matches(place);
}

const std::string* GitConfig::find(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
}

fs::path expand_home(const std::string& path) {
    if (!path.starts_with('~')) return path;
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string rest = path.substr(std::min(slash + 1, path.size()));
    const std::string user = path.substr(1, slash - 1);
    if (user.empty()) return fs::path(environment("HOME")) / rest;
    const passwd* entry = getpwnam(user.c_str());
    return entry == nullptr ? fs::path(path) : fs::path(entry->pw_dir) / rest;
}

fs::path user_git_file(const std::string& name) {
    const std::string base = environment("XDG_CONFIG_HOME");
    if (!base.empty()) return fs::path(base) / "git" / name;
    const std::string home = environment("HOME");
    return home.empty() ? fs::path() : fs::path(home) / ".config/git" / name;
}

GitConfig read_git_config(const fs::path& git_dir, const fs::path& common_dir) {
    GitConfig config(git_dir);
    const std::string machine = environment("GIT_CONFIG_SYSTEM");
    if (!is_true(environment("GIT_CONFIG_NOSYSTEM")))
        config.add_file(machine.empty() ? "/etc/gitconfig" : machine);
    if (std::getenv("GIT_CONFIG_GLOBAL") != nullptr) {
        config.add_file(environment("GIT_CONFIG_GLOBAL"));
    } else {
        config.add_file(user_git_file("config"));
        config.add_file(expand_home("~/.gitconfig"));
    }
    if (!common_dir.empty()) {
        config.add_file(common_dir / "config");
        const std::string* own = config.find("extensions.worktreeconfig");
        if (own != nullptr && is_true(*own)) config.add_file(git_dir / "config.worktree");
    }
    const int n_given = std::atoi(environment("GIT_CONFIG_COUNT").c_str());
    for (int i = 0; i < n_given && i < 1000; ++i) {
        const std::string number = std::to_string(i);
        config.set(small_letters(environment(("GIT_CONFIG_KEY_" + number).c_str())),
                   environment(("GIT_CONFIG_VALUE_" + number).c_str()));
    }
    return config;
}

}  // namespace rpt::cli
