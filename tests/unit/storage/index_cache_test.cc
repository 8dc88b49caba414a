// The index as a file: what comes back, and what is not believed.
#include "tests/unit/storage/snapshot_fixture.h"

namespace rpt::storage {

TEST(IndexCache, file_brings_back_the_same_answers_and_forgets_dead_keys) {
    const std::string file = testing::TempDir() + "rpt_index_" + std::to_string(::getpid());
    Snapshot snapshot = with_graph(1500);
    snapshot.generation = 42;
    mark_dead(snapshot, std::vector<uint64_t>{7});
    snapshot.digest -= digest_part(7, 6);
    write_index_cache(file, 3, kWide, snapshot, 0600);
    EXPECT_FALSE(read_index_cache(file, 4, kWide));
    EXPECT_FALSE(read_index_cache(file, 3, kWide + 1));
    const auto back = read_index_cache(file, 3, kWide);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->generation, 42u);
    ASSERT_TRUE(back->runs[0].graph);
    EXPECT_EQ(back->runs[0].rows->key(6)[0], 0);
    Numbers numbers(14);
    for (int i = 0; i < 20; ++i) {
        const std::vector<float> query = numbers.vector(kWide);
        EXPECT_TRUE(same(search(*back, query, 4), search(snapshot, query, 4)));
    }
    std::filesystem::remove(file);
}

// A file that is removed when the test ends.
struct TestFile {
    explicit TestFile(const char* name)
        : path(testing::TempDir() + name + std::to_string(::getpid())) {}
    ~TestFile() { std::filesystem::remove(path); }
    std::string read() const {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // By rename: the file before may be mapped.
    void write(const std::string& content) const {
        std::ofstream(path + ".new", std::ios::binary)
            .write(content.data(), static_cast<std::streamsize>(content.size()));
        std::filesystem::rename(path + ".new", path);
    }
    std::string path;
};

TEST(IndexCache, view_of_the_file_equals_the_rows_and_links_it_was_made_of) {
    const TestFile file("rpt_index_view_");
    Snapshot snapshot = with_graph(1500);
    append_rows(snapshot, topic_rows(77, 5001));
    mark_dead(snapshot, std::vector<uint64_t>{7, 5003});
    snapshot.digest = 0;
    for (const RowRun& segment : snapshot.runs)
        for (size_t row = 0; row < segment.rows->size(); ++row)
            if (segment.is_live(row))
                snapshot.digest +=
                    digest_part(segment.rows->facts(row).chunk, segment.rows->facts(row).seal);
    write_index_cache(file.path, 3, kWide, snapshot, 0600);
    auto back = read_index_cache(file.path, 3, kWide);
    ASSERT_TRUE(back);
    std::filesystem::remove(file.path);  // a mapped file outlives its name
    ASSERT_EQ(back->runs.size(), snapshot.runs.size());
    EXPECT_EQ(back->newest_chunk, snapshot.newest_chunk);
    for (size_t i = 0; i < back->runs.size(); ++i) {
        const RowRun &a = snapshot.runs[i], &b = back->runs[i];
        ASSERT_EQ(b.rows->size(), a.rows->size());
        EXPECT_EQ(b.live(), a.live());
        for (size_t row = 0; row < a.rows->size(); ++row) {
            ASSERT_EQ(b.is_live(row), a.is_live(row));
            EXPECT_EQ(b.rows->facts(row).chunk, a.rows->facts(row).chunk);
            EXPECT_EQ(b.rows->facts(row).seal, a.rows->facts(row).seal);
            const uint16_t *stored = b.rows->key(row), *own = a.rows->key(row);
            for (size_t c = 0; c < a.rows->columns(); ++c)
                EXPECT_EQ(stored[c], a.is_live(row) ? own[c] : 0);
        }
        ASSERT_EQ(b.graph != nullptr, a.graph != nullptr);
        if (!a.graph) continue;
        const HnswGraph::Links &x = a.graph->links(), &y = b.graph->links();
        EXPECT_TRUE(std::ranges::equal(x.ground, y.ground));
        EXPECT_TRUE(std::ranges::equal(x.upper_rows, y.upper_rows));
        EXPECT_TRUE(std::ranges::equal(x.upper_lists, y.upper_lists));
        EXPECT_TRUE(std::ranges::equal(x.upper, y.upper));
        EXPECT_EQ(x.entry, y.entry);
    }
    // What was loaded grows and is written like what was built.
    append_rows(*back, topic_rows(40, 6001));
    const auto merged = merge_rows(back->runs, kWide);
    adopt_merged(*back, {merged, HnswGraph::build(*merged, 1, kNever), nullptr}, {});
    EXPECT_EQ(back->live(), 1500u + 77 + 40 - 2);
    EXPECT_EQ(back->runs.size(), 1u);
}

TEST(IndexCache, any_damage_means_no_cache) {
    const TestFile file("rpt_index_bad_");
    Snapshot snapshot = with_graph(200);
    write_index_cache(file.path, 3, kWide, snapshot, 0600);
    const std::string bytes = file.read();
    const auto rewrite = [&](const std::string& content) {
        file.write(content);
        return read_index_cache(file.path, 3, kWide).has_value();
    };
    EXPECT_TRUE(rewrite(bytes));
    // header, table, then every section's first bytes and its padding: nothing is without a check
    std::set<size_t> places;
    for (size_t at = 0; at < 128; ++at) places.insert(at);
    for (size_t at = 0; at < bytes.size(); at += 251) places.insert(at);
    for (size_t at = 128; at < bytes.size(); at += 64) {
        if (at % 1024 == 0) places.insert(at);
        if (at + 4096 > bytes.size()) places.insert(at + 63);
    }
    for (const size_t at : places) {
        std::string bad = bytes;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        EXPECT_FALSE(rewrite(bad)) << at;
        EXPECT_FALSE(rewrite(bytes.substr(0, at))) << at;
    }
    EXPECT_FALSE(rewrite(bytes + std::string(64, '\0')));
    std::filesystem::remove(file.path);
    EXPECT_FALSE(read_index_cache(file.path, 3, kWide));
}

TEST(IndexCache, file_of_another_version_is_ignored) {
    const TestFile file("rpt_index_old_");
    write_index_cache(file.path, 3, kWide, with_graph(50), 0600);
    std::string bytes = file.read();
    for (const uint32_t version : {1u, 3u}) {
        std::memcpy(bytes.data() + 8, &version, 4);
        // with a right checksum of the header, which ends at 60 and is followed by one segment's
        const uint32_t crc = crc32c(bytes.data() + 64, 64, crc32c(bytes.data(), 60));
        std::memcpy(bytes.data() + 60, &crc, 4);
        file.write(bytes);
        EXPECT_FALSE(read_index_cache(file.path, 3, kWide)) << version;
    }
    const uint32_t version = 2, crc_of_it = [&] {
        std::memcpy(bytes.data() + 8, &version, 4);
        return crc32c(bytes.data() + 64, 64, crc32c(bytes.data(), 60));
    }();
    std::memcpy(bytes.data() + 60, &crc_of_it, 4);
    file.write(bytes);
    EXPECT_TRUE(read_index_cache(file.path, 3, kWide));
}

}  // namespace rpt::storage
