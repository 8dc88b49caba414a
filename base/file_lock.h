// Advisory locks on the bytes of a file: who may write, who is there.
#pragma once

#include <cstdint>
#include <string>

#include "base/ordinary_file.h"

namespace rpt {

// Locks belong to the open file, not to the process: two objects in one process exclude each other,
// and the kernel frees them when the process and its forked children are gone, however they ended.
// A forked child inherits the open file: what the parent frees is free at once, and what the child
// destroys frees nothing. One thread at a time.
class FileLock {
  public:
    enum class Mode { kShared, kExclusive };

    // Opens the file; `create` makes it if absent, with the rights `mode` (and opens for writing).
    // kNotFound, kIo, kReadOnly, kNoSpace.
    FileLock(const std::string& path, bool create, mode_t mode = 0600);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

    // Locks one byte (which need not exist) until this object ends; false if another holds it. kIo
    // where the file system has no locks.
    bool try_lock(uint64_t byte, Mode mode);
    // The file's content, a short note on the holder. Reading never fails: empty if it cannot be
    // read.
    void write_note(const std::string& note);
    std::string read_note() const;

  private:
    std::string path_;
    OrdinaryFile file_;
    int64_t process_ = 0;  // that made this object
};

}  // namespace rpt
