// What is swept: stores with some documents, operations on them, and what is seen of them.
#pragma once

#include <gtest/gtest.h>

#include "tests/fault/fault_vfs.h"
#include "tests/fault/store_fault.h"
#include "tests/fault/store_sweep.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::fault {

using storage::Durability;
using storage::Hit;
using storage::kDim;
using storage::Space;
using storage::Store;
using storage::StoreOptions;

inline constexpr uint64_t kLargeChunks = 1100;

// What is swept over every operation; each line a sweep.
inline const std::vector<SweptFaults>& all_faults() {
    static const std::vector<SweptFaults> faults = [] {
        std::vector<SweptFaults> all;
        for (const bool persistent : {false, true}) {
            all.push_back({.ops = only(Op::kSqlOpen) | only(Op::kOpen), .persistent = persistent});
            all.push_back({.ops = only(Op::kSqlRead) | only(Op::kRead), .persistent = persistent});
            all.push_back(
                {.ops = only(Op::kSqlWrite) | only(Op::kWrite), .persistent = persistent});
            all.push_back({.ops = only(Op::kSqlSync) | only(Op::kSync), .persistent = persistent});
            all.push_back({.ops = kFiles, .persistent = persistent});
            all.push_back({.ops = kGrowing, .cause = Cause::kNoSpace, .persistent = persistent});
            all.push_back({.ops = only(Op::kNew), .persistent = persistent});
            all.push_back({.ops = only(Op::kSqlMalloc), .persistent = persistent});
        }
        return all;
    }();
    return faults;
}

class StoreSweep : public storage::StoreTest {
  protected:
    static void SetUpTestSuite() { install_fault_vfs(); }
    void SetUp() override {
        StoreTest::SetUp();
        folder_ = std::filesystem::canonical(folder_).string();
    }

    static StoreOptions writing(Durability durability, bool create = false) {
        StoreOptions o = options(create);
        o.durability = durability;
        return o;
    }
    static void nothing(const std::string&) {}
    // Two spaces, some documents.
    static void filled(const std::string& path) {
        auto store = Store::open(path, writing(Durability::kNone, true));
        storage::Numbers numbers(1);
        for (const char* collection : {"first", "second"}) {
            auto space = store->open_space("owner", collection, true);
            for (int i = 0; i < 3; ++i)
                add(*space, std::to_string(i), storage::make_document(numbers, 5));
        }
        store->close();
    }
    // Enough chunks for an index file.
    static void large(const std::string& path) {
        auto store = Store::open(path, writing(Durability::kNone, true));
        storage::Numbers numbers(2);
        add(*store->open_space("owner", "first", true), "large",
            storage::make_document(numbers, kLargeChunks));
        store->close();
    }
    static std::shared_ptr<Store> opened(const std::string& path) {
        return Store::open(path, writing(Durability::kFlush));
    }
    static std::shared_ptr<Store> opened_to_read(const std::string& path) {
        StoreOptions o = options(false);
        o.read_only = true;
        return Store::open(path, o);
    }

    static size_t hits_in(Store& store, const std::string& collection) {
        return find(store, store.open_space("owner", collection, false),
                    std::vector<float>(kDim, 1), 5000)
            .size();
    }
    // Whatever came of `store`, it holds no lock.
    static void opens_again(const std::string& path, std::shared_ptr<Store>&) {
        opened(path)->close();
    }

    // What the parts of the API that all versions of a store share can tell, and the rows below.
    static std::string observe(const std::string& path) {
        if (!std::filesystem::exists(path + "/store.sqlite")) return "no store";
        auto store = Store::open(path, writing(Durability::kFlush));
        const std::string all = seen_in(*store);
        store->close();
        return all + dump_database(path + "/store.sqlite");
    }
    static std::string seen_in(Store& store) {
        std::string all;
        std::vector<std::pair<std::string, std::string>> names;
        store.list_spaces([&](const std::string& owner, const std::string& collection) {
            names.emplace_back(owner, collection);
            return true;
        });
        for (const auto& [owner, collection] : names) {
            const auto space = store.open_space(owner, collection, false);
            all += "space " + owner + "/" + collection + "\n";
            for (const Hit& hit : find(store, space, std::vector<float>(kDim, 1), 5000))
                all +=
                    "hit " + std::to_string(hit.chunk_id) + " " + std::to_string(hit.score) + "\n";
        }
        return all;
    }

    // What people get from a store that is whole: hits and texts, and no damage. Rows that wait to
    // be erased do not count.
    static std::string observe_answers(const std::string& path) {
        auto store = Store::open(path, writing(Durability::kFlush));
        std::string all = seen_in(*store);
        for (const char* collection : {"first", "second"}) {
            std::shared_ptr<Space> space;
            try {
                space = store->open_space("owner", collection, false);
            } catch (const Error&) {
                continue;  // dropped
            }
            space->list_documents("", [&](const storage::DocumentInfo& info) {
                all += info.key + " " + std::to_string(info.revision) + " " +
                       space->read_text(info.key, 0, SIZE_MAX) + "\n";
                return true;
            });
        }
        store->check(storage::CheckLevel::kFull, [](const storage::Finding& finding) {
            if (finding.severity == storage::Finding::Severity::kDamage)
                throw Error(Status::kCorrupt, "test", finding.text);
        });
        store->close();
        return all;
    }
    static StoreOperation on_answers(const std::string& name,
                                     const std::function<void(Store&)>& work) {
        StoreOperation operation = on_open_store(name, work);
        operation.observe = observe_answers;
        return operation;
    }
    // The same operation on a store with a budget and a log so long that every commit is followed
    // by a checkpoint.
    static StoreOperation under_budget(StoreOperation operation) {
        operation.name += " under a budget";
        operation.prepare = [](const std::string& path) {
            filled(path);
            auto store = opened(path);
            store->set_budget(2 << 20);
            store->close();
        };
        operation.open = [](const std::string& path) {
            auto store = opened(path);
            for (int i = 0; i < 8; ++i) {
                store->open_space("owner", "passing", true);
                store->drop_space("owner", "passing");
            }
            return store;
        };
        return operation;
    }
    // Only faults that a checkpoint can meet, and memory.
    void sweep_writes(const StoreOperation& operation) {
        for (const bool persistent : {false, true}) {
            sweep(folder_ + "/sweep", operation,
                  {.ops = only(Op::kSqlWrite) | only(Op::kSqlSync), .persistent = persistent});
            sweep(folder_ + "/sweep", operation,
                  {.ops = kGrowing, .cause = Cause::kNoSpace, .persistent = persistent});
            sweep(folder_ + "/sweep", operation,
                  {.ops = only(Op::kSqlMalloc), .persistent = persistent});
        }
    }
    static void write_document(Store& store, const std::string& key, bool replace) {
        storage::Numbers numbers(9);
        add(*store.open_space("owner", "first", false), key, storage::make_document(numbers, 6),
            replace);
    }

    // An operation on a store that is open before the faults begin.
    static StoreOperation on_open_store(const std::string& name,
                                        const std::function<void(Store&)>& work) {
        return {.name = name,
                .prepare = filled,
                .open = opened,
                .run = [work](const std::string&, std::shared_ptr<Store>& store) { work(*store); },
                .observe = observe};
    }

    static StoreOperation creating() {
        return {.name = "create",
                .prepare = nothing,
                .run =
                    [](const std::string& path, std::shared_ptr<Store>& store) {
                        store = Store::open(path, writing(Durability::kFlush, true));
                    },
                .observe = observe};
    }
    static StoreOperation making_space() {
        return on_open_store("open_space(create)",
                             [](Store& store) { store.open_space("owner", "third", true); });
    }

    std::string seen_before_;

    void sweep_all(const StoreOperation& operation) {
        uint64_t points = 0;
        for (const SweptFaults& faults : all_faults())
            points += sweep(folder_ + "/sweep", operation, faults).points;
        EXPECT_GT(points, 0u);
    }
};

}  // namespace rpt::fault
