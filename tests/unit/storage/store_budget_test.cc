// Stores that may take so many bytes on the disk and no more.
#include "tests/unit/storage/store_budget_fixture.h"

namespace rpt::storage {

TEST_F(StoreBudget, folder_never_takes_more_while_four_times_as_much_comes) {
    for (const uint64_t budget : {4 * kMiB, 16 * kMiB}) {
        const std::string path = path_ + std::to_string(budget), free = path + "_free";
        auto store = open_wide(path), unlimited = open_wide(free);
        auto space = store->open_space("o", "c", true),
             all_space = unlimited->open_space("o", "c", true);
        store->set_budget(budget);
        EXPECT_EQ(store->stats().budget, budget);
        uint64_t came = 0;
        Numbers numbers(budget), questions(1);
        {
            FolderWatch watch(path);
            for (int n = 0; came < 4 * budget; ++n) {
                const auto segments =
                    wide_document(numbers, 1 + numbers.below(30), 1 + numbers.below(6));
                for (const SegmentRecord& segment : segments)
                    came += segment.chunks.size() * kLong * (kWide + 2);
                ingest(*space, std::to_string(n), segments, [&] { watch.look(); });
                ingest(*all_space, std::to_string(n), segments);
                if (n % 3 == 0) store->load_states(all(*store, space, questions.vector(kWide)));
                if (n % 16 == 15) {
                    space->delete_document(std::to_string(n - 7));
                    all_space->delete_document(std::to_string(n - 7));
                }
            }
            store->close();
            report("ingest", watch.most(), budget);
            EXPECT_LE(watch.most(), budget + budget / 100);
            EXPECT_GE(watch.most(), budget - budget / 4);  // the room is used
        }
        store = open_wide(path);
        space = store->open_space("o", "c", false);
        EXPECT_EQ(store->stats().budget, budget);
        EXPECT_LT(store->stats().state_bytes_disk, budget);
        EXPECT_GT(store->stats().state_bytes_disk, budget / 4);
        for (int i = 0; i < 20; ++i) {
            const std::vector<float> query = questions.vector(kWide);
            const auto got = all(*store, space, query),
                       expected = all(*unlimited, all_space, query);
            ASSERT_EQ(got.size(), expected.size());
            for (size_t j = 0; j < got.size(); ++j) ASSERT_EQ(got[j].score, expected[j].score);
        }
        FolderWatch watch(path);  // and after reopening
        for (int n = 0; n < 20; ++n)
            ingest(*space, "more" + std::to_string(n), wide_document(numbers, 10, 6));
        store->close();
        report("reopened", watch.most(), budget);
        EXPECT_LE(watch.most(), budget + budget / 100);
    }
}

TEST_F(StoreBudget, folder_never_takes_more_while_documents_and_spaces_go) {
    constexpr uint64_t kBudget = 4 * kMiB;
    auto store = open_wide(path_);
    store->set_budget(kBudget);
    Numbers numbers(4);
    const auto fill = [&](const std::shared_ptr<Space>& space) {
        for (int n = 0; n < 12; ++n)
            ingest(*space, std::to_string(n), wide_document(numbers, 12, 6));
    };
    auto space = store->open_space("o", "c", true);
    fill(space);
    const auto watched = [&](const char* what, const std::function<void()>& work) {
        FolderWatch watch(path_);
        work();
        report(what, watch.most(), kBudget);
        EXPECT_LE(watch.most(), kBudget + kBudget / 100) << what;
    };
    watched("delete", [&] {
        for (int n = 0; n < 12; n += 2) space->delete_document(std::to_string(n));
    });
    fill(store->open_space("o", "d", true));
    watched("abandon", [&] {
        auto writer = space->begin_document(spec_of("1", true));
        for (uint64_t i = 0; i < 50; ++i) {
            Edit edit;
            edit.first = i;
            edit.segments = {wide_segment(numbers, 10)};
            writer->commit(edit);
        }
    });
    watched("drop", [&] { store->drop_space("o", "d"); });
    fill(store->open_space("o", "e", true));
    watched("close", [&] { store->close(); });
}

TEST_F(StoreBudget, dropping_a_space_that_fills_the_budget_stays_within_it) {
    constexpr uint64_t kBudget = 16 * kMiB;
    auto store = open_wide(path_);
    store->set_budget(kBudget);
    Numbers numbers(4);
    auto space = store->open_space("o", "d", true);
    for (int n = 0; n < 40; ++n) ingest(*space, std::to_string(n), wide_document(numbers, 12, 4));
    FolderWatch watch(path_);
    store->drop_space("o", "d");
    report("drop full", watch.most(), kBudget);
    EXPECT_LE(watch.most(), kBudget + kBudget / 100);
    EXPECT_EQ(store->stats().chunks, 0u);
}

TEST_F(StoreBudget, figure_of_the_disk_is_what_du_says) {
    auto store = open_wide(path_);
    auto space = store->open_space("o", "c", true);
    Numbers numbers(2);
    for (int n = 0; n < 30; ++n) {
        ingest(*space, std::to_string(n), wide_document(numbers, 10, 6));
        if (n % 10 == 9) store->rebuild_index();
        if (n % 5 != 0) continue;
        std::FILE* pipe = ::popen(("du -s --block-size=1 " + path_).c_str(), "r");
        ASSERT_NE(pipe, nullptr);
        unsigned long long said = 0;
        EXPECT_EQ(std::fscanf(pipe, "%llu", &said), 1);
        ::pclose(pipe);
        EXPECT_NEAR(double(store->stats().disk_bytes), double(said), 0.02 * double(said));
    }
}

TEST_F(StoreBudget, states_that_were_not_used_for_longest_go_first) {
    auto store = open_wide(path_);
    auto space = store->open_space("o", "c", true);
    Numbers numbers(3);
    std::map<int, std::vector<SegmentRecord>> documents;
    for (int n = 0; n < 12; ++n) {
        documents[n] = wide_document(numbers, 10, 4);
        ingest(*space, std::to_string(n), documents[n]);
    }
    const auto chunks_of_document = [&](int n) {
        std::vector<Hit> hits;
        for (const SegmentInfo& info : space->list_segments(std::to_string(n))) {
            const auto tokens = store->read_segment_tokens(info.id, 0);
            for (const uint64_t chunk : tokens->chunks) hits.push_back({chunk, 0});
        }
        return hits;
    };
    // The oldest were used last.
    const auto used = chunks_of_document(0), oldest = chunks_of_document(1),
               newest = chunks_of_document(11);
    store->load_states(used);
    store->set_budget(3 * kMiB);
    const auto left = with_states(path_);
    ASSERT_FALSE(left.empty());
    EXPECT_LT(left.size(), 480u);
    const auto kept = [&](const std::vector<Hit>& hits) {
        return std::ranges::count_if(hits,
                                     [&](const Hit& hit) { return left.contains(hit.chunk_id); });
    };
    EXPECT_EQ(kept(used), ptrdiff_t(used.size()));
    EXPECT_EQ(kept(oldest), 0);
    EXPECT_EQ(kept(newest), ptrdiff_t(newest.size()));
    // A budget takes no chunk from searches.
    EXPECT_EQ(all(*store, space, std::vector<float>(kWide, 1)).size(), 480u);
}

TEST_F(StoreBudget, dropped_states_come_back_by_restoring) {
    Numbers numbers(5);
    const auto segments = wide_document(numbers, 60, 4);
    uint64_t segment = 0;
    Hit hit;
    StoreOptions o = wide_options();
    o.cache_bytes = 1;  // what is found comes from the disk
    auto store = Store::open(path_, o);
    auto space = store->open_space("o", "c", true);
    ingest(*space, "a", segments);
    const SegmentInfo info = space->list_segments("a")[3];
    segment = info.id;
    hit.chunk_id = store->read_segment_tokens(segment, 0)->chunks[1];
    const auto before = store->load_states({&hit, 1})[0];
    ASSERT_TRUE(before.chunk && before.successor);
    store->close();
    store = Store::open(path_, o);
    space = store->open_space("o", "c", false);
    {
        const auto uses = space->find_document("a");  // the document is read, its states are not
        ASSERT_TRUE(uses);
    }
    ingest(*space, "b", wide_document(numbers, 30, 4));
    store->set_budget(2 * kMiB);
    auto gone = store->load_states({&hit, 1})[0];
    ASSERT_FALSE(gone.chunk);
    EXPECT_EQ(gone.chunk_dropped, segment);
    EXPECT_EQ(gone.successor_dropped, segment);
    EXPECT_NE(gone.successor_id, 0u);
    const auto record = space->read_chunk("a", 13);
    ASSERT_TRUE(record);
    EXPECT_TRUE(record->states.empty());
    EXPECT_EQ(record->tokens, segments[3].chunks[1].tokens);
    // What it takes to make them again, then the same states.
    const auto tokens = store->read_segment_tokens(segment, 20);
    ASSERT_TRUE(tokens);
    EXPECT_EQ(tokens->context.size(), 20u);
    EXPECT_EQ(tokens->tokens.size(), 4 * kLong);
    std::vector<std::vector<float>> made;
    for (const ChunkRecord& chunk : segments[3].chunks) made.push_back(chunk.states);
    const auto restored = store->restore_states(segment, made);
    ASSERT_EQ(restored.size(), 4u);
    EXPECT_EQ(*restored[1], *before.chunk);
    const auto back = store->load_states({&hit, 1})[0];
    ASSERT_TRUE(back.chunk && back.successor);
    EXPECT_EQ(*back.chunk, *before.chunk);
    EXPECT_EQ(back.chunk_dropped, 0u);
    EXPECT_EQ(space->read_chunk("a", 13)->states, *before.chunk);
    // Wrong shapes, unknown segments and readers restore nothing on the disk.
    made.pop_back();
    EXPECT_TRUE(store->restore_states(segment, made).empty());
    EXPECT_TRUE(store->restore_states(999999, made).empty());
    const auto other = space->list_segments("a")[5].id;
    made.assign(4, std::vector<float>(size_t(kLong) * kWide, 0.5f));
    const auto on_disk = with_states(path_).size();
    StoreOptions reading = wide_options();
    reading.create = false;
    reading.read_only = true;
    auto reader = Store::open(path_, reading);
    EXPECT_EQ(reader->restore_states(other, made).size(), 4u);
    EXPECT_EQ(with_states(path_).size(), on_disk);
    const Hit there{reader->read_segment_tokens(other, 0)->chunks[0], 0};
    EXPECT_TRUE(reader->load_states({&there, 1})[0].chunk);  // in its memory
}

TEST_F(StoreBudget, keys_that_do_not_fit_are_refused_and_nothing_is_lost) {
    auto store = open_wide(path_);
    auto space = store->open_space("o", "c", true);
    store->set_budget(kMiB);
    Numbers numbers(6);
    std::string text;
    int n = 0;
    const auto add_one = [&] {
        return status_of([&] { ingest(*space, std::to_string(n), wide_document(numbers, 40, 2)); },
                         &text);
    };
    Status status = Status::kOk;
    FolderWatch watch(path_);
    for (; n < 300 && status == Status::kOk; ++n) status = add_one();
    ASSERT_EQ(status, Status::kNoSpace);
    EXPECT_NE(text.find("budget of 1048576"), std::string::npos) << text;
    EXPECT_NE(text.find("delete documents"), std::string::npos) << text;
    report("keys", watch.most(), kMiB);
    EXPECT_LE(watch.most(), kMiB + kMiB / 100);
    const int last = n - 1;  // the one that was cut short
    for (int i = 0; i < last; ++i) {
        const auto info = space->find_document(std::to_string(i));
        ASSERT_TRUE(info && info->finished) << i;
        EXPECT_EQ(space->read_text(std::to_string(i), 0, SIZE_MAX).size(), info->bytes);
    }
    const uint64_t chunks = store->stats().chunks;
    EXPECT_EQ(all(*store, space, std::vector<float>(kWide, 1)).size(), chunks);
    // What the message advises: there is room again, at once, though few segments of a long
    // document are erased with it.
    for (int i = 0; i < last; ++i) space->delete_document(std::to_string(i));
    for (n = 500; n < 500 + last / 2; ++n) EXPECT_EQ(add_one(), Status::kOk) << n << ": " << text;
    n = 1000;
    EXPECT_EQ(add_one(), Status::kOk) << text;
    EXPECT_EQ(status_of([&] { store->set_budget(100); }, &text), Status::kArgument);
    store->set_budget(2 * kMiB);
    n = 1001;
    EXPECT_EQ(add_one(), Status::kOk) << text;
    // Fewer bytes than its keys take: refused, and the old budget stands.
    for (n = 2000; n < 2010; ++n) ASSERT_EQ(add_one(), Status::kOk) << text;
    EXPECT_EQ(status_of([&] { store->set_budget(kMiB); }, &text), Status::kNoSpace);
    EXPECT_EQ(store->stats().budget, 2 * kMiB);
    store->set_budget(0);
    for (; n < 2030; ++n) ASSERT_EQ(add_one(), Status::kOk) << text;
}

TEST_F(StoreBudget, lower_budget_shrinks_a_full_store_and_outlives_it) {
    auto store = open_wide(path_);
    auto space = store->open_space("o", "c", true);
    Numbers numbers(7);
    for (int n = 0; n < 20; ++n) ingest(*space, std::to_string(n), wide_document(numbers, 15, 5));
    const auto before = all(*store, space, std::vector<float>(kWide, 1));
    EXPECT_GT(folder_bytes(path_), 10 * kMiB);
    for (const uint64_t budget : {8 * kMiB, 5 * kMiB, 4 * kMiB}) {
        store->set_budget(budget);
        EXPECT_LE(folder_bytes(path_), budget + budget / 100);
        EXPECT_EQ(all(*store, space, std::vector<float>(kWide, 1)).size(), before.size());
    }
    store->close();
    EXPECT_LE(folder_bytes(path_), 4 * kMiB + 4 * kMiB / 100);
    store = open_wide(path_);
    space = store->open_space("o", "c", false);
    EXPECT_EQ(store->stats().budget, 4 * kMiB);
    FolderWatch watch(path_);
    for (int n = 0; n < 10; ++n)
        ingest(*space, "more" + std::to_string(n), wide_document(numbers, 15, 5));
    store->rebuild_index();
    report("lowered", watch.most(), 4 * kMiB);
    EXPECT_LE(watch.most(), 4 * kMiB + 4 * kMiB / 100);
    const auto after = all(*store, space, std::vector<float>(kWide, 1));
    EXPECT_EQ(after.size(), before.size() + 10 * 75);
}

// A database whose pages another program nailed down: the call ends, and says what is wrong.
TEST_F(StoreBudget, shrinking_ends_where_the_file_gives_no_pages_back) {
    auto store = Store::open(path_, wide_options());
    Numbers numbers(11);
    ingest(*store->open_space("o", "c", true), "a", wide_document(numbers, 80, 5));
    store->close();
    {
        Connection connection(path_ + "/store.sqlite", Connection::Access::kReadWrite, "test");
        connection.exec("PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=NONE; VACUUM");
    }
    store = Store::open(path_, wide_options());
    std::string text;
    EXPECT_EQ(status_of([&] { store->set_budget(2 * kMiB); }, &text), Status::kNoSpace);
    EXPECT_NE(text.find("gives no pages back"), std::string::npos) << text;
    EXPECT_EQ(store->stats().budget, 0u);
}

TEST_F(StoreBudget, budget_of_a_space_binds_that_space_alone) {
    auto store = open_wide(path_);
    auto bound = store->open_space("o", "bound", true),
         other = store->open_space("o", "other", true);
    Numbers numbers(8);
    const auto states_of_space = [&](const char* collection) {
        Connection connection(path_ + "/store.sqlite", Connection::Access::kReadOnly, "test");
        Query query(connection, "SELECT state_disk FROM spaces WHERE collection = ?");
        query.bind_text(collection);
        return query.step() ? query.count(0) : 0;
    };
    ingest(*other, "a", wide_document(numbers, 20, 5));
    const uint64_t of_other = states_of_space("other");
    bound->set_budget(kMiB);
    for (int n = 0; n < 10; ++n) ingest(*bound, std::to_string(n), wide_document(numbers, 10, 5));
    EXPECT_LT(states_of_space("bound"), kMiB);
    EXPECT_GT(states_of_space("bound"), kMiB / 8);
    EXPECT_EQ(states_of_space("other"), of_other);
    EXPECT_EQ(store->stats().chunks, 600u);
    store->close();
    store = open_wide(path_);
    bound = store->open_space("o", "bound", false);
    for (int n = 10; n < 12; ++n) ingest(*bound, std::to_string(n), wide_document(numbers, 10, 5));
    EXPECT_LT(states_of_space("bound"), kMiB);
    std::string text;
    EXPECT_EQ(status_of([&] { bound->set_budget(100000); }, &text), Status::kNoSpace);
    EXPECT_NE(text.find("\"bound\""), std::string::npos) << text;
    bound->set_budget(800000);
    EXPECT_LT(states_of_space("bound"), 800000u);
    bound->set_budget(0);
    ingest(*bound, "free", wide_document(numbers, 50, 5));
    EXPECT_GT(states_of_space("bound"), kMiB);
    EXPECT_EQ(states_of_space("other"), of_other);
}

}  // namespace rpt::storage
