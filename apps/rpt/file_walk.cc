#include "apps/rpt/file_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "apps/rpt/git_repository.h"
#include "apps/rpt/ignore_rules.h"
#include "apps/rpt/memory_place.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

struct Entry {
    std::string name;
    unsigned char type;  // DT_*
};

struct Listing {
    std::vector<Entry> entries;  // in order of their names
    int error = 0;
    bool holds(std::string_view name) const {
        return std::ranges::any_of(entries, [&](const Entry& e) { return e.name == name; });
    }
};

Listing list(int folder) {
    Listing out;
    Descriptor copy(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, int (*)(DIR*)> open(copy ? fdopendir(copy.get()) : nullptr,
                                                   closedir);
    if (!open) {
        out.error = errno;
        return out;
    }
    copy.release();
    for (;;) {
        errno = 0;
        const dirent* entry = readdir(open.get());
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") out.entries.push_back({std::string(name), entry->d_type});
    }
    out.error = errno;
    std::ranges::sort(out.entries, {}, &Entry::name);
    return out;
}

// The rules of one working tree, as far as the walk has gone down in it.
struct Scope {
    fs::path common_dir;  // of its repository; empty without one
    IgnoreRules rules;
};

// One folder on the way down.
struct Level {
    Opened folder;
    fs::path below;      // the root of the walk
    std::string inside;  // the same, below the top of the working tree
};

class Walker {
  public:
    Walker(std::optional<FileIdentity> store, const WalkHooks& hooks, Walk& walk)
        : store_(store), hooks_(hooks), walk_(walk) {}

    void folder(const fs::path& given, const fs::path& real) {
        root_ = real;
        shown_ = given.lexically_normal();
        Level level;
        level.folder = open_folder(AT_FDCWD, real.native(), true);
        if (!level.folder.fd) return fail({}, level.folder.problem);
        if (is_memory(level.folder.fd.get()) && !is_store(level.folder))
            return fail({}, "a memory itself; the memory that reads is named first, once");
        if (store_ && identity_of(real.parent_path()) == store_ &&
            is_own_name(real.filename().native()))
            return fail({}, "a part of the memory");
        const fs::path top = working_tree_of(real);
        Scope scope = scope_of(top);
        fs::path at = top;
        for (const fs::path& name : real.lexically_relative(top)) {
            if (name == ".") continue;
            add_rules(scope, AT_FDCWD, at, level.inside);
            at /= name;
            level.inside += (level.inside.empty() ? "" : "/") + name.native();
        }
        walk_.roots.push_back(real);
        descend(level, scope);
    }

  private:
    bool is_store(const Opened& folder) const {
        return store_ && FileIdentity{folder.facts.st_dev, folder.facts.st_ino} == *store_;
    }
    std::string shown(const fs::path& below) const {
        if (below.empty()) return shown_.generic_string();
        return (shown_ == "." ? below : shown_ / below).generic_string();
    }
    void skip(const fs::path& below, const std::string& why) {
        walk_.skipped.push_back({shown(below), why});
    }
    // What is in there is not known.
    void fail(const fs::path& below, const std::string& why) {
        walk_.failed.push_back({shown(below), why});
        walk_.unknown.push_back(below.empty() ? root_ : root_ / below);
    }

    Scope scope_of(const fs::path& top) {
        Scope scope;
        const auto repository = repository_in(top);
        if (repository) scope.common_dir = repository->common_dir;
        const auto complain = [&](const fs::path& file, const std::string& why) {
            walk_.skipped.push_back({file.native(), "its rules do not count: " + why});
        };
        for (const std::string& text : outer_rules(top, repository, complain))
            scope.rules.add_file("", text);
        return scope;
    }

    void add_rules(Scope& scope, int folder, const fs::path& path, const std::string& inside) {
        std::string problem;
        const bool is_open = folder != AT_FDCWD;
        const std::string name = is_open ? ".gitignore" : (path / ".gitignore").native();
        const auto text = read_small_file(folder, name, false, kMaxRuleBytes, problem);
        if (text) scope.rules.add_file(inside, *text);
        if (!problem.empty())
            walk_.skipped.push_back(
                {(is_open ? fs::path(shown(path)) / name : fs::path(name)).native(),
                 "its rules do not count: " + problem});
    }

    void descend(const Level& level, Scope& scope) {
        hooks_.check();
        hooks_.enter(level.below.empty() ? root_ : root_ / level.below);
        const int folder = level.folder.fd.get();
        Listing listing = list(folder);
        if (listing.error != 0) fail(level.below, std::strerror(listing.error));
        const size_t n_rules = scope.rules.size();
        if (listing.holds(".gitignore")) add_rules(scope, folder, level.below, level.inside);
        // A project may keep its memory beside its files.
        const bool holds_store = is_store(level.folder) && is_memory(folder);
        for (const Entry& entry : listing.entries) {
            hooks_.check();
            if (entry.name == ".git" || (holds_store && is_own_name(entry.name))) continue;
            visit(level, entry, scope);
        }
        scope.rules.shrink_to(n_rules);
    }

    unsigned char type_of(int folder, const Entry& entry) const {
        if (entry.type != DT_UNKNOWN) return entry.type;
        struct stat facts {};
        if (fstatat(folder, entry.name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0)
            return DT_UNKNOWN;
        return static_cast<unsigned char>(IFTODT(facts.st_mode));
    }

    void visit(const Level& level, const Entry& entry, Scope& scope) {
        const unsigned char type = type_of(level.folder.fd.get(), entry);
        const fs::path below = level.below / entry.name;
        const std::string inside = (level.inside.empty() ? "" : level.inside + "/") + entry.name;
        if (scope.rules.ignores(inside, type == DT_DIR)) {
            skip(below, "ignored");
        } else if (type == DT_DIR) {
            visit_folder(level, entry.name, below, inside, scope);
        } else if (type == DT_LNK) {
            skip(below, "symbolic link");
        } else if (type == DT_REG) {
            walk_.files.push_back({{root_, below}, root_ / below, shown(below), false});
        } else if (type != DT_UNKNOWN) {  // otherwise it has gone since
            skip(below, "not a regular file");
        }
    }

    void visit_folder(const Level& parent, const std::string& name, const fs::path& below,
                      const std::string& inside, Scope& scope) {
        Level level{open_folder(parent.folder.fd.get(), name, false), below, inside};
        if (!level.folder.fd) {
            // what has gone since it was listed is no failure
            if (level.folder.error != ENOENT && level.folder.error != ENOTDIR &&
                level.folder.error != ELOOP)
                fail(below, level.folder.problem);
            return;
        }
        if (is_store(level.folder)) return;
        const int folder = level.folder.fd.get();
        if (is_memory(folder)) return skip(below, "a memory");
        struct stat facts {};
        const bool has_git = fstatat(folder, ".git", &facts, AT_SYMLINK_NOFOLLOW) == 0;
        const auto repository = has_git ? repository_in(root_ / below) : std::nullopt;
        if (!repository) return descend(level, scope);
        if (repository->is_linked() && repository->common_dir == scope.common_dir)
            return skip(below, "another checkout of the repository around it");
        // The rules around a repository say whether it counts, and nothing of what is in it.
        Scope own = scope_of(root_ / below);
        level.inside.clear();
        descend(level, own);
    }

    std::optional<FileIdentity> store_;
    const WalkHooks& hooks_;
    Walk& walk_;
    fs::path root_, shown_;
};

// Absolute, without links among the folders on the way.
fs::path real_place(const fs::path& path) {
    std::error_code error;
    const fs::path absolute = fs::absolute(path, error);
    return fs::weakly_canonical(absolute.parent_path(), error) / absolute.filename();
}

}  // namespace

void walk_path(const std::string& argument, const fs::path& store, const WalkHooks& hooks,
               Walk& walk) {
    std::string given = argument;
    while (given.size() > 1 && given.ends_with('/')) given.pop_back();
    const std::string shown = fs::path(given).lexically_normal().generic_string();
    const auto identity = identity_of(store);
    struct stat facts {};
    if (stat(argument.c_str(), &facts) != 0) {
        const int code = errno;
        walk.failed.push_back({shown, std::strerror(code)});
        if (code == ENOENT || code == ENOTDIR) walk.missing.push_back(real_place(given));
        return;
    }
    if (S_ISDIR(facts.st_mode)) {
        std::error_code error;
        const fs::path real = fs::canonical(given, error);
        if (error)
            walk.failed.push_back({shown, error.message()});
        else
            Walker(identity, hooks, walk).folder(given, real);
    } else if (S_ISREG(facts.st_mode)) {
        const fs::path real = real_place(given);
        if (identity && identity_of(real.parent_path()) == identity && is_memory(store) &&
            is_own_name(real.filename().native())) {
            walk.failed.push_back({shown, "a part of the memory"});
            return;
        }
        walk.files.push_back({{given, {}}, real, shown, true});
    } else {
        walk.failed.push_back(
            {shown, "neither a file nor a directory; to read a pipe give - and redirect it"});
    }
}

}  // namespace rpt::cli
