// The C library's file calls as our own objects make them: the linker sends them here (--wrap, see
// CMakeLists.txt). Shared libraries, SQLite among them, keep the real ones.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "tests/fault/fault_plan.h"
#include "tests/fault/power_cut.h"

using rpt::fault::Cause;
using rpt::fault::FaultGate;
using rpt::fault::gate;
using rpt::fault::Op;
using rpt::fault::PowerCut;

namespace {

// What an open descriptor is to the recorder.
struct Opened {
    std::shared_ptr<PowerCut::Node> node;
    std::string folder;  // if it is one
};
std::mutex opened_mutex;  // guards opened_files()
std::map<int, Opened>& opened_files() {
    static auto* files = new std::map<int, Opened>;
    return *files;
}

bool injected(Op op) {
    if (!gate().fails(op)) return false;
    errno = gate().cause() == Cause::kNoSpace ? ENOSPC : EIO;
    return true;
}

// How much of `size` a write or read that was chosen does; false if it was not.
bool partial(Op op, size_t size, size_t* done) {
    if (!gate().fails(op)) return false;
    *done = size / 2;
    return true;
}

ssize_t finish_partial(ssize_t done) {
    if (gate().cause() == Cause::kShort) return done;
    errno = gate().cause() == Cause::kNoSpace ? ENOSPC : EIO;
    return -1;
}

// Keeps errno, and allocations out of the count.
template <typename Event>
void tell(Event&& event) {
    PowerCut* recorder = PowerCut::current();
    if (recorder == nullptr) return;
    const int code = errno;
    const FaultGate::Suspend quiet;
    event(*recorder);
    errno = code;
}

Opened find(int fd) {
    const std::lock_guard guard(opened_mutex);
    const auto found = opened_files().find(fd);
    return found == opened_files().end() ? Opened{} : found->second;
}

}  // namespace

extern "C" {

int __real_open(const char* path, int flags, ...);
int __real_close(int fd);
ssize_t __real_read(int fd, void* data, size_t size);
ssize_t __real_pread(int fd, void* data, size_t size, off_t offset);
ssize_t __real_write(int fd, const void* data, size_t size);
ssize_t __real_pwrite(int fd, const void* data, size_t size, off_t offset);
int __real_ftruncate(int fd, off_t size);
int __real_fsync(int fd);
int __real_rename(const char* from, const char* to);
int __real_unlink(const char* path);
int __real_rmdir(const char* path);
int __real_mkdir(const char* path, mode_t mode);
int __real_stat(const char* path, struct stat* facts);
int __real_lstat(const char* path, struct stat* facts);
int __real_fstat(int fd, struct stat* facts);
void* __real_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_fcntl(int fd, int command, ...);
FILE* __real_fopen(const char* path, const char* mode);
size_t __real_fread(void* data, size_t size, size_t n, FILE* file);

int __wrap_open(const char* path, int flags, ...) {
    mode_t mode = 0;
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
        va_list rest;
        va_start(rest, flags);
        mode = static_cast<mode_t>(va_arg(rest, int));
        va_end(rest);
    }
    if (injected(Op::kOpen)) return -1;
    const int fd = __real_open(path, flags, mode);
    if (fd < 0) return fd;
    tell([&](PowerCut& cut) {
        Opened opened;
        if ((flags & O_DIRECTORY) != 0) {
            opened.folder = path;
        } else {
            opened.node = cut.opened(path, (flags & O_CREAT) != 0);
            if ((flags & O_TRUNC) != 0) cut.resized(opened.node, 0);
        }
        const std::lock_guard guard(opened_mutex);
        opened_files()[fd] = std::move(opened);
    });
    return fd;
}

int __wrap_close(int fd) {
    {
        const FaultGate::Suspend quiet;
        const std::lock_guard guard(opened_mutex);
        opened_files().erase(fd);
    }
    return __real_close(fd);
}

ssize_t __wrap_read(int fd, void* data, size_t size) {
    size_t part = 0;
    if (!partial(Op::kRead, size, &part)) return __real_read(fd, data, size);
    const ssize_t done = __real_read(fd, data, part);
    return done < 0 ? done : finish_partial(done);
}

ssize_t __wrap_pread(int fd, void* data, size_t size, off_t offset) {
    size_t part = 0;
    if (!partial(Op::kRead, size, &part)) return __real_pread(fd, data, size, offset);
    const ssize_t done = __real_pread(fd, data, part, offset);
    return done < 0 ? done : finish_partial(done);
}

ssize_t __wrap_pwrite(int fd, const void* data, size_t size, off_t offset) {
    size_t part = size;
    const bool chosen = partial(Op::kWrite, size, &part);
    const ssize_t done = __real_pwrite(fd, data, part, offset);
    if (done < 0) return done;
    tell([&](PowerCut& cut) {
        cut.wrote(find(fd).node, static_cast<uint64_t>(offset),
                  {static_cast<const char*>(data), static_cast<size_t>(done)});
    });
    return chosen ? finish_partial(done) : done;
}

ssize_t __wrap_write(int fd, const void* data, size_t size) {
    size_t part = size;
    const bool chosen = partial(Op::kWrite, size, &part);
    const off_t offset = PowerCut::current() != nullptr ? ::lseek(fd, 0, SEEK_CUR) : 0;
    const ssize_t done = __real_write(fd, data, part);
    if (done < 0) return done;
    tell([&](PowerCut& cut) {
        cut.wrote(find(fd).node, static_cast<uint64_t>(offset),
                  {static_cast<const char*>(data), static_cast<size_t>(done)});
    });
    return chosen ? finish_partial(done) : done;
}

int __wrap_ftruncate(int fd, off_t size) {
    if (injected(Op::kTruncate)) return -1;
    const int result = __real_ftruncate(fd, size);
    if (result == 0)
        tell([&](PowerCut& cut) { cut.resized(find(fd).node, static_cast<uint64_t>(size)); });
    return result;
}

// The real disk is not synced, as in fault_vfs.
int __wrap_fsync(int fd) {
    if (injected(Op::kSync)) return -1;
    tell([&](PowerCut& cut) {
        const Opened opened = find(fd);
        if (opened.folder.empty()) {
            cut.synced(opened.node);
        } else {
            cut.synced_folder(opened.folder);
        }
    });
    return 0;
}

int __wrap_rename(const char* from, const char* to) {
    if (injected(Op::kRename)) return -1;
    const int result = __real_rename(from, to);
    if (result == 0) tell([&](PowerCut& cut) { cut.renamed(from, to); });
    return result;
}

int __wrap_unlink(const char* path) {
    if (injected(Op::kUnlink)) return -1;
    const int result = __real_unlink(path);
    if (result == 0) tell([&](PowerCut& cut) { cut.removed(path); });
    return result;
}

int __wrap_rmdir(const char* path) {
    if (injected(Op::kUnlink)) return -1;
    const int result = __real_rmdir(path);
    if (result == 0) tell([&](PowerCut& cut) { cut.removed(path); });
    return result;
}

int __wrap_mkdir(const char* path, mode_t mode) {
    if (injected(Op::kMakeFolder)) return -1;
    const int result = __real_mkdir(path, mode);
    if (result == 0) tell([&](PowerCut& cut) { cut.made_folder(path); });
    return result;
}

int __wrap_stat(const char* path, struct stat* facts) {
    return injected(Op::kLook) ? -1 : __real_stat(path, facts);
}

int __wrap_lstat(const char* path, struct stat* facts) {
    return injected(Op::kLook) ? -1 : __real_lstat(path, facts);
}

int __wrap_fstat(int fd, struct stat* facts) {
    return injected(Op::kLook) ? -1 : __real_fstat(fd, facts);
}

void* __wrap_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
    if (fd >= 0 && injected(Op::kMap)) return MAP_FAILED;
    return __real_mmap(at, size, protection, flags, fd, offset);
}

int __wrap_fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void* argument = va_arg(rest, void*);
    va_end(rest);
    const bool locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
                       command == F_OFD_SETLKW;
    if (locks && injected(Op::kLock)) return -1;
    return __real_fcntl(fd, command, argument);
}

FILE* __wrap_fopen(const char* path, const char* mode) {
    return injected(Op::kOpen) ? nullptr : __real_fopen(path, mode);
}

size_t __wrap_fread(void* data, size_t size, size_t n, FILE* file) {
    size_t part = 0;
    if (!partial(Op::kRead, n, &part)) return __real_fread(data, size, n, file);
    return __real_fread(data, size, part, file);
}

}  // extern "C"
