#include "base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace rpt {

AtomicFile::AtomicFile(const std::string& path)
    : path_(path), temporary_(path + ".tmp-" + std::to_string(::getpid())) {
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) fail("create", errno);
}

AtomicFile::~AtomicFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* what, int code) const {
    const Status status = code == ENOSPC || code == EDQUOT || code == EFBIG ? Status::kNoSpace
                          : code == EROFS || code == EACCES                ? Status::kReadOnly
                                                                            : Status::kIo;
    throw Error(status, "os", std::string("cannot ") + what + " \"" + path_ + "\": " + std::strerror(code), -1, code);
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
    const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail("open the folder of", errno);
    const int result = ::fsync(directory);
    const int code = errno;
    ::close(directory);
    if (result != 0) fail("sync the folder of", code);
}

}  // namespace rpt
