// What is deleted is gone: from every answer at once, from every file after compaction.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>
#include <unordered_set>

#include "base/error.h"
#include "storage/sqlite/page_gaps.h"
#include "tests/fakes/synthetic_segments.h"
#include "tests/property/rounds.h"

namespace rpt::storage {
namespace {

using synthetic::Numbers;
using synthetic::SegmentName;

constexpr synthetic::Shape kShape{24, 8, 0, 16};
constexpr size_t kWindow = 12;
constexpr int kLeastDistinct = 6;  // bytes of a window, or it is a header's zeros

// Every blob and text of the tables, read below the library.
std::vector<std::string> blobs_of(const std::string& file) {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    std::vector<std::string> blobs;
    for (const char* sql :
         {"SELECT text FROM segments", "SELECT key FROM chunks", "SELECT tokens FROM chunks",
          "SELECT body FROM states", "SELECT body FROM pointers",
          "SELECT identity FROM segments WHERE identity IS NOT NULL", "SELECT key FROM documents",
          "SELECT uri FROM documents", "SELECT meta FROM documents",
          "SELECT content_hash FROM documents WHERE flags & 1"}) {
        sqlite3_stmt* query = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(db, sql, -1, &query, nullptr), SQLITE_OK);
        while (sqlite3_step(query) == SQLITE_ROW)
            blobs.emplace_back(static_cast<const char*>(sqlite3_column_blob(query, 0)),
                               size_t(sqlite3_column_bytes(query, 0)));
        sqlite3_finalize(query);
    }
    sqlite3_close(db);
    return blobs;
}

bool tells_much(std::string_view window) {
    uint64_t seen[4] = {};
    for (const char c : window) seen[uint8_t(c) / 64] |= uint64_t(1) << (uint8_t(c) % 64);
    int distinct = 0;
    for (const uint64_t bits : seen) distinct += std::popcount(bits);
    return distinct >= kLeastDistinct;
}

void add_windows(std::string_view blob, std::unordered_set<std::string_view>& windows) {
    for (size_t i = 0; i + kWindow <= blob.size(); ++i)
        if (tells_much(blob.substr(i, kWindow))) windows.insert(blob.substr(i, kWindow));
}

std::string content_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

struct Document {
    std::vector<SegmentName> segments;
    bool operator==(const Document&) const = default;
};

class Forget : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "rpt_forget_XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
        path_ = folder_ + "/store";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::shared_ptr<Store> open(uint32_t flat_limit = 0) const {
        StoreOptions options;
        options.create = true;
        options.model = synthetic::model_of(kShape);
        options.durability = Durability::kNone;
        options.flat_limit = flat_limit;
        return Store::open(path_, options);
    }

    // A third of the segments are of a small set that documents share.
    static std::vector<SegmentName> draw(Numbers& numbers, uint64_t& next_seed, size_t n) {
        std::vector<SegmentName> names;
        for (size_t i = 0; i < n; ++i) {
            if (numbers.one_in(3)) {
                const uint64_t seed = 1 + numbers.below(60);
                names.push_back({seed, static_cast<uint32_t>(1 + seed % 3), false});
            } else {
                names.push_back({next_seed++, static_cast<uint32_t>(1 + numbers.below(4)), false});
            }
        }
        return names;
    }

    static void write(Space& space, const std::string& key, const std::vector<SegmentName>& names,
                      bool replace = false) {
        DocumentSpec spec;
        spec.key = key;
        spec.uri = "file:///somewhere/" + key;
        spec.meta_json = "{\"of\":\"" + key + "\"}";
        spec.replace = replace;
        const auto writer = space.begin_document(spec);
        for (size_t done = 0; done < names.size(); done += 7) {
            Edit edit;
            edit.first = done;
            for (size_t i = done; i < std::min(done + 7, names.size()); ++i)
                edit.segments.push_back(synthetic::segment_of(names[i], kShape));
            edit.finish = done + 7 >= names.size();
            if (edit.finish) edit.content_hash = synthetic::hash_of(names);
            ASSERT_EQ(writer->commit(edit), std::nullopt);
        }
    }

    static void splice(Space& space, const std::string& key, std::vector<SegmentName>& names,
                       size_t first, size_t n_old, const std::vector<SegmentName>& fresh) {
        const auto begin = names.begin() + static_cast<ptrdiff_t>(first);
        names.insert(names.erase(begin, begin + static_cast<ptrdiff_t>(n_old)), fresh.begin(),
                     fresh.end());
        Edit edit;
        edit.first = first;
        edit.n_old = n_old;
        for (const SegmentName& name : fresh)
            edit.segments.push_back(synthetic::segment_of(name, kShape));
        edit.finish = true;
        edit.content_hash = synthetic::hash_of(names);
        ASSERT_EQ(space.resume_document(key)->commit(edit), std::nullopt);
    }

    static std::vector<float> query() { return Numbers(5).vector(kShape.dim); }

    static size_t hits_of(Store& store, const std::shared_ptr<Space>& space, bool exact) {
        SearchFilter filter;
        filter.exact = exact;
        return store.search({&space, 1}, query(), 100000, filter).size();
    }

    void remember() {
        for (std::string& blob : blobs_of(path_ + "/store.sqlite")) ever_.insert(std::move(blob));
    }

    // Now, after compaction: gone is what was in the store once and is no more.
    void settle_gone(const std::set<std::string>& texts_gone = {},
                     const std::set<std::string>& texts_kept = {}) {
        ever_.insert(texts_gone.begin(), texts_gone.end());
        for (const std::string& blob : ever_) add_windows(blob, gone_);
        std::vector<std::string> now = blobs_of(path_ + "/store.sqlite");
        now.insert(now.end(), texts_kept.begin(), texts_kept.end());
        for (const std::string& blob : now) {
            std::unordered_set<std::string_view> kept;
            add_windows(blob, kept);
            for (const std::string_view window : kept) gone_.erase(window);
        }
        EXPECT_GT(gone_.size(), 1000u);
    }

    // No window of that is in any file of the folder.
    void expect_forgotten() const {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
            if (!entry.is_regular_file()) continue;
            const std::string content = content_of(entry.path());
            size_t found = 0, first = 0;
            for (size_t i = 0; i + kWindow <= content.size(); ++i) {
                if (!gone_.contains(std::string_view(content).substr(i, kWindow))) continue;
                if (found++ == 0) first = i;
            }
            EXPECT_EQ(found, 0u) << "in " << entry.path() << ", first at byte " << first
                                 << ", page " << first / 4096 + 1 << " offset " << first % 4096
                                 << ": " << testing::PrintToString(content.substr(first, 24));
        }
    }

    // One by one: what spans a border may be made of a segment that stays and a byte of chance.
    static void add_texts(const std::vector<SegmentName>& names, std::set<std::string>& texts) {
        for (const SegmentName& name : names) texts.insert(synthetic::text_of(name));
    }

    static void expect_whole(Store& store) {
        store.check(CheckLevel::kFull, [](const Finding& finding) {
            EXPECT_EQ(finding.severity, Finding::Severity::kNote) << finding.text;
        });
    }

    std::string folder_, path_;
    std::set<std::string> ever_;
    std::unordered_set<std::string_view> gone_;  // parts of ever_
};

class ForgetSeeds : public Forget, public testing::WithParamInterface<int> {};

TEST_P(ForgetSeeds, forget_anything_compacted_no_byte_left) {
    const auto seed = static_cast<uint64_t>(GetParam());
    Numbers numbers(seed);
    uint64_t next_seed = 1000;
    const uint32_t flat_limit = seed % 2 == 0 ? 0 : 200;
    auto store = open(flat_limit);
    const std::pair<std::string, std::string> names[] = {{"owner kept", "large"},
                                                         {"owner kept", "dropped"},
                                                         {"owner gone", "one"},
                                                         {"owner gone", "two"}};
    std::map<std::string, Document> documents[4];
    std::shared_ptr<Space> spaces[4];
    std::set<std::string> texts_gone;
    for (size_t s = 0; s < 4; ++s) {
        spaces[s] = store->open_space(names[s].first, names[s].second, true);
        for (int d = 0; d < (s == 0 ? 40 : 8); ++d) {
            const std::string key = "document " + std::to_string(s) + " " + std::to_string(d) +
                                    " of long name " + std::to_string(numbers.next());
            documents[s][key].segments =
                draw(numbers, next_seed, 1 + numbers.below(s == 0 ? 60 : 20));
            write(*spaces[s], key, documents[s][key].segments);
        }
        hits_of(*store, spaces[s], false);
    }
    ASSERT_NO_FATAL_FAILURE(remember());
    store->rebuild_index();
    EXPECT_TRUE(std::filesystem::exists(path_ + "/index/1.idx"));
    const auto reopen = [&] {
        store->close();
        store = open(flat_limit);
        for (size_t s = 0; s < 4; ++s)
            spaces[s] = store->open_space(names[s].first, names[s].second, true);
    };
    if (numbers.one_in(2)) reopen();
    if (numbers.one_in(2)) hits_of(*store, spaces[0], false);

    // Much and little of the large space goes, so that pages empty, merge and stay half full.
    std::set<std::string> touched;
    for (auto& [key, document] : documents[0]) {
        const uint64_t fate = numbers.below(4);
        if (fate == 0) continue;
        add_texts(document.segments, texts_gone);
        if (fate == 1) {
            spaces[0]->delete_document(key);
            document.segments.clear();
            EXPECT_FALSE(spaces[0]->find_document(key));
        } else if (fate == 2) {
            document.segments = draw(numbers, next_seed, 1 + numbers.below(40));
            write(*spaces[0], key, document.segments, true);
        } else {
            const size_t n = document.segments.size();
            const size_t first = numbers.below(n);
            splice(*spaces[0], key, document.segments, first,
                   std::min<size_t>(n - first, numbers.below(5)),
                   draw(numbers, next_seed, numbers.below(3)));
        }
        remember();
    }
    std::erase_if(documents[0], [](const auto& entry) { return entry.second.segments.empty(); });
    store->drop_space(names[1].first, names[1].second);
    for (const size_t s : {size_t(2), size_t(3)})
        store->drop_space(names[s].first, names[s].second);
    for (const size_t s : {size_t(1), size_t(2), size_t(3)})
        for (const auto& [key, document] : documents[s]) add_texts(document.segments, texts_gone);
    if (numbers.one_in(3)) {
        store->close();
        store = open(flat_limit);
        spaces[0] = store->open_space(names[0].first, names[0].second, false);
    }

    // At once: nothing but what is left answers.
    std::set<std::pair<uint64_t, uint32_t>> distinct;
    size_t chunks = 0;
    for (const auto& [key, document] : documents[0])
        for (const SegmentName& name : document.segments)
            if (distinct.emplace(name.seed, name.chunks).second) chunks += name.chunks;
    EXPECT_EQ(hits_of(*store, spaces[0], true), chunks);
    EXPECT_EQ(hits_of(*store, spaces[0], false), chunks);
    size_t n_spaces = 0;
    store->list_spaces([&](const std::string&, const std::string&) { return ++n_spaces > 0; });
    EXPECT_EQ(n_spaces, 1u);

    store->compact();
    std::set<std::string> texts_kept;
    for (const auto& [key, document] : documents[0]) add_texts(document.segments, texts_kept);
    settle_gone(texts_gone, texts_kept);
    expect_forgotten();
    expect_whole(*store);
    EXPECT_EQ(hits_of(*store, spaces[0], true), chunks);
    for (const auto& [key, document] : documents[0])
        EXPECT_EQ(spaces[0]->read_text(key, 0, 1 << 24), synthetic::text_of(document.segments));
    EXPECT_EQ(store->stats().reclaimable_bytes, 0u);

    // What stood in pages must not come back with the next writes either.
    uint64_t more = 0;
    for (auto& [key, document] : documents[0]) {
        splice(*spaces[0], key, document.segments, 0, 0,
               {{1000000 + seed * 1000 + more++, 3, false}});
        if (more == 5) break;
    }
    store->sync();
    expect_forgotten();
    store->close();
    expect_forgotten();
}
INSTANTIATE_TEST_SUITE_P(seeds, ForgetSeeds, testing::Range(1, 1 + rounds(12)));

// Leftovers of a process that was killed while it saved an index.
TEST_F(Forget, forget_index_file_of_killed_process_goes_with_compaction) {
    auto store = open();
    const auto space = store->open_space("owner", "collection", true);
    Numbers numbers(1);
    uint64_t next_seed = 1000;
    const auto kept = draw(numbers, next_seed, 20), gone = draw(numbers, next_seed, 600);
    write(*space, "kept", kept);
    write(*space, "gone", gone);
    remember();
    hits_of(*store, space, false);
    store->close();
    ASSERT_TRUE(std::filesystem::exists(path_ + "/index/1.idx"));
    std::filesystem::copy_file(path_ + "/index/1.idx", path_ + "/index/1.idx.tmp-999999");
    std::filesystem::copy_file(path_ + "/index/1.idx", folder_ + "/index_of_before");
    store = open();
    store->open_space("owner", "collection", false)->delete_document("gone");
    store->close();
    // An index that was written when the deletion was not yet known to it.
    std::filesystem::rename(folder_ + "/index_of_before", path_ + "/index/1.idx");
    std::filesystem::copy_file(path_ + "/index/1.idx", path_ + "/index/77.idx");
    store = open();
    store->compact();
    settle_gone();
    expect_forgotten();
    store->close();
    expect_forgotten();
}

// Others read while a store is compacted, and it can be stopped.
TEST_F(Forget, forget_while_others_read_and_cancel) {
    auto store = open();
    const auto space = store->open_space("owner", "collection", true);
    Numbers numbers(2);
    uint64_t next_seed = 1000;
    const auto kept = draw(numbers, next_seed, 100), gone = draw(numbers, next_seed, 300);
    write(*space, "kept", kept);
    write(*space, "gone", gone);
    remember();
    space->delete_document("gone");
    const size_t hits = hits_of(*store, space, true);
    int calls = 0;
    const CallControl stops(nullptr, 0, [&](uint64_t, uint64_t) { return ++calls < 3; });
    try {
        store->compact(stops);
        FAIL() << "not cancelled";
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kCancelled);
    }
    expect_whole(*store);
    std::atomic<bool> stop{false};
    std::atomic<size_t> reads{0};
    std::thread reader([&] {
        while (!stop) {
            EXPECT_EQ(space->read_text("kept", 0, 1 << 24), synthetic::text_of(kept));
            EXPECT_EQ(hits_of(*store, space, true), hits);
            ++reads;
        }
    });
    while (reads == 0) std::this_thread::yield();
    store->compact();
    stop = true;
    reader.join();
    std::set<std::string> texts_gone, texts_kept;
    add_texts(gone, texts_gone);
    add_texts(kept, texts_kept);
    settle_gone(texts_gone, texts_kept);
    expect_forgotten();
    expect_whole(*store);
}

// Rows that a writer lays out anew between the steps of a compaction.
TEST_F(Forget, forget_while_others_write) {
    auto store = open();
    const auto space = store->open_space("owner", "collection", true);
    const auto busy = store->open_space("owner", "busy", true);
    Numbers numbers(3);
    uint64_t next_seed = 1000;
    std::vector<std::vector<SegmentName>> documents;
    std::set<std::string> texts_gone, texts_kept;
    for (int d = 0; d < 60; ++d) {
        documents.push_back(draw(numbers, next_seed, 30));
        write(*space, "document " + std::to_string(d), documents.back());
    }
    remember();
    for (size_t d = 0; d < documents.size(); ++d) {
        add_texts(documents[d], d % 2 == 0 ? texts_gone : texts_kept);
        if (d % 2 == 0) space->delete_document("document " + std::to_string(d));
    }
    std::atomic<bool> stop{false};
    std::atomic<int> written{0};
    std::thread writer([&] {
        Numbers other(4);
        uint64_t seed = 1000000;
        for (int i = 0; !stop; ++i) {
            // It deletes nothing: what it deleted after the compaction could leave bytes behind,
            // and the beginnings of two compressed blobs may be alike.
            write(*busy, "note " + std::to_string(i), draw(other, seed, 1 + other.below(12)));
            splice(*space, "document 1", documents[1], 0, 0, {{seed++, 2, false}});
            ++written;
        }
    });
    while (written < 3) std::this_thread::yield();
    store->compact();
    stop = true;
    writer.join();
    add_texts(documents[1], texts_kept);
    settle_gone(texts_gone, texts_kept);
    expect_forgotten();
    expect_whole(*store);
    store->close();
    expect_forgotten();
}

TEST(PageGaps, page_gaps_of_any_bytes_are_within_the_page) {
    Numbers numbers(5);
    for (int i = 0; i < 20000; ++i) {
        std::string page(1024, '\0');
        const size_t header = numbers.one_in(2) ? 0 : 100;
        for (char& c : page) c = static_cast<char>(numbers.one_in(3) ? numbers.below(256) : 0);
        page[header] = "\2\5\12\15"[numbers.below(4)];
        for (const size_t at : {1, 3, 5}) page[header + at] = static_cast<char>(numbers.below(4));
        for (const ByteSpan& gap : find_gaps(page, header)) {
            EXPECT_LE(gap.begin, gap.end);
            EXPECT_LE(gap.end, page.size());
            EXPECT_GE(gap.begin, header + 8);
        }
    }
}

}  // namespace
}  // namespace rpt::storage
