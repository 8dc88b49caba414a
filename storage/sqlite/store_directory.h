// The files of a store and its locks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/file_lock.h"

namespace rpt::storage {

// A value.
class StoreDirectory {
  public:
    explicit StoreDirectory(const std::string& path);

    const std::string& path() const { return path_; }
    std::string database() const { return path_ + "/store.sqlite"; }
    std::string log() const { return database() + "-wal"; }
    std::string index_folder() const { return path_ + "/index"; }
    std::string index_file(uint64_t space) const;

    // kCorrupt if something else than ordinary files stands where the database and its companions
    // belong: SQLite would follow a link and wait for a pipe.
    bool holds_store() const;
    // Makes the folder (not its parents), for its owner alone. True if it was not there before.
    bool make() const;
    // Rights of files that are made: those of the database, or the owner's alone if there is none.
    mode_t file_mode() const;
    void make_index_folder() const;
    void remove_index_files() const;
    // Whole ones.
    std::vector<uint64_t> spaces_of_index_files() const;
    // What a process that was killed while it wrote one left behind. Nobody may be writing one.
    void remove_unfinished_index_files() const;
    // Removes what belongs to a store and nothing else, then the folder if that left it empty.
    void remove_files() const;

    // kBusy naming the process that writes.
    std::unique_ptr<FileLock> lock_for_writing() const;
    // Shared by readers; null where there is no lock file and none can be made.
    std::unique_ptr<FileLock> lock_for_reading() const;
    // Nobody may have it open.
    std::unique_ptr<FileLock> lock_for_destroying() const;

    struct DiskUse {
        uint64_t database = 0, log = 0, index = 0;
        uint64_t all = 0;  // every file of the folder, in blocks that the file system gave it
    };
    DiskUse disk_use() const;

  private:
    [[noreturn]] void fail_busy(const FileLock& lock) const;
    std::string path_;
};

}  // namespace rpt::storage
