// Opening files that must be ordinary ones: what stands under a name is looked at once it is open,
// and a pipe, a device or a folder in its place is an error at once.
#pragma once

#include <cstddef>
#include <string>

#include <sys/types.h>

namespace rpt {

// Throws what errno means: kNotFound, kReadOnly, kNoSpace, else kIo. `what` as in "open"; `why`
// stands for errno's text.
[[noreturn]] void fail_file(const char* what, const std::string& path, int code,
                            const char* why = nullptr);

// An open file, closed at the end. One thread at a time.
class OrdinaryFile {
  public:
    // `flags` as for open(2), here never blocking and closed on exec. kIo naming the path if it is
    // no ordinary file, or may not be read. A file that O_CREAT made gets `mode` whatever the umask
    // is.
    OrdinaryFile(const std::string& path, int flags, mode_t mode = 0);
    ~OrdinaryFile();
    OrdinaryFile(const OrdinaryFile&) = delete;
    OrdinaryFile& operator=(const OrdinaryFile&) = delete;

    int fd() const { return fd_; }
    size_t size() const { return size_; }  // when it was opened

  private:
    int fd_ = -1;
    size_t size_ = 0;
};

}  // namespace rpt
