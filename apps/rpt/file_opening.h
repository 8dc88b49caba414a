// Opening files so that what was looked at is what is read: no link on the way that was not there
// before, no wait for the other end of a pipe.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace rpt::cli {

class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor();
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_;
};

// A file below a folder that a person named, or with `below` empty the file that was named itself.
// Links are followed as far as a person wrote them, which is within `root`.
struct FilePlace {
    std::filesystem::path root, below;
    std::filesystem::path path() const { return below.empty() ? root : root / below; }
};

// What of a file tells that it may have changed without reading it. The change time sees edits of
// equal size within one second, and those that set the modification time back.
struct FileStamp {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t modified_ns = 0, changed_ns = 0;

    bool operator==(const FileStamp&) const = default;
    static FileStamp of(const struct stat& facts);
    static FileStamp of(const FilePlace& place);  // all zero where there is none
};

struct Opened {
    Descriptor fd;
    struct stat facts {};
    int error = 0;        // an errno, or 0
    std::string problem;  // why there is no fd: for people
};
// A regular file and nothing else.
Opened open_file(const FilePlace& place);
// A folder that stands in another one, or with `folder` AT_FDCWD at a path; `follow` takes a link
// for what it points at.
Opened open_folder(int folder, const std::string& name, bool follow);

// A small file as a whole. Nothing if it is not there, or if it is no regular file of at most
// `limit` bytes that can be read: then `problem` says why.
std::optional<std::string> read_small_file(int folder, const std::string& name, bool follow,
                                           size_t limit, std::string& problem);

}  // namespace rpt::cli
