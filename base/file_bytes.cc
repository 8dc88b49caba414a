#include "base/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "base/ordinary_file.h"

namespace rpt {
namespace {

constexpr size_t kMostAtOnce = size_t(1) << 30;
constexpr size_t kHugePage = size_t(2) << 20;

}  // namespace

FileBytes::FileBytes(const std::string& path, Links links) {
    OrdinaryFile file(path, O_RDONLY | (links == Links::kRefuse ? O_NOFOLLOW : 0));
    if (file.size() == 0) return;
    void* const data =
        ::mmap(nullptr, file.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    data_ = data;
    size_ = file.size();
    if (size_ >= kHugePage) ::madvise(data_, size_, MADV_HUGEPAGE);  // fewer faults, if it may
    try {
        fill(file.fd(), path);
    } catch (...) {
        ::munmap(data_, size_);
        throw;
    }
}

FileBytes::~FileBytes() {
    if (size_ > 0) ::munmap(data_, size_);
}

void FileBytes::fill(int fd, const std::string& path) {
    for (size_t done = 0; done < size_;) {
        const ssize_t n =
            ::read(fd, static_cast<std::byte*>(data_) + done, std::min(size_ - done, kMostAtOnce));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail_file("read", path, errno);
        if (n == 0) fail_file("read", path, EIO, "it was cut short meanwhile");
        done += static_cast<size_t>(n);
    }
    ::mprotect(data_, size_, PROT_READ);
}

}  // namespace rpt
