#include "storage/sqlite/store_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace rpt::storage {
namespace {

// Bytes of the lock file that are locked; far behind its text. On disk in the sense that other
// processes use them.
constexpr uint64_t kWriterByte = uint64_t(1) << 30;
constexpr uint64_t kReaderByte = kWriterByte + 1;

constexpr std::string_view kIndexEnding = ".idx";

uint64_t size_of(const std::string& file) {
    struct stat facts {};
    return ::stat(file.c_str(), &facts) == 0 ? static_cast<uint64_t>(facts.st_size) : 0;
}

// As `du` counts.
uint64_t blocks_of(const std::string& file) {
    struct stat facts {};
    return ::lstat(file.c_str(), &facts) == 0 ? static_cast<uint64_t>(facts.st_blocks) * 512 : 0;
}

bool is_index_file(const std::string& name) {
    const size_t dot = name.find('.');
    return dot != std::string::npos && dot > 0 &&
           name.compare(dot, kIndexEnding.size(), kIndexEnding) == 0 &&
           std::all_of(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(dot),
                       [](char c) { return c >= '0' && c <= '9'; });
}

// Names in a folder; none if it cannot be read. Not by std::filesystem, whose iterators end the
// process where memory is out and an error code was asked for.
std::vector<std::string> names_in(const std::string& folder) {
    struct Closer {
        void operator()(DIR* open) const { ::closedir(open); }
    };
    std::vector<std::string> names;
    const std::unique_ptr<DIR, Closer> open(::opendir(folder.c_str()));
    if (!open) return names;
    while (const dirent* entry = ::readdir(open.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    return names;
}

std::vector<std::string> index_files(const std::string& folder) {
    std::vector<std::string> files;
    for (const std::string& name : names_in(folder))
        if (is_index_file(name)) files.push_back(folder + "/" + name);
    return files;
}

}  // namespace

StoreDirectory::StoreDirectory(const std::string& path) : path_(path) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    if (path_.empty() || path_.find('\0') != std::string::npos)
        throw Error(Status::kArgument, "rpt", "the path of a store is empty or holds a NUL");
}

std::string StoreDirectory::index_file(uint64_t space) const {
    return index_folder() + "/" + std::to_string(space) + ".idx";
}

bool StoreDirectory::holds_store() const {
    struct stat facts {};
    if (::stat(path_.c_str(), &facts) == 0 && !S_ISDIR(facts.st_mode))
        throw Error(Status::kArgument, "rpt", "\"" + path_ + "\" is not a folder; a store is one");
    for (const char* tail : {"-wal", "-shm", "-journal", ""}) {
        const std::string file = database() + tail;
        if (::lstat(file.c_str(), &facts) == 0) {
            if (S_ISREG(facts.st_mode)) continue;
            throw Error(Status::kCorrupt, "rpt",
                        "\"" + file + "\" is " +
                            (S_ISLNK(facts.st_mode)   ? "a link"
                             : S_ISDIR(facts.st_mode) ? "a folder"
                                                      : "no ordinary file") +
                            "; a store has its own file there, restore a backup");
        }
        const int code = errno;
        if (code != ENOENT && code != ENOTDIR)
            throw Error(Status::kIo, "os",
                        "cannot look at \"" + file + "\": " + std::strerror(code), -1, code);
        if (*tail == '\0') return false;
    }
    return true;
}

bool StoreDirectory::make() const {
    if (::mkdir(path_.c_str(), 0700) == 0) {
        ::chmod(path_.c_str(), 0700);  // whatever the umask took
        // The name must outlast a power cut as what is in the folder will. Some file systems cannot
        // sync a folder and some parents cannot be read: then it is as good as it gets.
        const size_t slash = path_.rfind('/');
        const std::string parent = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
        const int folder = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder >= 0) {
            ::fsync(folder);
            ::close(folder);
        }
        return true;
    }
    if (errno == EEXIST) return false;
    const int code = errno;
    const Status status = code == ENOENT                     ? Status::kNotFound
                          : code == EROFS || code == EACCES  ? Status::kReadOnly
                          : code == ENOSPC || code == EDQUOT ? Status::kNoSpace
                                                             : Status::kIo;
    throw Error(status, "os", "cannot make folder \"" + path_ + "\": " + std::strerror(code), -1,
                code);
}

mode_t StoreDirectory::file_mode() const {
    struct stat facts {};
    return ::lstat(database().c_str(), &facts) == 0 ? (facts.st_mode & 0666) | 0600 : 0600;
}

void StoreDirectory::make_index_folder() const {
    const mode_t files = file_mode();
    const mode_t mode = files | ((files & 0444) >> 2);  // who may read may enter
    if (::mkdir(index_folder().c_str(), mode) == 0) ::chmod(index_folder().c_str(), mode);
}

void StoreDirectory::remove_index_files() const {
    for (const std::string& file : index_files(index_folder())) ::unlink(file.c_str());
}

std::vector<uint64_t> StoreDirectory::spaces_of_index_files() const {
    std::vector<uint64_t> spaces;
    for (const std::string& file : index_files(index_folder()))
        if (file.ends_with(kIndexEnding))
            spaces.push_back(std::strtoull(file.c_str() + file.rfind('/') + 1, nullptr, 10));
    return spaces;
}

void StoreDirectory::remove_unfinished_index_files() const {
    for (const std::string& file : index_files(index_folder()))
        if (!file.ends_with(kIndexEnding)) ::unlink(file.c_str());
}

void StoreDirectory::remove_files() const {
    // The database first: what is left of an interrupted removal is no store.
    if (::unlink(database().c_str()) != 0 && errno != ENOENT) {
        const int code = errno;
        throw Error(Status::kIo, "os",
                    "cannot remove \"" + database() + "\": " + std::strerror(code), -1, code);
    }
    for (const char* tail : {"-wal", "-shm", "-journal", ".new", ".new-journal"})
        ::unlink((database() + tail).c_str());
    remove_index_files();
    ::rmdir(index_folder().c_str());
    ::unlink((path_ + "/lock").c_str());
    ::rmdir(path_.c_str());
}

std::unique_ptr<FileLock> StoreDirectory::lock_for_writing() const {
    auto lock = std::make_unique<FileLock>(path_ + "/lock", true, file_mode());
    if (!lock->try_lock(kWriterByte, FileLock::Mode::kExclusive)) fail_busy(*lock);
    try {
        lock->write_note(std::to_string(::getpid()) + "\n");
    } catch (const Error&) {  // a full disk: the lock holds without its note
    }
    return lock;
}

std::unique_ptr<FileLock> StoreDirectory::lock_for_reading() const {
    std::unique_ptr<FileLock> lock;
    try {
        lock = std::make_unique<FileLock>(path_ + "/lock", false);
    } catch (const Error& error) {
        if (error.status() == Status::kNotFound || error.os_error() == EACCES) return nullptr;
        throw;
    }
    if (!lock->try_lock(kReaderByte, FileLock::Mode::kShared)) fail_busy(*lock);
    return lock;
}

std::unique_ptr<FileLock> StoreDirectory::lock_for_destroying() const {
    auto lock = std::make_unique<FileLock>(path_ + "/lock", true, file_mode());
    if (!lock->try_lock(kWriterByte, FileLock::Mode::kExclusive)) fail_busy(*lock);
    if (!lock->try_lock(kReaderByte, FileLock::Mode::kExclusive))
        throw Error(Status::kBusy, "rpt",
                    "store \"" + path_ + "\" is open for reading; close it there and try again");
    return lock;
}

StoreDirectory::DiskUse StoreDirectory::disk_use() const {
    DiskUse use;
    use.database = size_of(database());
    use.log = size_of(log()) + size_of(database() + "-shm");
    for (const std::string& file : index_files(index_folder())) use.index += size_of(file);
    use.all = blocks_of(path_);
    for (const std::string& folder : {path_, index_folder()})
        for (const std::string& name : names_in(folder)) use.all += blocks_of(folder + "/" + name);
    return use;
}

void StoreDirectory::fail_busy(const FileLock& lock) const {
    const std::string note = lock.read_note();
    const std::string process = note.substr(0, note.find('\n'));
    throw Error(Status::kBusy, "rpt",
                "store \"" + path_ + "\" is held by process " +
                    (process.empty() ? "(unknown)" : process) +
                    "; close it there or open it read-only");
}

}  // namespace rpt::storage
