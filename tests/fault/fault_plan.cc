#include "tests/fault/fault_plan.h"

#include <iterator>

namespace rpt::fault {
namespace {

constinit FaultGate the_gate;
thread_local char thread_mark = 0;  // its address tells the thread

}  // namespace

FaultGate& gate() {
    return the_gate;
}

int& FaultGate::Suspend::depth() {
    thread_local int depth = 0;
    return depth;
}

const char* name_of(Op op) {
    static constexpr const char* kNames[] = {
        "sql open", "sql read", "sql write",    "sql truncate", "sql sync", "sql delete",
        "sql look", "sql size", "sql shm map",  "open",         "read",     "write",
        "truncate", "sync",     "rename",       "unlink",       "mkdir",    "stat",
        "map",      "lock",     "operator new", "sql malloc",   "nothing"};
    static_assert(std::size(kNames) == static_cast<size_t>(Op::kCount) + 1);
    return kNames[static_cast<uint32_t>(op)];
}

void FaultGate::arm(const FaultPlan& plan) {
    disarm();
    ops_ = plan.ops;
    n_ = plan.n;
    persistent_ = plan.persistent;
    cause_ = plan.cause;
    thread_ = plan.this_thread ? &thread_mark : nullptr;
    calls_ = 0;
    fired_ = 0;
    first_fired_ = Op::kCount;
    for (auto& count : counts_) count = 0;
    armed_ = true;
}

void FaultGate::disarm() {
    armed_ = false;
}

bool FaultGate::fails(Op op) {
    if (!armed_.load(std::memory_order_relaxed) || Suspend::depth() > 0) return false;
    const void* thread = thread_;
    if (thread != nullptr && thread != &thread_mark) return false;
    ++counts_[static_cast<uint32_t>(op)];
    if ((ops_ & only(op)) == 0) return false;
    const uint64_t call = ++calls_;
    if (persistent_ ? call < n_ : call != n_) return false;
    if (++fired_ == 1) first_fired_ = op;
    return true;
}

std::string FaultGate::describe() const {
    const Suspend quiet;
    return "fault " + std::to_string(n_) + (persistent_ ? " and later" : "") + " (" +
           name_of(first_fired_) + ")";
}

}  // namespace rpt::fault
