// Fails the n-th call of an operation on a store for n = 1, 2, ... until nothing fails any more;
// and takes the power away at every step. After each the store must be as before or as after.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/error.h"
#include "storage/store.h"
#include "tests/fault/fault_plan.h"

namespace rpt::fault {

// What is swept. `path` is the store's folder, fresh for every fault.
struct StoreOperation {
    std::string name = {};
    // Leaves a closed store at `path`, or nothing. Runs once; the result is copied.
    std::function<void(const std::string& path)> prepare = {};
    // Before the faults: null if `run` opens the store itself.
    std::function<std::shared_ptr<storage::Store>(const std::string& path)> open = {};
    // Under faults. What it leaves in `store` is closed after them.
    std::function<void(const std::string& path, std::shared_ptr<storage::Store>& store)> run = {};
    // All that a reader can see of a closed store, in words; "no store" if there is none. Throws if
    // it is damaged.
    std::function<std::string(const std::string& path)> observe = {};
    // Optional: looks at the store after the fault, without faults, while `store` lives; throws if
    // something is wrong.
    std::function<void(const std::string& path, std::shared_ptr<storage::Store>& store)> verify =
        {};
    // After a failure and without faults `run` must succeed with the same `store`.
    bool repeatable = true;
};

struct SweptFaults {
    OpSet ops = 0;
    Cause cause = Cause::kIo;
    bool persistent = false;
    std::set<Status> allowed = {};  // empty: what the operations and the cause mean
};

struct SweepResult {
    uint64_t points = 0;    // faults that were reached
    uint64_t failed = 0;    // of these, the operation failed
    uint64_t absorbed = 0;  // of these, it succeeded in spite of the fault
};

// Fails the running GoogleTest for each point that goes wrong (at most ten) and prints a line with
// the number of points. `folder` is the sweep's own; emptied.
SweepResult sweep(const std::string& folder, const StoreOperation& operation,
                  const SweptFaults& faults);

struct PowerResult {
    uint64_t points = 0;  // moments at which the power went
    uint64_t stores = 0;  // disks that were looked at
    uint64_t before = 0, after = 0;
};

// The power goes at the n-th change of a file for n = 1, 2, ..., then once after the operation has
// returned; `seeds` disks each. Before the return a disk must show the state before or after;
// after it, `lasting` says that it must be the state after.
PowerResult sweep_power(const std::string& folder, const StoreOperation& operation, uint64_t seeds,
                        bool lasting);

// Every n instead of the first 40 and then some (label `long`).
bool every_fault();
void set_every_fault(bool every);

// The rows of every table, in order, after `PRAGMA integrity_check`; throws Error(kCorrupt) if that
// finds anything. Knows no schema.
std::string dump_database(const std::string& file);

}  // namespace rpt::fault
