// The index file of a space: when it is written anew, and what a process that ends early leaves.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include "storage/codec/blob_codec.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

constexpr uint64_t kChunksOfDocument = 60;
constexpr int kDocuments = 50;

class IndexFile : public StoreTest {
  protected:
    static StoreOptions graph_options(bool create = true) {
        StoreOptions o = options(create);
        o.flat_limit = 1500;  // a graph above
        return o;
    }
    std::shared_ptr<Store> open_graph() { return Store::open(path_, graph_options()); }

    // A closed store with a graph in its index file.
    void fill() {
        Numbers numbers(21);
        auto store = open_graph();
        auto space = store->open_space("o", "c", true);
        for (int i = 0; i < kDocuments; ++i) {
            documents_.push_back(make_document(numbers, kChunksOfDocument));
            add(*space, std::to_string(i), documents_.back());
        }
        store->rebuild_index();
        store->close();
        ASSERT_TRUE(std::filesystem::exists(file()));
    }
    std::string file() const { return path_ + "/index/1.idx"; }
    std::string bytes() const {
        std::ifstream in(file(), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // The file has a key of this document.
    bool holds_key_of(const Edit& document) const {
        const std::string all = bytes();
        for (const ChunkRecord& chunk : chunks_of(document))
            if (all.find(encode_key(chunk.key)) != std::string::npos) return true;
        return false;
    }
    // So many chunks are found, with the document `there` and without `gone`, and the graph leads
    // to what is there.
    static void expect_found(Store& store, size_t expected, const std::string& there,
                             const Edit& document, const std::string& gone = "") {
        auto space = store.open_space("o", "c", false);
        SearchFilter exact;
        exact.exact = true;
        const auto all = find(store, space, std::vector<float>(kDim, 1), 100000, exact);
        EXPECT_EQ(all.size(), expected);
        std::set<std::string> keys;
        for (const Hit& hit : all) keys.insert(store.describe(hit.chunk_id)->key);
        EXPECT_TRUE(keys.contains(there));
        EXPECT_FALSE(keys.contains(gone));
        size_t n = 0;
        for (const ChunkRecord& chunk : chunks_of(document)) {
            float own = 0;
            for (const float v : chunk.key) own += v * v;
            own /= std::sqrt(float(kDim));
            const auto near = find(store, space, chunk.key, 20);
            n += std::ranges::any_of(near, [&](const Hit& hit) {
                return std::abs(hit.score - own) < 0.01f * own &&
                       store.describe(hit.chunk_id)->key == there;
            });
        }
        EXPECT_GE(n * 10, chunks_of(document).size() * 9);
    }
    // A process that does `work` on the open store and ends without closing anything.
    void in_process_that_is_killed(const std::function<void(Store&, Space&)>& work) {
        const pid_t child = ::fork();
        if (child == 0) {
            try {
                auto store = open_graph();
                auto space = store->open_space("o", "c", false);
                find(*store, space, std::vector<float>(kDim, 1), 1);
                work(*store, *space);
                ::_exit(0);
            } catch (...) {
            }
            ::_exit(1);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }

    std::vector<Edit> documents_;
};

TEST_F(IndexFile, small_change_leaves_the_file_alone_and_is_found) {
    fill();
    const std::string before = bytes();
    Numbers numbers(22);
    const Edit fresh = make_document(numbers, 20);
    {
        auto store = open_graph();
        auto space = store->open_space("o", "c", false);
        find(*store, space, std::vector<float>(kDim, 1), 1);
        add(*space, "fresh", fresh);
        space->delete_document("7");
        expect_found(*store, kDocuments * kChunksOfDocument - 40, "fresh", fresh, "7");
        store->close();
    }
    EXPECT_TRUE(bytes() == before);
    for (int i = 0; i < 2; ++i) {
        auto store = open_graph();
        expect_found(*store, kDocuments * kChunksOfDocument - 40, "fresh", fresh, "7");
        store->close();
        EXPECT_TRUE(bytes() == before);
    }
}

TEST_F(IndexFile, file_far_behind_is_written_anew) {
    fill();
    const std::string before = bytes();
    Numbers numbers(23);
    auto store = open_graph();
    auto space = store->open_space("o", "c", false);
    const Edit fresh = make_document(numbers, 300);
    add(*space, "fresh", fresh);
    find(*store, space, std::vector<float>(kDim, 1), 1);
    store->close();
    EXPECT_FALSE(bytes() == before);
    store = open_graph();
    expect_found(*store, kDocuments * kChunksOfDocument + 300, "fresh", fresh);
}

TEST_F(IndexFile, killed_process_costs_no_graph) {
    fill();
    const std::string before = bytes();
    Numbers numbers(24);
    const Edit fresh = make_document(numbers, 20);
    in_process_that_is_killed([&](Store&, Space& space) {
        add(space, "fresh", fresh);
        space.delete_document("3");
        add(space, "5", fresh, true);
    });
    EXPECT_TRUE(bytes() == before);
    auto store = open_graph();
    expect_found(*store, kDocuments * kChunksOfDocument - 2 * 60 + 20, "fresh", fresh, "3");
    store->close();
}

TEST_F(IndexFile, compaction_leaves_no_key_of_what_was_deleted) {
    fill();
    EXPECT_TRUE(holds_key_of(documents_[3]));
    in_process_that_is_killed([&](Store&, Space& space) { space.delete_document("3"); });
    EXPECT_TRUE(holds_key_of(documents_[3]));
    {
        auto store = open_graph();
        store->open_space("o", "c", false)->delete_document("4");
        store->compact();
        EXPECT_FALSE(holds_key_of(documents_[3]));
        EXPECT_FALSE(holds_key_of(documents_[4]));
        EXPECT_TRUE(holds_key_of(documents_[5]));
        expect_found(*store, kDocuments * kChunksOfDocument - 120, "5", documents_[5], "4");
        store->close();
    }
    EXPECT_FALSE(holds_key_of(documents_[4]));
}

TEST_F(IndexFile, compaction_takes_a_file_that_is_not_believed) {
    fill();
    std::string damaged = bytes();
    damaged[10] ^= 1;  // the version
    {
        std::ofstream out(file(), std::ios::binary | std::ios::trunc);
        out << damaged;
    }
    auto store = open_graph();
    store->open_space("o", "c", false)->delete_document("4");
    store->compact();
    EXPECT_FALSE(holds_key_of(documents_[4]));
}

TEST_F(IndexFile, large_space_gets_a_graph_that_survives_reopening) {
    Numbers numbers(15);
    StoreOptions o = options();
    o.flat_limit = 1500;
    auto store = Store::open(path_, o);
    auto space = store->open_space("o", "c", true);
    std::vector<std::vector<float>> keys;
    for (int i = 0; i < 8; ++i) {
        const Edit edit = make_document(numbers, 500);
        for (const ChunkRecord& chunk : chunks_of(edit)) keys.push_back(chunk.key);
        add(*space, "d" + std::to_string(i), edit);
    }
    SearchFilter exact;
    exact.exact = true;
    const auto right = [&] {
        size_t n = 0;
        for (int i = 0; i < 100; ++i) {
            const std::vector<float> query = numbers.vector(kDim);
            const auto expected = find(*store, space, query, 2, exact),
                       got = find(*store, space, query, 2);
            for (size_t j = 0; j < 2; ++j) n += got[j].chunk_id == expected[j].chunk_id;
        }
        return n;
    };
    EXPECT_GE(right(), 198u);
    store->rebuild_index();
    EXPECT_GE(right(), 198u);
    EXPECT_GT(store->stats().index_bytes, 0u);
    EXPECT_EQ(store->stats().index_generation, store->stats().generation);
    store->close();
    store = Store::open(path_, o);
    space = store->open_space("o", "c", false);
    EXPECT_GE(right(), 198u);
    space->delete_document("d0");
    EXPECT_GT(store->stats().index_bytes, 0u);  // the graph stays; compaction takes the old keys
    for (const Hit& hit : find(*store, space, keys[3], 60))
        EXPECT_NE(store->describe(hit.chunk_id)->key, "d0");
    SearchFilter one_each;
    one_each.max_per_document = 1;
    EXPECT_EQ(find(*store, space, keys[3], 50, one_each).size(), 7u);
}

TEST_F(IndexFile, stale_or_damaged_index_file_is_not_believed) {
    Numbers numbers(16);
    StoreOptions o = options();
    const Edit edit = make_document(numbers, 1200);
    {
        auto store = Store::open(path_, o);
        auto space = store->open_space("o", "c", true);
        add(*space, "a", edit);
        find(*store, space, chunks_of(edit)[0].key, 1);
    }
    const std::string file = path_ + "/index/1.idx";
    ASSERT_TRUE(std::filesystem::exists(file));
    std::filesystem::copy_file(file, folder_ + "/old.idx");
    const Edit more = make_document(numbers, 30);
    {
        auto store = Store::open(path_, o);
        auto space = store->open_space("o", "c", false);
        add(*space, "b", more);
        find(*store, space, chunks_of(edit)[0].key, 1);
    }
    std::filesystem::copy_file(folder_ + "/old.idx", file,
                               std::filesystem::copy_options::overwrite_existing);
    {
        auto store = Store::open(path_, o);
        auto space = store->open_space("o", "c", false);
        EXPECT_EQ(find(*store, space, chunks_of(more)[0].key, 3000).size(), 1230u);
        space->delete_document("a");
    }
    std::filesystem::copy_file(folder_ + "/old.idx", file,
                               std::filesystem::copy_options::overwrite_existing);
    auto store = Store::open(path_, o);
    auto space = store->open_space("o", "c", false);
    EXPECT_EQ(find(*store, space, chunks_of(more)[0].key, 3000).size(), 30u);
}

}  // namespace
}  // namespace rpt::storage
