#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace rpt {
namespace {

[[noreturn]] void fail(const std::string& what, const std::string& path, int code) {
    const Status status = code == ENOENT ? Status::kNotFound : Status::kIo;
    throw Error(status, "os", "cannot " + what + " \"" + path + "\": " + std::strerror(code), -1, code);
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("open", path, errno);
    struct stat facts {};
    if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        const int code = S_ISDIR(facts.st_mode) ? EISDIR : errno ? errno : EINVAL;
        ::close(fd);
        fail("read", path, code);
    }
    size_ = static_cast<size_t>(facts.st_size);
    if (size_ > 0) {
        data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
        const int code = errno;
        ::close(fd);
        if (data_ == MAP_FAILED) fail("map", path, code);
    } else {
        ::close(fd);
    }
}

MappedFile::~MappedFile() {
    if (size_ > 0) ::munmap(data_, size_);
}

}  // namespace rpt
