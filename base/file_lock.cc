#include "base/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace rpt {
namespace {

[[noreturn]] void fail(const char* what, const std::string& path, int code) {
    const Status status = code == ENOENT                                      ? Status::kNotFound
                          : code == EACCES || code == EROFS || code == EPERM  ? Status::kReadOnly
                          : code == ENOSPC || code == EDQUOT || code == EFBIG ? Status::kNoSpace
                                                                              : Status::kIo;
    throw Error(status, "os",
                std::string("cannot ") + what + " \"" + path + "\": " + std::strerror(code), -1,
                code);
}

}  // namespace

FileLock::FileLock(const std::string& path, bool create) : path_(path) {
    fd_ = ::open(path.c_str(), (create ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0644);
    if (fd_ < 0) fail("open", path, errno);
}

FileLock::~FileLock() {
    if (fd_ >= 0) ::close(fd_);
}

bool FileLock::try_lock(uint64_t byte, Mode mode) {
    struct flock request {};
    request.l_type = mode == Mode::kExclusive ? F_WRLCK : F_RDLCK;
    request.l_whence = SEEK_SET;
    request.l_start = static_cast<off_t>(byte);
    request.l_len = 1;
    if (::fcntl(fd_, F_OFD_SETLK, &request) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    fail("lock", path_, errno);
}

void FileLock::write_note(const std::string& note) {
    if (::pwrite(fd_, note.data(), note.size(), 0) != static_cast<ssize_t>(note.size()))
        fail("write", path_, errno);
    if (::ftruncate(fd_, static_cast<off_t>(note.size())) != 0) fail("cut", path_, errno);
}

std::string FileLock::read_note() const {
    char buffer[256];
    const ssize_t n = ::pread(fd_, buffer, sizeof buffer, 0);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
}

}  // namespace rpt
