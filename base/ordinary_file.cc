#include "base/ordinary_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace rpt {

void fail_file(const char* what, const std::string& path, int code, const char* why) {
    const Status status = code == ENOENT                                      ? Status::kNotFound
                          : code == ENOSPC || code == EDQUOT || code == EFBIG ? Status::kNoSpace
                          : code == EROFS || code == EACCES || code == EPERM  ? Status::kReadOnly
                                                                              : Status::kIo;
    throw Error(status, "os",
                std::string("cannot ") + what + " \"" + path +
                    "\": " + (why != nullptr ? why : std::strerror(code)),
                -1, code);
}

OrdinaryFile::OrdinaryFile(const std::string& path, int flags, mode_t mode) {
    // A file that this call makes is told by O_EXCL: its rights are set, another's are left.
    const int common = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    bool made = false;
    if ((flags & O_CREAT) != 0) {
        fd_ = ::open(path.c_str(), common | O_EXCL, mode);
        made = fd_ >= 0;
        if (!made && (errno != EEXIST || (flags & O_EXCL) != 0)) fail_file("create", path, errno);
    }
    if (!made) fd_ = ::open(path.c_str(), common, mode);
    if (fd_ < 0) {
        if ((flags & O_ACCMODE) == O_RDONLY && (errno == EACCES || errno == EPERM))
            throw Error(Status::kIo, "os", "cannot open \"" + path + "\": " + std::strerror(errno),
                        -1, errno);
        if (errno == ELOOP && (flags & O_NOFOLLOW) != 0)
            fail_file("open", path, ELOOP, "it is a link where a file must stand");
        if (errno == EISDIR) fail_file("open", path, EISDIR, "it is a folder, not a file");
        if (errno == ENXIO) fail_file("open", path, ENXIO, "it is no ordinary file");
        fail_file("open", path, errno);
    }
    struct stat facts {};
    const bool looked = ::fstat(fd_, &facts) == 0;
    const int code = errno;
    if (looked && S_ISREG(facts.st_mode)) {
        size_ = static_cast<size_t>(facts.st_size);
        if (made && (facts.st_mode & 07777) != mode) ::fchmod(fd_, mode);
        return;
    }
    ::close(fd_);
    if (!looked) fail_file("look at", path, code);
    fail_file("open", path, EINVAL,
              S_ISDIR(facts.st_mode) ? "it is a folder, not a file" : "it is no ordinary file");
}

OrdinaryFile::~OrdinaryFile() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace rpt
