// Sweeps over the operations of a store. Each fault must give an error of the right status and
// leave the store as it was or as the operation makes it.
#include "tests/fault/store_sweep.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "base/half.h"
#include "storage/index/hnsw_graph.h"
#include "tests/fault/fault_vfs.h"
#include "tests/fault/store_fault.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::fault {
namespace {

using storage::Durability;
using storage::Hit;
using storage::kDim;
using storage::Space;
using storage::Store;
using storage::StoreOptions;

constexpr uint64_t kLargeChunks = 1100;

// What is swept over every operation; each line a sweep.
const std::vector<SweptFaults>& all_faults() {
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

}  // namespace

TEST_F(StoreSweep, creating_a_store) {
    sweep_all(creating());
}

TEST_F(StoreSweep, opening_a_store) {
    sweep_all({.name = "open",
               .prepare = filled,
               .run = [](const std::string& path,
                         std::shared_ptr<Store>& store) { store = opened(path); },
               .observe = observe});
}

// A reader that came to be under a fault must see what is written afterwards.
TEST_F(StoreSweep, opening_a_store_to_read) {
    sweep_all({.name = "open to read",
               .prepare = filled,
               .run = [](const std::string& path,
                         std::shared_ptr<Store>& store) { store = opened_to_read(path); },
               .observe = [](const std::string& path) { return seen_in(*opened(path)); },
               .verify =
                   [](const std::string& path, std::shared_ptr<Store>& store) {
                       if (!store) return;
                       auto writer = opened(path);
                       writer->open_space("owner", "later", true);
                       store->open_space("owner", "later", false);
                       writer->drop_space("owner", "later");
                       writer->close();
                   }});
}

TEST_F(StoreSweep, making_a_space) {
    sweep_all(making_space());
}

TEST_F(StoreSweep, listing_spaces) {
    sweep_all(on_open_store("list_spaces", [](Store& store) {
        int n = 0;
        store.list_spaces([&](const std::string&, const std::string&) { return ++n < 100; });
        if (n != 2) throw std::logic_error("list_spaces shows " + std::to_string(n) + " spaces");
    }));
}

TEST_F(StoreSweep, searching) {
    sweep_all(on_open_store("search", [](Store& store) {
        const std::shared_ptr<Space> spaces[] = {store.open_space("owner", "first", false),
                                                 store.open_space("owner", "second", false)};
        const size_t n = store.search(spaces, std::vector<float>(kDim, 1), 1000, {}).size();
        if (n != 30) throw std::logic_error("search finds " + std::to_string(n) + " chunks");
    }));
}

// Closed is closed, even by a close that failed: nothing to try again, and nothing is held.
TEST_F(StoreSweep, closing_a_store) {
    StoreOperation operation = on_open_store("close", [](Store& store) { store.close(); });
    operation.open = [](const std::string& path) {
        auto store = opened(path);
        store->open_space("owner", "third", true);
        seen_in(*store);
        return store;
    };
    operation.repeatable = false;
    operation.verify = opens_again;
    sweep_all(operation);
}

TEST_F(StoreSweep, closing_a_store_that_keeps_an_index) {
    StoreOperation operation =
        on_open_store("close with an index", [](Store& store) { store.close(); });
    operation.prepare = large;
    operation.open = [](const std::string& path) {
        auto store = opened(path);
        seen_in(*store);
        return store;
    };
    operation.repeatable = false;
    operation.verify = opens_again;
    sweep_all(operation);
}

TEST_F(StoreSweep, searching_with_a_kept_index) {
    StoreOperation operation = on_open_store("search with an index", [](Store& store) {
        if (const size_t n = hits_in(store, "first"); n != kLargeChunks)
            throw std::logic_error("search finds " + std::to_string(n) + " chunks");
    });
    operation.prepare = [](const std::string& path) {
        large(path);
        auto store = opened(path);
        seen_in(*store);
        store->close();
        ASSERT_TRUE(std::filesystem::exists(path + "/index/1.idx"));
    };
    sweep_all(operation);
}

TEST_F(StoreSweep, rebuilding_an_index) {
    StoreOperation operation = on_open_store("rebuild_index", [](Store& store) {
        store.rebuild_index();
        if (const size_t n = hits_in(store, "first"); n != 15)
            throw std::logic_error("search finds " + std::to_string(n) + " chunks");
    });
    operation.open = [](const std::string& path) {
        StoreOptions o = writing(Durability::kFlush);
        o.flat_limit = 10;  // a graph above
        return Store::open(path, o);
    };
    sweep_all(operation);
}

// More threads than a small machine would start: those that run must end before memory that is
// missing for the next becomes an error.
TEST_F(StoreSweep, building_a_graph_with_many_threads) {
    storage::KeyRows rows(kDim);
    storage::Numbers numbers(3);
    for (uint64_t i = 1; i <= 1000; ++i) {
        std::vector<uint16_t> key(kDim);
        for (uint16_t& half : key) half = to_half(numbers.normal());
        storage::RowFacts facts;
        facts.chunk = i;
        rows.push(facts, {reinterpret_cast<const char*>(key.data()), key.size() * 2});
    }
    const std::atomic<bool> never{false};
    // The first 1000 rows are inserted before the threads start: what is asked for last is theirs.
    uint64_t all = 0;
    {
        const Armed counting({.ops = only(Op::kNew), .this_thread = true});
        storage::HnswGraph::build(rows, 4, never);
        all = gate().calls();
    }
    for (uint64_t n = all > 40 ? all - 40 : 1; n <= all; ++n) {
        const Armed armed({.ops = only(Op::kNew), .n = n, .this_thread = true});
        try {
            EXPECT_NE(storage::HnswGraph::build(rows, 4, never), nullptr);
        } catch (const std::bad_alloc&) {
        }
        EXPECT_EQ(gate().fired(), 1u);
    }
}

TEST_F(StoreSweep, writing_a_document) {
    StoreOperation operation =
        on_answers("write", [](Store& store) { write_document(store, "new", true); });
    sweep_all(operation);
}

TEST_F(StoreSweep, replacing_a_document) {
    sweep_all(on_answers("replace", [](Store& store) { write_document(store, "1", true); }));
}

TEST_F(StoreSweep, editing_the_middle_of_a_document) {
    StoreOperation operation = on_answers("edit", [](Store& store) {
        storage::Numbers numbers(10);
        storage::Edit edit = storage::make_document(numbers, 2);
        edit.first = 0;
        edit.n_old = 1;
        edit.finish = false;
        store.open_space("owner", "first", false)->resume_document("1")->commit(edit);
    });
    operation.repeatable = false;  // a second time would be a second edit
    sweep_all(operation);
}

TEST_F(StoreSweep, deleting_a_document) {
    StoreOperation operation = on_answers("delete", [](Store& store) {
        store.open_space("owner", "first", false)->delete_document("1");
    });
    operation.repeatable = false;
    sweep_all(operation);
}

TEST_F(StoreSweep, dropping_a_space) {
    StoreOperation operation =
        on_answers("drop_space", [](Store& store) { store.drop_space("owner", "second"); });
    operation.repeatable = false;
    sweep_all(operation);
}

TEST_F(StoreSweep, compacting) {
    StoreOperation operation = on_answers("compact", [](Store& store) { store.compact(); });
    operation.prepare = [](const std::string& path) {
        filled(path);
        auto store = opened(path);
        store->open_space("owner", "first", false)->delete_document("1");
        store->close();
    };
    sweep_all(operation);
}

TEST_F(StoreSweep, setting_a_budget) {
    sweep_all(on_answers("set_budget", [](Store& store) { store.set_budget(4 << 20); }));
}

// A commit that is on the disk is told as one, whatever the checkpoint after it meets.
TEST_F(StoreSweep, writing_under_a_budget) {
    sweep_writes(under_budget(
        on_answers("write", [](Store& store) { write_document(store, "new", true); })));
    StoreOperation edit = on_answers("append twice", [](Store& store) {
        storage::Numbers numbers(10);
        const storage::Edit document = storage::make_document(numbers, 8);
        const auto writer =
            store.open_space("owner", "first", false)->begin_document(storage::spec_of("two"));
        for (size_t i = 0; i < 2; ++i) {
            try {
                writer->commit(storage::part_of(document, i, 1));
            } catch (const Error&) {
                writer->commit(storage::part_of(document, i, 1));  // nothing had changed
            }
        }
    });
    edit.repeatable = false;
    // A fault that stays would meet the second try too.
    sweep(folder_ + "/sweep", under_budget(edit),
          {.ops = only(Op::kSqlWrite) | only(Op::kSqlSync)});
}

TEST_F(StoreSweep, deleting_under_a_budget) {
    StoreOperation deleting = on_answers("delete", [](Store& store) {
        store.open_space("owner", "first", false)->delete_document("1");
    });
    deleting.repeatable = false;
    sweep_writes(under_budget(deleting));
    StoreOperation dropping =
        on_answers("drop_space", [](Store& store) { store.drop_space("owner", "second"); });
    dropping.repeatable = false;
    sweep_writes(under_budget(dropping));
    sweep_writes(under_budget(
        on_answers("set_budget", [](Store& store) { store.set_budget(4 << 20); })));
}

// Whoever reads needs no write: states that a budget took are made again and given out, also where
// the disk takes nothing.
TEST_F(StoreSweep, restoring_states_needs_no_disk) {
    StoreOperation operation = on_answers("restore_states", [](Store& store) {
        const std::vector<std::vector<float>> states(4,
                                                     std::vector<float>(storage::kTokens * kDim, 1));
        if (store.restore_states(1, states).size() != 4)
            throw std::logic_error("restore_states gives nothing");
    });
    operation.prepare = [](const std::string& path) {
        filled(path);
        storage::run_sql(path + "/store.sqlite",
                         "DELETE FROM states; UPDATE chunks SET state_disk = 0; UPDATE spaces SET "
                         "state_disk = 0");
    };
    for (const bool persistent : {false, true})
        for (const OpSet ops : {only(Op::kSqlWrite), only(Op::kSqlSync), kGrowing})
            for (const Cause cause : {Cause::kIo, Cause::kNoSpace})
                sweep(folder_ + "/sweep", operation,
                      {.ops = ops,
                       .cause = cause,
                       .persistent = persistent,
                       .allowed = {Status::kOk}});
}

TEST_F(StoreSweep, backing_up) {
    StoreOperation operation = on_answers("backup", [this](Store& store) {
        std::filesystem::remove_all(folder_ + "/copy");
        store.backup(folder_ + "/copy");
    });
    operation.verify = [this](const std::string&, std::shared_ptr<Store>&) {
        // Whole or no store at all.
        if (std::filesystem::exists(folder_ + "/copy/store.sqlite") &&
            observe_answers(folder_ + "/copy") != seen_before_)
            throw std::logic_error("the copy is another store");
    };
    const std::string path = folder_ + "/plain";
    filled(path);
    seen_before_ = observe_answers(path);
    sweep_all(operation);
}

TEST_F(StoreSweep, power_cut_while_writing_a_document) {
    sweep_power(folder_ + "/sweep",
                on_answers("write", [](Store& store) { write_document(store, "new", true); }), 10,
                true);
}

TEST_F(StoreSweep, power_cut_while_compacting) {
    sweep_power(folder_ + "/sweep", on_answers("compact", [](Store& store) { store.compact(); }),
                10, true);
}

TEST_F(StoreSweep, power_cut_while_creating_a_store) {
    sweep_power(folder_ + "/sweep", creating(), 20, true);
}

TEST_F(StoreSweep, power_cut_while_making_a_space) {
    sweep_power(folder_ + "/sweep", making_space(), 20, true);
}

TEST_F(StoreSweep, power_cut_while_making_a_space_of_normal_durability) {
    StoreOperation operation = making_space();
    operation.name += ", normal";
    operation.open = [](const std::string& path) {
        return Store::open(path, writing(Durability::kNormal));
    };
    sweep_power(folder_ + "/sweep", operation, 20, false);
}

TEST_F(StoreSweep, power_cut_while_closing_a_store) {
    StoreOperation operation = on_open_store("close", [](Store& store) { store.close(); });
    sweep_power(folder_ + "/sweep", operation, 20, true);
}

// A state that is neither before nor after is found, or all of the above prove nothing.
TEST_F(StoreSweep, half_an_operation_is_seen) {
    StoreOperation operation = on_open_store("two spaces", [](Store& store) {
        store.open_space("owner", "third", true);
        store.open_space("owner", "fourth", true);
    });
    operation.repeatable = false;
    EXPECT_NONFATAL_FAILURE(
        sweep(folder_ + "/sweep", operation, {.ops = only(Op::kSqlSync), .persistent = true}),
        "neither before nor after");
}

}  // namespace rpt::fault

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    for (int i = 1; i < argc; ++i)
        if (std::strcmp(argv[i], "--every_fault") == 0) rpt::fault::set_every_fault(true);
    return RUN_ALL_TESTS();
}
