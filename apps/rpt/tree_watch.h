// Tells when files below some paths change.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rpt::cli {

// What of a file tells that it may have changed without reading it. The change time sees edits of
// equal size within one second, and those that set the modification time back.
struct FileStamp {
    uint64_t inode = 0, size = 0;
    int64_t modified_ns = 0, changed_ns = 0;

    bool operator==(const FileStamp&) const = default;
    static FileStamp of(const std::filesystem::path& path);
};

// Over inotify. What happens between two waits is not lost.
class TreeWatch {
  public:
    // `store` is left out: writing to a memory within the tree must not wake its writer. Throws
    // Failure where the system refuses.
    TreeWatch(std::vector<std::string> paths, std::filesystem::path store);
    ~TreeWatch();
    TreeWatch(const TreeWatch&) = delete;
    TreeWatch& operator=(const TreeWatch&) = delete;
    // Returns true some moments after the last of a burst of changes, false on an interrupt.
    bool wait();

  private:
    void watch_all();
    void watch_folder(const std::filesystem::path& folder);
    bool drain();

    std::vector<std::string> paths_;
    std::filesystem::path store_;
    int fd_;
};

}  // namespace rpt::cli
