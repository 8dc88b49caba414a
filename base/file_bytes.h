// A file's bytes as they were when it was opened, in memory of the process's own.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace rpt {

// Immutable; shared by threads. Whatever becomes of the file later changes nothing here: a mapped
// file that somebody cuts short would end the process by a signal (docs/decisions). Never blocks on
// what is no ordinary file.
class FileBytes {
  public:
    enum class Links { kFollow, kRefuse };

    // kNotFound; kIo with the path for the rest: no ordinary file, or one that was cut short while
    // it was read; kNoMemory.
    explicit FileBytes(const std::string& path, Links links = Links::kFollow);
    ~FileBytes();
    FileBytes(const FileBytes&) = delete;
    FileBytes& operator=(const FileBytes&) = delete;

    // From a multiple of a page on.
    std::span<const std::byte> bytes() const {
        return {static_cast<const std::byte*>(data_), size_};
    }

  private:
    void fill(int fd, const std::string& path);

    void* data_ = nullptr;
    size_t size_ = 0;
};

}  // namespace rpt
