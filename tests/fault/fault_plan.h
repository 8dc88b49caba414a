// Which call fails: the n-th of a set of operations, once or from then on. The layers under SQLite
// (fault_vfs), under our own files (fault_files) and under memory (fault_memory) ask it at every
// call.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace rpt::fault {

enum class Op : uint32_t {
    // SQLite's files, through its VFS
    kSqlOpen,
    kSqlRead,
    kSqlWrite,
    kSqlTruncate,
    kSqlSync,
    kSqlDelete,
    kSqlAccess,
    kSqlSize,
    kSqlShmMap,
    // our own files, through the C library
    kOpen,
    kRead,
    kWrite,
    kTruncate,
    kSync,
    kRename,
    kUnlink,
    kMakeFolder,
    kLook,  // stat, fstat
    kMap,
    kLock,
    // memory
    kNew,
    kSqlMalloc,
    kCount,
};

using OpSet = uint32_t;
constexpr OpSet only(Op op) {
    return OpSet(1) << static_cast<uint32_t>(op);
}
constexpr OpSet range(Op first, Op last) {
    return (only(last) << 1) - only(first);
}
constexpr OpSet kSqlFiles = range(Op::kSqlOpen, Op::kSqlShmMap);
constexpr OpSet kOwnFiles = range(Op::kOpen, Op::kLock);
constexpr OpSet kFiles = kSqlFiles | kOwnFiles;
constexpr OpSet kMemory = range(Op::kNew, Op::kSqlMalloc);
// Those that a full disk can fail.
constexpr OpSet kGrowing = only(Op::kSqlWrite) | only(Op::kWrite) | only(Op::kMakeFolder);

const char* name_of(Op op);

// kShort: a write or read of our own files does half of what was asked and says so; no error.
enum class Cause : uint32_t { kIo, kNoSpace, kShort };

struct FaultPlan {
    OpSet ops = 0;
    uint64_t n = UINT64_MAX;  // from 1; UINT64_MAX: counts only
    bool persistent = false;  // every later call of the set fails too
    Cause cause = Cause::kIo;
    bool this_thread = false;  // calls of other threads neither count nor fail
};

// Shared by threads, one plan at a time. Takes no memory and no lock: operator new asks it.
class FaultGate {
  public:
    constexpr FaultGate() = default;
    void arm(const FaultPlan& plan);
    void disarm();
    // True: the call shall fail (never while disarmed or inside Suspend).
    bool fails(Op op);

    // Since arm().
    Cause cause() const { return cause_.load(std::memory_order_relaxed); }
    uint64_t calls() const { return calls_; }  // of the plan's set
    uint64_t fired() const { return fired_; }
    uint64_t count(Op op) const { return counts_[static_cast<uint32_t>(op)]; }
    Op first_fired() const { return first_fired_; }
    std::string describe() const;

    // The layers' own work neither counts nor fails.
    class Suspend {
      public:
        Suspend() { ++depth(); }
        ~Suspend() { --depth(); }
        Suspend(const Suspend&) = delete;
        Suspend& operator=(const Suspend&) = delete;
        static int& depth();
    };

  private:
    std::atomic<bool> armed_{false};
    std::atomic<OpSet> ops_{0};
    std::atomic<uint64_t> n_{UINT64_MAX};
    std::atomic<bool> persistent_{false};
    std::atomic<Cause> cause_{Cause::kIo};
    std::atomic<const void*> thread_{nullptr};
    std::atomic<uint64_t> calls_{0}, fired_{0};
    std::atomic<Op> first_fired_{Op::kCount};
    std::atomic<uint64_t> counts_[static_cast<uint32_t>(Op::kCount)]{};
};

// The one of the process.
FaultGate& gate();

// Armed while it lives.
class Armed {
  public:
    explicit Armed(const FaultPlan& plan) { gate().arm(plan); }
    ~Armed() { gate().disarm(); }
    Armed(const Armed&) = delete;
    Armed& operator=(const Armed&) = delete;
};

}  // namespace rpt::fault
