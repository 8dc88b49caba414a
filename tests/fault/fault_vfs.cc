#include "tests/fault/fault_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <new>
#include <string>

#include "tests/fault/fault_memory.h"
#include "tests/fault/fault_plan.h"
#include "tests/fault/power_cut.h"

namespace rpt::fault {
namespace {

sqlite3_vfs* below = nullptr;
std::atomic<int> last_errno{0};

struct Facts {
    std::string path;  // empty: a temporary file
    std::shared_ptr<PowerCut::Node> node;
    bool sync_folder = false;  // a new journal or log: its first sync syncs the folder too
    int last_errno = 0;
};

// SQLite allocates it with the real file behind it.
struct File {
    sqlite3_file base;
    Facts* facts;
};

sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(File));
}
Facts& facts_of(sqlite3_file* file) {
    return *reinterpret_cast<File*>(file)->facts;
}

// What the n-th call returns when it is the one, or SQLITE_OK.
int injected(Op op, int code, Facts* facts) {
    if (!gate().fails(op)) return SQLITE_OK;
    const bool full = gate().cause() == Cause::kNoSpace;
    last_errno = full ? ENOSPC : EIO;
    if (facts != nullptr) facts->last_errno = last_errno;
    return full && op == Op::kSqlWrite ? SQLITE_FULL : code;
}

template <typename Event>
void tell(Event&& event) {
    PowerCut* recorder = PowerCut::current();
    if (recorder == nullptr) return;
    const FaultGate::Suspend quiet;
    event(*recorder);
}

int file_close(sqlite3_file* file) {
    const int code = real(file)->pMethods->xClose(real(file));
    const FaultGate::Suspend quiet;
    delete reinterpret_cast<File*>(file)->facts;
    reinterpret_cast<File*>(file)->facts = nullptr;
    return code;
}

int file_read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
    if (const int code = injected(Op::kSqlRead, SQLITE_IOERR_READ, &facts_of(file))) return code;
    return real(file)->pMethods->xRead(real(file), data, size, offset);
}

int file_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    const int fault = injected(Op::kSqlWrite, SQLITE_IOERR_WRITE, &facts_of(file));
    const int wanted = fault != SQLITE_OK ? size / 2 : size;
    int code = SQLITE_OK;
    if (wanted > 0) code = real(file)->pMethods->xWrite(real(file), data, wanted, offset);
    if (code == SQLITE_OK)
        tell([&](PowerCut& cut) {
            cut.wrote(facts_of(file).node, static_cast<uint64_t>(offset),
                      {static_cast<const char*>(data), static_cast<size_t>(wanted)});
        });
    return fault != SQLITE_OK ? fault : code;
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (const int code = injected(Op::kSqlTruncate, SQLITE_IOERR_TRUNCATE, &facts_of(file)))
        return code;
    const int code = real(file)->pMethods->xTruncate(real(file), size);
    if (code == SQLITE_OK)
        tell([&](PowerCut& cut) { cut.resized(facts_of(file).node, static_cast<uint64_t>(size)); });
    return code;
}

int file_sync(sqlite3_file* file, int) {
    Facts& facts = facts_of(file);
    if (const int code = injected(Op::kSqlSync, SQLITE_IOERR_FSYNC, &facts)) return code;
    tell([&](PowerCut& cut) {
        cut.synced(facts.node);
        if (facts.sync_folder) cut.synced_folder(facts.path.substr(0, facts.path.rfind('/')));
        facts.sync_folder = false;
    });
    return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
    if (const int code = injected(Op::kSqlSize, SQLITE_IOERR_FSTAT, &facts_of(file))) return code;
    return real(file)->pMethods->xFileSize(real(file), size);
}

int file_lock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xLock(real(file), level);
}
int file_unlock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
}
int file_check_lock(sqlite3_file* file, int* result) {
    return real(file)->pMethods->xCheckReservedLock(real(file), result);
}

int file_control(sqlite3_file* file, int op, void* argument) {
    if (op == SQLITE_FCNTL_LAST_ERRNO && facts_of(file).last_errno != 0) {
        *static_cast<int*>(argument) = facts_of(file).last_errno;
        return SQLITE_OK;
    }
    // It would grow the file unseen; SQLite writes to grow it when this is unknown.
    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_NOTFOUND;
    return real(file)->pMethods->xFileControl(real(file), op, argument);
}

int file_sector_size(sqlite3_file* file) {
    return real(file)->pMethods->xSectorSize(real(file));
}
int file_characteristics(sqlite3_file* file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** data) {
    if (const int code = injected(Op::kSqlShmMap, SQLITE_IOERR_SHMMAP, &facts_of(file)))
        return code;
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, data);
}
int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}
void shm_barrier(sqlite3_file* file) {
    real(file)->pMethods->xShmBarrier(real(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
    return real(file)->pMethods->xShmUnmap(real(file), remove);
}
int file_fetch(sqlite3_file* file, sqlite3_int64 offset, int size, void** data) {
    return real(file)->pMethods->xFetch(real(file), offset, size, data);
}
int file_unfetch(sqlite3_file* file, sqlite3_int64 offset, void* data) {
    return real(file)->pMethods->xUnfetch(real(file), offset, data);
}

constexpr sqlite3_io_methods kMethods = {
    3,
    file_close,
    file_read,
    file_write,
    file_truncate,
    file_sync,
    file_size,
    file_lock,
    file_unlock,
    file_check_lock,
    file_control,
    file_sector_size,
    file_characteristics,
    shm_map,
    shm_lock,
    shm_barrier,
    shm_unmap,
    file_fetch,
    file_unfetch,
};
// SQLite looks whether there is shared memory at all; an immutable file has none.
constexpr sqlite3_io_methods kMethodsWithoutShm = [] {
    sqlite3_io_methods methods = kMethods;
    methods.iVersion = 1;
    return methods;
}();

int vfs_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    file->pMethods = nullptr;
    if (const int code = injected(Op::kSqlOpen, SQLITE_CANTOPEN, nullptr)) return code;
    int existed = 0;
    if (name != nullptr) below->xAccess(below, name, SQLITE_ACCESS_EXISTS, &existed);
    const int code = below->xOpen(below, name, real(file), flags, out_flags);
    if (code != SQLITE_OK) {
        last_errno = below->xGetLastError(below, 0, nullptr);
        return code;
    }
    const FaultGate::Suspend quiet;
    auto facts = std::make_unique<Facts>();
    if (name != nullptr && (flags & SQLITE_OPEN_DELETEONCLOSE) == 0) {
        facts->path = name;
        facts->sync_folder =
            existed == 0 &&
            (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)) != 0;
        tell([&](PowerCut& cut) {
            facts->node = cut.opened(facts->path, (flags & SQLITE_OPEN_CREATE) != 0);
        });
    }
    reinterpret_cast<File*>(file)->facts = facts.release();
    const sqlite3_io_methods* methods = real(file)->pMethods;
    file->pMethods =
        methods->iVersion >= 3 && methods->xShmMap != nullptr ? &kMethods : &kMethodsWithoutShm;
    return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs*, const char* name, int sync_folder) {
    if (const int code = injected(Op::kSqlDelete, SQLITE_IOERR_DELETE, nullptr)) return code;
    const int code = below->xDelete(below, name, 0);
    if (code == SQLITE_OK)
        tell([&](PowerCut& cut) {
            const std::string path = name;
            cut.removed(path);
            if (sync_folder) cut.synced_folder(path.substr(0, path.rfind('/')));
        });
    return code;
}

int vfs_access(sqlite3_vfs*, const char* name, int flags, int* result) {
    if (const int code = injected(Op::kSqlAccess, SQLITE_IOERR_ACCESS, nullptr)) return code;
    return below->xAccess(below, name, flags, result);
}

int vfs_last_error(sqlite3_vfs*, int size, char* text) {
    if (const int code = last_errno.exchange(0)) return code;
    return below->xGetLastError(below, size, text);
}

// The real VFS finds itself by the pointer it gets.
int vfs_full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    return below->xFullPathname(below, name, size, out);
}
// The same bytes in every run, so that a point that failed can be visited again.
int vfs_randomness(sqlite3_vfs*, int size, char* out) {
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(i * 37 + 11);
    return size;
}
int vfs_sleep(sqlite3_vfs*, int microseconds) {
    return below->xSleep(below, microseconds);
}
int vfs_time(sqlite3_vfs*, double* time) {
    return below->xCurrentTime(below, time);
}
int vfs_time64(sqlite3_vfs*, sqlite3_int64* time) {
    return below->xCurrentTimeInt64(below, time);
}

sqlite3_vfs shim{};

}  // namespace

void install_fault_vfs() {
    if (below != nullptr) return;
    install_sqlite_memory();
    below = sqlite3_vfs_find(nullptr);
    shim.iVersion = 2;
    shim.szOsFile = static_cast<int>(sizeof(File)) + below->szOsFile;
    shim.mxPathname = below->mxPathname;
    shim.zName = "fault";
    shim.xOpen = vfs_open;
    shim.xDelete = vfs_delete;
    shim.xAccess = vfs_access;
    shim.xFullPathname = vfs_full_path;
    shim.xRandomness = vfs_randomness;
    shim.xSleep = vfs_sleep;
    shim.xCurrentTime = vfs_time;
    shim.xGetLastError = vfs_last_error;
    shim.xCurrentTimeInt64 = vfs_time64;
    sqlite3_vfs_register(&shim, 1);
}

}  // namespace rpt::fault
