#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace rpt {
namespace {

[[noreturn]] void fail_file(const char* what, const std::string& path, int code) {
    const Status status = code == ENOSPC || code == EDQUOT || code == EFBIG ? Status::kNoSpace
                          : code == EROFS || code == EACCES                 ? Status::kReadOnly
                                                                            : Status::kIo;
    throw Error(status, "os",
                std::string("cannot ") + what + " \"" + path + "\": " + std::strerror(code), -1,
                code);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path, mode_t mode)
    : path_(path), temporary_(path + ".tmp-" + std::to_string(::getpid())) {
    // Whatever has the name, a link perhaps, is not written to.
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    const mode_t wanted = mode != 0 ? mode : 0644;
    fd_ = ::open(temporary_.c_str(), flags, wanted);
    if (fd_ < 0 && errno == EEXIST && ::unlink(temporary_.c_str()) == 0)
        fd_ = ::open(temporary_.c_str(), flags, wanted);
    if (fd_ < 0) fail("create", errno);
    if (mode != 0) ::fchmod(fd_, mode);
}

AtomicFile::~AtomicFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* what, int code) const {
    fail_file(what, path_, code);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail("write", errno);
        bytes = bytes.subspan(static_cast<size_t>(n));
    }
}

void AtomicFile::commit() {
    if (::fsync(fd_) != 0) fail("sync", errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename", errno);
    ::close(fd_);
    fd_ = -1;
    const size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    sync_folder(folder);
}

namespace {

void sync(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC);
    int code = fd < 0 ? errno : 0;
    if (fd >= 0) {
        if (::fsync(fd) != 0) code = errno;
        ::close(fd);
    }
    if (code != 0) fail_file("sync", path, code);
}

}  // namespace

void sync_file(const std::string& path) {
    sync(path, 0);
}

void sync_folder(const std::string& path) {
    sync(path, O_DIRECTORY);
}

}  // namespace rpt
