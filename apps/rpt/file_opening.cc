#include "apps/rpt/file_opening.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace rpt::cli {
namespace {

int64_t nanoseconds(const timespec& time) {
    return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

Opened failed(int code) {
    Opened out;
    out.error = code;
    out.problem = code == ELOOP ? "a symbolic link" : std::strerror(code);
    return out;
}

Opened refused(const std::string& why) {
    Opened out;
    out.problem = why;
    return out;
}

std::string what_is_no_file(mode_t mode) {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISLNK(mode)) return "a symbolic link";
    return "not a regular file";
}

// Asks before it opens, since opening some devices does something; asks again, since another file
// may have taken the name meanwhile. A pipe that did so is not waited for.
Opened open_regular(int folder, const std::string& name, bool follow) {
    struct stat before {};
    if (fstatat(folder, name.c_str(), &before, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
        return failed(errno);
    if (!S_ISREG(before.st_mode)) return refused(what_is_no_file(before.st_mode));
    Opened out;
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW);
    out.fd = Descriptor(openat(folder, name.c_str(), flags));
    if (!out.fd || fstat(out.fd.get(), &out.facts) != 0) return failed(errno);
    if (!S_ISREG(out.facts.st_mode)) return refused(what_is_no_file(out.facts.st_mode));
    return out;
}

// All in one step, by the system; it lets no link pass anywhere on the way. Nothing where the
// system does not know the call.
std::optional<Opened> open_without_links(const FilePlace& place) {
    const std::string path = place.path();
    struct stat before {};
    if (fstatat(AT_FDCWD, path.c_str(), &before, AT_SYMLINK_NOFOLLOW) != 0) return failed(errno);
    if (!S_ISREG(before.st_mode)) return refused(what_is_no_file(before.st_mode));
    open_how how = {};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
    how.resolve = RESOLVE_NO_SYMLINKS;
    Opened out;
    out.fd = Descriptor(
        static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
    if (!out.fd && (errno == ENOSYS || errno == EPERM || errno == ELOOP)) return std::nullopt;
    if (!out.fd || fstat(out.fd.get(), &out.facts) != 0) return failed(errno);
    if (!S_ISREG(out.facts.st_mode)) return refused(what_is_no_file(out.facts.st_mode));
    return out;
}

// The folder that holds the last name of `place`, reached without a link below the root.
Opened open_parent(const FilePlace& place) {
    Opened at = open_folder(AT_FDCWD, place.root.native(), true);
    for (const auto& name : place.below.parent_path()) {
        if (!at.fd) return at;
        at = open_folder(at.fd.get(), name.native(), false);
    }
    return at;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (fd_ >= 0 && fd_ != other.fd_) close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    return *this;
}

Descriptor::~Descriptor() {
    if (fd_ >= 0) close(fd_);
}

FileStamp FileStamp::of(const struct stat& facts) {
    return {facts.st_dev, facts.st_ino, static_cast<uint64_t>(facts.st_size),
            nanoseconds(facts.st_mtim), nanoseconds(facts.st_ctim)};
}

FileStamp FileStamp::of(const FilePlace& place) {
    struct stat facts {};
    const auto flags = place.below.empty() ? 0 : AT_SYMLINK_NOFOLLOW;
    if (fstatat(AT_FDCWD, place.path().c_str(), &facts, flags) != 0) return {};
    return of(facts);
}

Opened open_file(const FilePlace& place) {
    if (place.below.empty()) return open_regular(AT_FDCWD, place.root.native(), true);
    if (auto opened = open_without_links(place)) return std::move(*opened);
    const Opened parent = open_parent(place);
    if (!parent.fd) {
        Opened out = failed(parent.error);
        out.problem = parent.problem;
        return out;
    }
    return open_regular(parent.fd.get(), place.below.filename().native(), false);
}

Opened open_folder(int folder, const std::string& name, bool follow) {
    Opened out;
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
    out.fd = Descriptor(openat(folder, name.c_str(), flags));
    if (!out.fd || fstat(out.fd.get(), &out.facts) != 0) return failed(errno);
    return out;
}

std::optional<std::string> read_small_file(int folder, const std::string& name, bool follow,
                                           size_t limit, std::string& problem) {
    const Opened file = open_regular(folder, name, follow);
    if (!file.fd) {
        if (file.error != ENOENT && file.error != ENOTDIR) problem = file.problem;
        return std::nullopt;
    }
    if (static_cast<uint64_t>(file.facts.st_size) > limit) {
        problem = "larger than " + std::to_string(limit) + " bytes";
        return std::nullopt;
    }
    std::string text(static_cast<size_t>(file.facts.st_size), '\0');
    size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = read(file.fd.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            problem = std::strerror(errno);
            return std::nullopt;
        }
        if (got == 0) break;
        size += static_cast<size_t>(got);
    }
    text.resize(size);
    return text;
}

}  // namespace rpt::cli
