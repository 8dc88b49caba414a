// Writes a file so that its path holds the old bytes or the new ones, never a part.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <sys/types.h>

namespace rpt {

// One thread at a time. Not committed: the temporary file is removed, the old one stays.
class AtomicFile {
  public:
    // Makes "<path>.tmp-<pid>" in the same folder, with the rights `mode` exactly, or by the umask
    // where it is 0. kIo, kNoSpace, kReadOnly with path and errno.
    explicit AtomicFile(const std::string& path, mode_t mode = 0);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::byte> bytes);
    void write(const void* data, size_t size) {
        write({static_cast<const std::byte*>(data), size});
    }
    // Syncs, renames, syncs the folder.
    void commit();

  private:
    [[noreturn]] void fail(const char* what, int code) const;

    std::string path_, temporary_;
    int fd_ = -1;
};

// Return when a file's bytes, or a folder's names, are on stable storage. Throw as AtomicFile.
void sync_file(const std::string& path);
void sync_folder(const std::string& path);

}  // namespace rpt
