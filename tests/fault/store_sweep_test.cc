// Sweeps over the operations of a store. Each fault must give an error of the right status and
// leave the store as it was or as the operation makes it.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "base/half.h"
#include "storage/index/hnsw_graph.h"
#include "tests/fault/store_sweep_fixture.h"

namespace rpt::fault {

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
