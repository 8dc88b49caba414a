#include "apps/rpt/file_walk.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "apps/rpt/handles.h"
#include "apps/rpt/ignore_rules.h"
#include "apps/rpt/interrupt.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

class Walker {
  public:
    Walker(const fs::path& store, Walk& walk) : walk_(walk) {
        std::error_code error;
        store_ = fs::weakly_canonical(store, error);
    }

    void folder(const fs::path& given) {
        std::error_code error;
        const fs::path real = fs::canonical(given, error);
        root_ = repository_root(real);
        // rules of the folders above, from the repository's root down
        fs::path at = root_;
        const fs::path below = real.lexically_relative(root_);
        for (const fs::path& name : below) {
            if (name == ".") continue;
            add_rules(at);
            at /= name;
        }
        descend(given.lexically_normal(), real);
    }

  private:
    static fs::path repository_root(const fs::path& folder) {
        std::error_code error;
        for (fs::path at = folder;; at = at.parent_path()) {
            if (fs::exists(at / ".git", error)) return at;
            if (at == at.parent_path()) return folder;
        }
    }

    std::string relative(const fs::path& real) const {
        const std::string text = real.lexically_relative(root_).generic_string();
        return text == "." ? "" : text;
    }

    void add_rules(const fs::path& folder) {
        std::ifstream in(folder / ".gitignore", std::ios::binary);
        if (!in) return;
        rules_.add_file(relative(folder), std::string(std::istreambuf_iterator<char>(in), {}));
    }

    void skip(const fs::path& shown, const char* reason) {
        walk_.skipped.push_back({shown.generic_string(), reason});
    }

    void descend(const fs::path& shown, const fs::path& real) {
        if (interrupted()) throw Failure("interrupted", kExitInterrupted);
        add_rules(real);
        std::error_code error;
        std::vector<fs::directory_entry> entries;
        for (fs::directory_iterator it(real, error), end; !error && it != end;
             it.increment(error)) {
            entries.push_back(*it);
        }
        if (error) {
            skip(shown, "not readable");
            return;
        }
        std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
            return a.path().native() < b.path().native();
        });
        for (const auto& entry : entries) visit(shown, entry);
    }

    void visit(const fs::path& parent, const fs::directory_entry& entry) {
        std::error_code error;
        const fs::path name = entry.path().filename();
        const fs::path shown = parent == "." ? name : parent / name;
        if (name == ".git") return;
        const fs::file_status status = entry.symlink_status(error);
        const bool is_folder = status.type() == fs::file_type::directory;
        if (is_folder && entry.path() == store_) return;
        if (rules_.ignores(relative(entry.path()), is_folder)) {
            skip(shown, "ignored");
        } else if (is_folder) {
            descend(shown, entry.path());
        } else if (status.type() == fs::file_type::symlink) {
            skip(shown, "symbolic link");
        } else if (status.type() != fs::file_type::regular) {
            skip(shown, "not a regular file");
        } else {
            walk_.files.push_back(
                {entry.path(), shown.generic_string(), entry.file_size(error), false});
        }
    }

    Walk& walk_;
    fs::path store_, root_;
    IgnoreRules rules_;
};

}  // namespace

void walk_path(const std::string& argument, const fs::path& store, Walk& walk) {
    std::error_code error;
    const fs::file_status status = fs::status(argument, error);
    if (status.type() == fs::file_type::directory) {
        std::string given = argument;
        while (given.size() > 1 && given.ends_with('/')) given.pop_back();
        Walker(store, walk).folder(given);
    } else if (status.type() == fs::file_type::regular) {
        walk.files.push_back({argument, fs::path(argument).lexically_normal().generic_string(),
                              fs::file_size(argument, error), true});
    } else if (status.type() == fs::file_type::not_found) {
        throw Failure("\"" + argument + "\": no such file or directory");
    } else if (status.type() == fs::file_type::none) {
        throw Failure("\"" + argument + "\": " + error.message());
    } else {
        throw Failure("\"" + argument +
                      "\": neither a file nor a directory; to read a pipe give - and redirect it");
    }
}

}  // namespace rpt::cli
