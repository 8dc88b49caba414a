#include "base/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace rpt {

FileLock::FileLock(const std::string& path, bool create, mode_t mode)
    : path_(path),
      file_(path, (create ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW, mode),
      process_(::getpid()) {}

FileLock::~FileLock() {
    // Closing frees nothing as long as a forked child has the file open too.
    if (process_ != ::getpid()) return;
    struct flock all {};
    all.l_type = F_UNLCK;
    all.l_whence = SEEK_SET;
    ::fcntl(file_.fd(), F_OFD_SETLK, &all);
}

bool FileLock::try_lock(uint64_t byte, Mode mode) {
    struct flock request {};
    request.l_type = mode == Mode::kExclusive ? F_WRLCK : F_RDLCK;
    request.l_whence = SEEK_SET;
    request.l_start = static_cast<off_t>(byte);
    request.l_len = 1;
    if (::fcntl(file_.fd(), F_OFD_SETLK, &request) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    fail_file("lock", path_, errno);
}

void FileLock::write_note(const std::string& note) {
    if (::pwrite(file_.fd(), note.data(), note.size(), 0) != static_cast<ssize_t>(note.size()))
        fail_file("write", path_, errno);
    if (::ftruncate(file_.fd(), static_cast<off_t>(note.size())) != 0)
        fail_file("cut", path_, errno);
}

std::string FileLock::read_note() const {
    char buffer[256];
    const ssize_t n = ::pread(file_.fd(), buffer, sizeof buffer, 0);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
}

}  // namespace rpt
