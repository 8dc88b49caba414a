// Searches, spaces, readers and threads of one store.
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "tests/conformance/conformance.h"

namespace rpt::storage {

TEST_P(Conformance, search_refuses_wrong_arguments) {
    auto store = open();
    auto space = store->open_space("o", "c", true);
    EXPECT_TRUE(find(*store, space, std::vector<float>(kDim), 3).empty());
    EXPECT_EQ(status_of([&] { find(*store, space, std::vector<float>(kDim - 1), 3); }),
              Status::kArgument);
    EXPECT_EQ(status_of([&] { find(*store, space, std::vector<float>(kDim, NAN), 3); }),
              Status::kArgument);
    EXPECT_EQ(status_of([&] { store->search({}, std::vector<float>(kDim), 3, {}); }),
              Status::kArgument);
    auto other = backend().open(folder_ + "/other", options());
    auto foreign = other->open_space("o", "c", true);
    EXPECT_EQ(status_of([&] { find(*store, foreign, std::vector<float>(kDim), 3); }),
              Status::kArgument);
}

TEST_P(Conformance, spaces_never_see_each_other) {
    Numbers numbers(11);
    auto store = open();
    std::vector<std::shared_ptr<Space>> spaces;
    std::vector<Edit> edits;
    for (int i = 0; i < 25; ++i) {
        spaces.push_back(store->open_space(std::string("owner").append(std::to_string(i / 2)),
                                           i % 2 ? "b" : "a", true));
        edits.push_back(make_document(numbers, 4));
        add(*spaces.back(), "same key", edits.back());
    }
    for (int i = 0; i < 300; ++i) {
        std::vector<std::shared_ptr<Space>> asked;
        std::set<std::pair<std::string, std::string>> names;
        for (uint32_t n = 1 + numbers.below(3); n > 0; --n) {
            asked.push_back(spaces[numbers.below(25)]);
            names.emplace(asked.back()->owner(), asked.back()->collection());
        }
        // the question is a key of some other space
        const auto hits = store->search(asked, chunks_of(edits[numbers.below(25)])[0].key, 50, {});
        EXPECT_EQ(hits.size(), names.size() * 4);
        EXPECT_TRUE(std::ranges::is_sorted(hits, std::greater<>(), &Hit::score));
        for (const Hit& hit : hits) {
            const auto info = store->describe(hit.chunk_id);
            EXPECT_TRUE(names.contains({info->owner, info->collection}));
        }
    }
    EXPECT_EQ(store->stats().spaces, 25u);
}

TEST_P(Conformance, dropped_space_is_gone_and_its_handles_say_so) {
    Numbers numbers(12);
    auto store = open();
    auto space = store->open_space("o", "c", true), other = store->open_space("o", "d", true);
    const Edit edit = make_document(numbers, 4);
    add(*space, "a", edit);
    add(*other, "a", edit);
    auto writer = space->begin_document(spec_of("b"));
    find(*store, space, chunks_of(edit)[0].key, 3);
    store->drop_space("o", "c");
    EXPECT_EQ(status_of([&] { space->find_document("a"); }), Status::kNotFound);
    EXPECT_EQ(status_of([&] { find(*store, space, chunks_of(edit)[0].key, 3); }),
              Status::kNotFound);
    EXPECT_EQ(status_of([&] { writer->commit(edit); }), Status::kNotFound);
    EXPECT_EQ(status_of([&] { store->drop_space("o", "c"); }), Status::kNotFound);
    EXPECT_EQ(find(*store, other, chunks_of(edit)[0].key, 9).size(), 4u);
    auto again = store->open_space("o", "c", true);
    EXPECT_TRUE(find(*store, again, chunks_of(edit)[0].key, 3).empty());
    EXPECT_FALSE(again->find_document("a"));
    std::vector<std::string> names;
    store->list_spaces([&](const std::string& owner, const std::string& collection) {
        names.push_back(owner + "/" + collection);
        return true;
    });
    EXPECT_EQ(names, (std::vector<std::string>{"o/c", "o/d"}));
}

TEST_P(Conformance, documents_are_listed_in_byte_order_from_a_snapshot) {
    Numbers numbers(13);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    for (const char* key : {"b", "a", "Z", "\xc3\xa9", "a/1", "a!"})
        add(*space, key, make_document(numbers, 1));
    std::vector<std::string> keys;
    space->list_documents("Z", [&](const DocumentInfo& info) {
        keys.push_back(info.key);
        if (info.key == "a") space->delete_document("b");  // this list does not see it
        return info.key != "b";
    });
    EXPECT_EQ(keys, (std::vector<std::string>{"a", "a!", "a/1", "b"}));
}

TEST_P(Conformance, excluding_a_document_or_its_part) {
    Numbers numbers(14);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Edit edit = make_document(numbers, 6);
    add(*space, "a", edit);
    add(*space, "b", make_document(numbers, 6));
    SearchFilter filter;
    filter.exclude_key = "a";
    EXPECT_EQ(find(*store, space, chunks_of(edit)[0].key, 50, filter).size(), 6u);
    filter.exclude_bytes = {10, 30};
    EXPECT_EQ(find(*store, space, chunks_of(edit)[0].key, 50, filter).size(), 10u);
    EXPECT_EQ(find(*store, space, chunks_of(edit)[1].key, 1, filter)[0].score <
                  find(*store, space, chunks_of(edit)[1].key, 1)[0].score,
              true);
    add(*space, "a", make_document(numbers, 2), true);  // replaced: the name still excludes
    filter.exclude_bytes = {};
    EXPECT_EQ(find(*store, space, chunks_of(edit)[0].key, 50, filter).size(), 6u);
}

TEST_P(Conformance, readers_elsewhere_see_commits_and_refuse_to_write) {
    Numbers numbers(17);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Edit first = make_document(numbers, 3), second = make_document(numbers, 2),
               third = make_document(numbers, 2);
    add(*space, "a", first);
    auto reader = open_reader();
    auto view = reader->open_space("o", "c", false);
    EXPECT_EQ(find(*reader, view, chunks_of(first)[0].key, 9).size(), 3u);
    add(*space, "b", second);
    EXPECT_EQ(find(*reader, view, chunks_of(first)[0].key, 9).size(), 5u);
    add(*space, "a", third, true);
    EXPECT_EQ(find(*reader, view, chunks_of(first)[0].key, 9).size(), 4u);
    space->delete_document("b");
    EXPECT_EQ(find(*reader, view, chunks_of(first)[0].key, 9).size(), 2u);
    EXPECT_EQ(status_of([&] { view->begin_document(spec_of("x")); }), Status::kReadOnly);
    EXPECT_EQ(status_of([&] { view->delete_document("a"); }), Status::kReadOnly);
    EXPECT_EQ(status_of([&] { reader->open_space("new", "c", true); }), Status::kReadOnly);
    EXPECT_EQ(status_of([&] { reader->rebuild_index(); }), Status::kReadOnly);
    store->drop_space("o", "c");
    EXPECT_EQ(status_of([&] { find(*reader, view, chunks_of(first)[0].key, 9); }),
              Status::kNotFound);
}

TEST_P(Conformance, threads_write_search_and_delete_together) {
    auto store = open();
    auto space = store->open_space("o", "c", true);
    std::atomic<bool> stop{false};
    std::atomic<int> failures{0};
    const auto guarded = [&](auto&& work) {
        return std::thread([&, work] {
            try {
                work();
            } catch (...) {
                ++failures;
            }
        });
    };
    std::vector<std::thread> threads;
    for (int w = 0; w < 2; ++w) {
        threads.push_back(guarded([&, w] {
            Numbers numbers(100 + static_cast<uint64_t>(w));
            for (int i = 0; i < 40; ++i) {
                const std::string key = std::to_string(w).append("/").append(std::to_string(i));
                add(*space, key, make_document(numbers, 1 + numbers.below(20)));
                if (i % 3 == 0) space->delete_document(key);
            }
        }));
    }
    for (int r = 0; r < 2; ++r) {
        threads.push_back(guarded([&, r] {
            Numbers numbers(200 + static_cast<uint64_t>(r));
            while (!stop) {
                const auto hits = find(*store, space, numbers.vector(kDim), 5);
                store->load_states(hits);
                for (const Hit& hit : hits) store->describe(hit.chunk_id);
            }
        }));
    }
    threads[0].join();
    threads[1].join();
    stop = true;
    threads[2].join();
    threads[3].join();
    EXPECT_EQ(failures, 0);
    const StoreStats stats = store->stats();
    EXPECT_EQ(find(*store, space, std::vector<float>(kDim, 1), 100000).size(), stats.chunks);
    EXPECT_EQ(stats.documents, 2u * 26);
}

TEST_P(Conformance, figures_add_up) {
    Numbers numbers(18);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    Edit edit = make_document(numbers, 50);
    edit.segments.push_back({identity_of("repeated"), std::string(5000, 'r'), {}, false});
    add(*space, "a", finish_of(edit));
    add(*space, "b", make_document(numbers, 20));
    const StoreStats stats = store->stats();
    EXPECT_EQ(stats.format_version, 5u);
    EXPECT_EQ(stats.documents, 2u);
    EXPECT_EQ(stats.chunks, 70u);
    EXPECT_EQ(stats.document_chunks, 70u);
    EXPECT_EQ(stats.tokens, 70u * kTokens);
    EXPECT_EQ(stats.document_tokens, 70u * kTokens);
    EXPECT_EQ(stats.text_bytes, 5700u);
    EXPECT_EQ(stats.state_bytes_raw, 70u * kTokens * kDim * 4);
    EXPECT_EQ(stats.key_bytes, 70u * kDim * 2);
    EXPECT_GT(stats.state_bytes_disk, 0u);
    EXPECT_GT(stats.text_bytes_disk, 0u);
    EXPECT_LT(stats.text_bytes_disk, stats.text_bytes);
    EXPECT_GT(stats.disk_bytes, stats.state_bytes_disk + stats.key_bytes);
    EXPECT_EQ(stats.budget, 0u);
    EXPECT_EQ(stats.model_fingerprint, test_model().fingerprint);
    space->delete_document("a");
    EXPECT_GT(store->stats().generation, stats.generation);
    EXPECT_EQ(store->stats().chunks, 20u);
}

}  // namespace rpt::storage
