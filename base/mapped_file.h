// A file's bytes, read-only, without copying them.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace rpt {

// Immutable; shared by threads. A file that shrinks while it is mapped ends the process by a signal:
// for files of the laboratory's own making, never in the library (file_bytes.h, input_file.h).
class MappedFile {
  public:
    // kNotFound or kIo with the path and errno.
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

  private:
    void* data_ = nullptr;
    size_t size_ = 0;
};

}  // namespace rpt
