#include "tests/fault/store_sweep.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <vector>

#include "tests/fault/fault_vfs.h"
#include "tests/fault/power_cut.h"

namespace rpt::fault {
namespace {

constexpr uint64_t kMostPoints = 200000;
constexpr uint64_t kFirstPoints = 40;
constexpr int kMostComplaints = 10;

bool every = false;

std::set<Status> usual_statuses(const SweptFaults& faults) {
    std::set<Status> allowed;
    if ((faults.ops & kMemory) != 0) allowed.insert(Status::kNoMemory);
    if ((faults.ops & kFiles) != 0)
        allowed.insert(faults.cause == Cause::kNoSpace ? Status::kNoSpace : Status::kIo);
    return allowed;
}

uint64_t next_point(uint64_t n) {
    return every || n < kFirstPoints ? n + 1 : n + n / 5;
}

// Says which fault a program died of, where an exception met a noexcept function.
void install_last_words() {
    std::set_terminate([] {
        const FaultGate::Suspend quiet;
        const std::string text = "terminate called under " + gate().describe() + "\n";
        if (::write(2, text.data(), text.size()) < 0) std::abort();
        std::abort();
    });
}

struct Outcome {
    bool thrown = false;
    bool ours = false;  // rpt::Error, or std::bad_alloc, which the C API takes for kNoMemory
    Status status = Status::kOk;
    std::string text;
};

// A template: a std::function would ask for memory under the fault.
template <typename Work>
Outcome outcome_of(Work&& work) {
    Outcome outcome;
    try {
        work();
        return outcome;
    } catch (const Error& error) {
        gate().disarm();
        outcome.ours = true;
        outcome.status = error.status();
        outcome.text = error.what();
    } catch (const std::bad_alloc&) {
        gate().disarm();
        outcome.ours = true;
        outcome.status = Status::kNoMemory;
        outcome.text = "bad_alloc";
    } catch (const std::exception& error) {
        gate().disarm();
        outcome.text = std::string("a foreign exception: ") + error.what();
    } catch (...) {
        gate().disarm();
        outcome.text = "a foreign exception of unknown type";
    }
    outcome.thrown = true;
    return outcome;
}

// The folders of one sweep, and what is right in it.
class Workplace {
  public:
    Workplace(const std::string& folder, const StoreOperation& operation)
        : prepared_(folder + "/prepared"), work_(folder + "/work"), operation_(operation) {
        install_fault_vfs();
        install_last_words();
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(prepared_);
        operation.prepare(prepared_ + "/store");
        renew();
        before_ = operation.observe(store());
        renew();
        {
            auto opened = operation.open ? operation.open(store()) : nullptr;
            operation.run(store(), opened);
            if (opened) opened->close();
        }
        after_ = operation.observe(store());
    }

    std::string store() const { return work_ + "/store"; }
    const std::string& root() const { return work_; }
    const std::string& before() const { return before_; }
    const std::string& after() const { return after_; }

    void renew() const {
        std::filesystem::remove_all(work_);
        std::filesystem::copy(prepared_, work_, std::filesystem::copy_options::recursive);
    }

    // Counts what goes wrong; false when enough has been said.
    bool complain(const std::string& text) {
        if (++complaints_ <= kMostComplaints) ADD_FAILURE() << operation_.name << ": " << text;
        return complaints_ < kMostComplaints;
    }
    bool enough() const { return complaints_ >= kMostComplaints; }

    // "before", "after", or what else the store shows.
    std::string state_of(const std::string& path) const {
        std::string seen;
        const Outcome outcome = outcome_of([&] { seen = operation_.observe(path); });
        if (outcome.thrown) return "unreadable: " + outcome.text;
        if (seen == after_) return "after";
        return seen == before_ ? "before" : "neither before nor after:\n" + seen;
    }

  private:
    const std::string prepared_, work_;
    const StoreOperation& operation_;
    std::string before_, after_;
    int complaints_ = 0;
};

}  // namespace

bool every_fault() {
    return every;
}
void set_every_fault(bool value) {
    every = value;
}

SweepResult sweep(const std::string& folder, const StoreOperation& operation,
                  const SweptFaults& faults) {
    Workplace place(folder, operation);
    const std::set<Status> allowed =
        faults.allowed.empty() ? usual_statuses(faults) : faults.allowed;
    SweepResult result;
    std::set<Op> kinds;
    for (uint64_t n = 1; n <= kMostPoints && !place.enough(); n = next_point(n)) {
        place.renew();
        auto store = operation.open ? operation.open(place.store()) : nullptr;
        const std::string path = place.store();
        gate().arm({faults.ops, n, faults.persistent, faults.cause, (faults.ops & kMemory) != 0});
        const Outcome outcome = outcome_of([&] { operation.run(path, store); });
        gate().disarm();
        const bool fired = gate().fired() > 0;
        const std::string where = gate().describe();
        if (!fired) {
            if (outcome.thrown) place.complain("fails without a fault: " + outcome.text);
            break;
        }
        ++result.points;
        kinds.insert(gate().first_fired());
        ++(outcome.thrown ? result.failed : result.absorbed);
        if (outcome.thrown && (!outcome.ours || !allowed.contains(outcome.status)))
            place.complain(where + " gives status " +
                           std::to_string(static_cast<int>(outcome.status)) + ": " + outcome.text);
        if (outcome.thrown && operation.repeatable) {
            const Outcome again = outcome_of([&] { operation.run(place.store(), store); });
            if (again.thrown)
                place.complain(where + " passed, but trying again fails: " + again.text);
        }
        if (operation.verify) {
            const Outcome verified = outcome_of([&] { operation.verify(path, store); });
            if (verified.thrown) place.complain(where + ": " + verified.text);
        }
        if (store) {
            const Outcome closing = outcome_of([&] { store->close(); });
            if (closing.thrown) place.complain(where + ", then closing fails: " + closing.text);
            store.reset();
        }
        const std::string state = place.state_of(place.store());
        const bool done = !outcome.thrown || operation.repeatable;
        if (state != "after" && (done || state != "before"))
            place.complain(where + (outcome.thrown ? " failed: " + outcome.text + "; " : ", ") +
                           "the store is " + state);
    }
    std::string names;
    for (const Op kind : kinds) names += std::string(names.empty() ? "" : ", ") + name_of(kind);
    std::printf("[  points  ] %s: %" PRIu64 " faults%s (%s), %" PRIu64 " absorbed\n",
                operation.name.c_str(), result.points, faults.persistent ? " from then on" : "",
                names.c_str(), result.absorbed);
    return result;
}

PowerResult sweep_power(const std::string& folder, const StoreOperation& operation, uint64_t seeds,
                        bool lasting) {
    Workplace place(folder, operation);
    PowerResult result;
    bool returned = false;  // the power went after the operation
    for (uint64_t n = 1; n <= kMostPoints && !returned && !place.enough(); n = next_point(n)) {
        place.renew();
        auto recorder = std::make_unique<PowerCut>(place.root());
        auto store = operation.open ? operation.open(place.store()) : nullptr;
        recorder->stop_at(n);
        operation.run(place.store(), store);
        returned = !recorder->stopped();
        // Closing comes after the cut: it happens on a disk that is no more.
        if (returned) recorder->stop_at(1);
        if (store) store->close();
        store.reset();
        ++result.points;
        const std::string disk = folder + "/disk";
        for (uint64_t seed = 1; seed <= seeds; ++seed) {
            recorder->cut(n * 1000 + seed, disk);
            ++result.stores;
            const std::string state = place.state_of(disk + "/store");
            result.before += state == "before";
            result.after += state == "after";
            if (state == "after" || (state == "before" && !(returned && lasting))) continue;
            if (!place.complain("power gone at change " + std::to_string(n) +
                                (returned ? " (after the return)" : "") + ", seed " +
                                std::to_string(seed) + ": the store is " + state))
                break;
        }
    }
    std::printf("[  points  ] %s: power gone at %" PRIu64 " moments, %" PRIu64 " disks, %" PRIu64
                " as before, %" PRIu64 " as after\n",
                operation.name.c_str(), result.points, result.stores, result.before, result.after);
    return result;
}

std::string dump_database(const std::string& file) {
    struct Closer {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
    const std::unique_ptr<sqlite3, Closer> db(opened);
    if (code != SQLITE_OK) throw Error(Status::kCorrupt, "test", "cannot open " + file);
    const auto rows = [&](const std::string& sql) {
        sqlite3_stmt* prepared = nullptr;
        if (sqlite3_prepare_v2(db.get(), sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK)
            throw Error(Status::kCorrupt, "test", sql + ": " + sqlite3_errmsg(db.get()));
        const std::unique_ptr<sqlite3_stmt, Closer> statement(prepared);
        std::vector<std::vector<std::string>> all;
        int step = 0;
        while ((step = sqlite3_step(prepared)) == SQLITE_ROW) {
            auto& row = all.emplace_back();
            for (int i = 0; i < sqlite3_column_count(prepared); ++i) {
                const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(prepared, i));
                row.emplace_back(text != nullptr ? text : "NULL");
            }
        }
        if (step != SQLITE_DONE)
            throw Error(Status::kCorrupt, "test", sql + ": " + sqlite3_errmsg(db.get()));
        return all;
    };
    const auto check = rows("PRAGMA integrity_check");
    if (check.size() != 1 || check[0][0] != "ok")
        throw Error(Status::kCorrupt, "test", "integrity_check: " + check[0][0]);
    if (!rows("PRAGMA foreign_key_check").empty())
        throw Error(Status::kCorrupt, "test", "foreign_key_check finds rows");
    std::string dump;
    const auto tables = rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1");
    for (const auto& table : tables) {
        std::string columns;
        for (const auto& column : rows("SELECT name FROM pragma_table_info('" + table[0] + "')"))
            columns += (columns.empty() ? "quote(" : " || ', ' || quote(") + column[0] + ")";
        dump += table[0] + ":\n";
        for (const auto& row : rows("SELECT " + columns + " AS r FROM " + table[0] + " ORDER BY r"))
            dump += "  " + row[0] + "\n";
    }
    return dump;
}

}  // namespace rpt::fault
