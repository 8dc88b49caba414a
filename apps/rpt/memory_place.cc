#include "apps/rpt/memory_place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "apps/rpt/file_opening.h"
#include "apps/rpt/handles.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

// What every file of a memory's database starts with, and where its kind is written.
constexpr std::string_view kDatabaseMark = "SQLite format 3";
constexpr size_t kKindOffset = 68;
constexpr std::string_view kKind = "RPTS";

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

// What systems leave in folders that a person calls empty.
bool counts_for_nothing(const std::string& name) {
    return name.starts_with('.') || name == "lost+found" || is_own_name(name);
}

// The first file that somebody else put there.
std::optional<std::string> foreign_file(const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().native();
        if (!counts_for_nothing(name)) return name;
    }
    return std::nullopt;
}

void check_parent(const fs::path& store) {
    std::error_code error;
    fs::path parent =
        store.native().ends_with('/') ? store.parent_path().parent_path() : store.parent_path();
    if (parent.empty()) parent = ".";
    const fs::file_status status = fs::status(parent, error);
    if (status.type() == fs::file_type::not_found)
        throw Failure("memory " + quoted(store) + ": the directory " + quoted(parent) +
                      " is not there; make it first");
    if (fs::exists(status) && !fs::is_directory(status))
        throw Failure("memory " + quoted(store) + ": " + quoted(parent) + " is not a directory");
}

}  // namespace

std::optional<FileIdentity> identity_of(const fs::path& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
    return FileIdentity{facts.st_dev, facts.st_ino};
}

bool is_memory(int folder) {
    struct stat facts {};
    if (fstatat(folder, "store.sqlite", &facts, 0) != 0 || !S_ISREG(facts.st_mode)) return false;
    const Descriptor file(openat(folder, "store.sqlite", O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::array<char, kKindOffset + kKind.size()> head{};
    // One that cannot be read is none that may be read into another.
    if (!file) return true;
    if (pread(file.get(), head.data(), head.size(), 0) != ssize_t(head.size())) return false;
    const std::string_view view(head.data(), head.size());
    return view.starts_with(kDatabaseMark) && view.substr(kKindOffset) == kKind;
}

bool is_memory(const fs::path& folder) {
    const Opened opened = open_folder(AT_FDCWD, folder.native(), true);
    return opened.fd && is_memory(opened.fd.get());
}

bool is_own_name(std::string_view name) {
    return name == "lock" || name == "index" || name.starts_with("store.sqlite");
}

void check_place_of_memory(const std::string& store, const std::vector<std::string>& paths) {
    if (store.empty()) throw Failure("the name of the memory is empty", kExitUsage);
    if (store == "-")
        throw Failure("\"-\" is no memory but stdin or stdout; a directory of that name is ./-",
                      kExitUsage);
    std::error_code error;
    const fs::file_status link = fs::symlink_status(store, error);
    const fs::file_status status = fs::status(store, error);
    if (fs::is_symlink(link) && !fs::exists(status)) {
        const fs::path target = fs::read_symlink(store, error);
        throw Failure("memory " + quoted(store) + ": a link to " + quoted(target) +
                      ", which is not there");
    }
    if (!fs::exists(status)) return check_parent(store);
    if (!fs::is_directory(status))
        throw Failure("memory " + quoted(store) + " is not a directory; a memory is one");
    if (fs::exists(fs::path(store) / "store.sqlite", error)) return;  // the library looks closer
    // A project that keeps its memory beside its files says so by naming the folder twice.
    const auto here = identity_of(store);
    if (std::ranges::any_of(paths, [&](const auto& path) { return identity_of(path) == here; }))
        return;
    for (const std::string& path : paths)
        if (path != "-" && is_memory(fs::path(path)))
            throw Failure(quoted(path) + " is a memory and " + quoted(store) +
                          " is none; the memory is named first: rpt add " + path + " " + store);
    if (const auto name = foreign_file(store))
        throw Failure("memory " + quoted(store) +
                      ": the directory holds no memory but other files (" + quoted(*name) +
                      "); name a new or empty directory first, then what to read");
}

void check_place_of_copy(const std::string& from, const std::string& to) {
    check_place_of_memory(to, {});
    const auto source = identity_of(from);
    std::error_code error;
    for (fs::path at = fs::weakly_canonical(fs::absolute(to, error), error);;
         at = at.parent_path()) {
        if (source && identity_of(at) == source)
            throw Failure(quoted(to) + " lies within " + quoted(from) +
                          "; name a place for the copy outside the memory");
        if (at == at.parent_path()) return;
    }
}

}  // namespace rpt::cli
