// The in-memory index: graph against exact scan, growth, death, and its file.
#include "storage/snapshot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "storage/blob_codec.h"
#include "storage/dot_rows.h"
#include "storage/index_cache.h"
#include "storage/snapshot_search.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

constexpr uint32_t kWide = 32;
const std::atomic<bool> kNever{false};

// Keys around a few topics with unequal lengths, as texts are.
std::shared_ptr<KeyRows> topic_rows(size_t n, uint64_t first_chunk = 1) {
    Numbers numbers(first_chunk + 17);
    Numbers topics(5);
    const std::vector<float> centres = topics.vector(40 * kWide);
    auto rows = std::make_shared<KeyRows>(kWide);
    for (size_t i = 0; i < n; ++i) {
        const size_t topic = numbers.below(40);
        const float length = 0.5f + numbers.unit();
        std::vector<float> key(kWide);
        for (size_t c = 0; c < kWide; ++c)
            key[c] = length * (centres[topic * kWide + c] + 0.7f * numbers.normal());
        RowFacts facts;
        facts.chunk = first_chunk + i;
        facts.document = 1 + i / 10;
        facts.key_hash = hash_key(std::string("doc").append(std::to_string(i / 10)));
        facts.bytes = {i % 10 * 10, i % 10 * 10 + 10};
        facts.seal = static_cast<uint32_t>(i);
        rows->push(facts, encode_key(key));
    }
    return rows;
}

std::vector<Hit> search(const Snapshot& snapshot, const std::vector<float>& query, size_t k,
                        SearchFilter filter = {}) {
    const auto shared = std::make_shared<const Snapshot>(snapshot);
    return search_snapshots({&shared, 1}, query, k, filter, {});
}

bool same(const std::vector<Hit>& a, const std::vector<Hit>& b) {
    return std::ranges::equal(a, b, [](const Hit& x, const Hit& y) {
        return x.chunk_id == y.chunk_id && x.score == y.score;
    });
}

// The plainly right twin: scores everything, sorts everything.
std::vector<Hit> brute_force(const Snapshot& snapshot, std::vector<float> query, size_t k,
                             const SearchFilter& filter) {
    struct Scored {
        Hit hit;
        uint64_t document;
    };
    std::vector<Scored> all;
    const float root = std::sqrt(static_cast<float>(query.size()));
    query.resize(padded_columns(query.size()));
    for (const Segment& segment : snapshot.segments) {
        for (size_t row = 0; row < segment.rows->size(); ++row) {
            if (!segment.is_live(row)) continue;
            float dot;
            plain::dot_rows(segment.rows->key(row), 1, segment.rows->columns(), query.data(), &dot);
            const RowFacts& facts = segment.rows->facts(row);
            if (filter.min_score && dot / root < *filter.min_score) continue;
            if (!filter.exclude_key.empty() && facts.key_hash == hash_key(filter.exclude_key) &&
                (filter.exclude_bytes.empty() || facts.bytes.overlaps(filter.exclude_bytes)))
                continue;
            all.push_back({{facts.chunk, dot / root}, facts.document});
        }
    }
    std::ranges::sort(all, [](const Scored& a, const Scored& b) {
        return a.hit.score > b.hit.score ||
               (a.hit.score == b.hit.score && a.hit.chunk_id < b.hit.chunk_id);
    });
    std::map<uint64_t, uint32_t> taken;
    std::vector<Hit> hits;
    for (const Scored& scored : all)
        if (hits.size() < k &&
            (filter.max_per_document == 0 || taken[scored.document]++ < filter.max_per_document))
            hits.push_back(scored.hit);
    return hits;
}

Snapshot with_graph(size_t n) {
    Snapshot snapshot;
    Segment segment{topic_rows(n), nullptr, nullptr};
    segment.graph = HnswGraph::build(*segment.rows, 1, kNever);
    snapshot.newest_chunk = n;
    for (size_t row = 0; row < n; ++row)
        snapshot.digest +=
            digest_part(segment.rows->facts(row).chunk, segment.rows->facts(row).seal);
    snapshot.segments.push_back(segment);
    return snapshot;
}

}  // namespace

TEST(Snapshot, exact_scan_equals_brute_force_with_every_filter) {
    Snapshot snapshot;
    append_rows(snapshot, topic_rows(700, 1));
    append_rows(snapshot, topic_rows(90, 1001));
    append_rows(snapshot, topic_rows(7, 2001));
    mark_dead(snapshot, std::vector<uint64_t>{3, 700, 1005, 9999});
    Numbers numbers(9);
    for (int i = 0; i < 60; ++i) {
        SearchFilter filter;
        filter.exact = true;
        if (i % 2 == 1) filter.max_per_document = 1 + numbers.below(2);
        if (i % 3 == 1)
            filter.exclude_key = std::string("doc").append(std::to_string(numbers.below(70)));
        if (i % 6 == 1) filter.exclude_bytes = {20, 45};
        if (i % 5 == 1) filter.min_score = numbers.normal() * 4;
        const std::vector<float> query = numbers.vector(kWide);
        const size_t k = 1 + numbers.below(i % 10 == 9 ? 2000 : 12);
        EXPECT_TRUE(
            same(search(snapshot, query, k, filter), brute_force(snapshot, query, k, filter)))
            << i;
    }
}

TEST(Snapshot, equal_scores_come_in_order_of_their_numbers) {
    auto rows = std::make_shared<KeyRows>(kWide);
    const std::string key = encode_key(std::vector<float>(kWide, 1.0f));
    for (uint64_t chunk = 1; chunk <= 50; ++chunk) {
        RowFacts facts;
        facts.chunk = chunk * 3;
        rows->push(facts, key);
    }
    Snapshot snapshot;
    append_rows(snapshot, rows);
    const auto hits = search(snapshot, std::vector<float>(kWide, 1.0f), 5);
    ASSERT_EQ(hits.size(), 5u);
    for (size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i].chunk_id, (i + 1) * 3);
}

TEST(Snapshot, graph_finds_what_the_exact_scan_finds) {
    const Snapshot snapshot = with_graph(6000);
    Numbers numbers(11);
    size_t right = 0, asked = 0;
    for (int i = 0; i < 300; ++i) {
        const std::vector<float> query = numbers.vector(kWide);
        SearchFilter exact;
        exact.exact = true;
        const auto expected = search(snapshot, query, 2, exact), got = search(snapshot, query, 2);
        for (const Hit& hit : expected) {
            ++asked;
            for (const Hit& other : got)
                right += other.chunk_id == hit.chunk_id && other.score == hit.score;
        }
    }
    EXPECT_GE(static_cast<double>(right), 0.99 * static_cast<double>(asked));
}

TEST(Snapshot, filters_over_a_graph_lose_nothing) {
    Snapshot snapshot = with_graph(3000);
    Numbers numbers(12);
    std::vector<uint64_t> dead;
    for (uint64_t chunk = 1; chunk <= 3000; ++chunk)
        if (chunk % 5 == 0) dead.push_back(chunk);
    mark_dead(snapshot, dead);
    append_rows(snapshot, topic_rows(100, 5001));
    for (int i = 0; i < 30; ++i) {
        const std::vector<float> query = numbers.vector(kWide);
        SearchFilter filter;
        filter.max_per_document = 1;
        const auto hits = search(snapshot, query, 300, filter);
        EXPECT_TRUE(same(hits, brute_force(snapshot, query, 300, filter)));
        SearchFilter strict;
        strict.min_score = brute_force(snapshot, query, 40, {}).back().score;
        EXPECT_GE(search(snapshot, query, 1000, strict).size(), 39u);
    }
}

TEST(Snapshot, tail_stays_in_few_segments_and_the_dead_never_come_back) {
    Snapshot snapshot;
    std::set<uint64_t> live;
    Numbers numbers(13);
    uint64_t next = 1;
    for (int i = 0; i < 400; ++i) {
        const size_t n = 1 + numbers.below(4);
        append_rows(snapshot, topic_rows(n, next));
        for (size_t j = 0; j < n; ++j) live.insert(next++);
        if (numbers.below(3) == 0) {
            const uint64_t victim = 1 + numbers.below(static_cast<uint32_t>(next));
            mark_dead(snapshot, std::vector<uint64_t>{victim});
            live.erase(victim);
        }
    }
    EXPECT_EQ(snapshot.live(), live.size());
    EXPECT_LE(snapshot.segments.size(), 14u);
    SearchFilter exact;
    exact.exact = true;
    std::set<uint64_t> found;
    for (const Hit& hit : search(snapshot, std::vector<float>(kWide, 1), 5000, exact))
        found.insert(hit.chunk_id);
    EXPECT_EQ(found, live);
}

TEST(Snapshot, merged_segment_takes_over_while_the_rest_moved_on) {
    Snapshot snapshot;
    append_rows(snapshot, topic_rows(300, 1));
    append_rows(snapshot, topic_rows(40, 1001));
    const auto merged = merge_rows(snapshot.segments, kWide);
    mark_dead(snapshot, std::vector<uint64_t>{5, 1003});
    append_rows(snapshot, topic_rows(30, 2001));
    const auto before = brute_force(snapshot, std::vector<float>(kWide, 1), 1000, {});
    adopt_merged(snapshot, {merged, HnswGraph::build(*merged, 2, kNever), nullptr}, {});
    EXPECT_EQ(snapshot.segments.size(), 2u);
    EXPECT_TRUE(same(brute_force(snapshot, std::vector<float>(kWide, 1), 1000, {}), before));
}

TEST(IndexCache, file_brings_back_the_same_answers_and_forgets_dead_keys) {
    const std::string file = testing::TempDir() + "rpt_index_" + std::to_string(::getpid());
    Snapshot snapshot = with_graph(1500);
    snapshot.generation = 42;
    mark_dead(snapshot, std::vector<uint64_t>{7});
    snapshot.digest -= digest_part(7, 6);
    write_index_cache(file, 3, kWide, snapshot);
    EXPECT_FALSE(read_index_cache(file, 4, kWide));
    EXPECT_FALSE(read_index_cache(file, 3, kWide + 1));
    const auto back = read_index_cache(file, 3, kWide);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->generation, 42u);
    ASSERT_TRUE(back->segments[0].graph);
    EXPECT_EQ(back->segments[0].rows->key(6)[0], 0);
    Numbers numbers(14);
    for (int i = 0; i < 20; ++i) {
        const std::vector<float> query = numbers.vector(kWide);
        EXPECT_TRUE(same(search(*back, query, 4), search(snapshot, query, 4)));
    }
    std::filesystem::remove(file);
}

TEST(IndexCache, any_damage_means_no_cache) {
    const std::string file = testing::TempDir() + "rpt_index_bad_" + std::to_string(::getpid());
    write_index_cache(file, 3, kWide, with_graph(200));
    std::string bytes;
    {
        std::ifstream in(file, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const auto rewrite = [&](const std::string& content) {
        std::ofstream(file, std::ios::binary)
            .write(content.data(), static_cast<std::streamsize>(content.size()));
        return read_index_cache(file, 3, kWide).has_value();
    };
    EXPECT_TRUE(rewrite(bytes));
    for (size_t at = 0; at < bytes.size(); at += 1511) {
        std::string bad = bytes;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        EXPECT_FALSE(rewrite(bad)) << at;
        EXPECT_FALSE(rewrite(bytes.substr(0, at)));
    }
    std::filesystem::remove(file);
    EXPECT_FALSE(read_index_cache(file, 3, kWide));
}

TEST(HnswGraph, parsing_refuses_links_that_lead_nowhere) {
    const auto rows = topic_rows(300);
    const std::string good = HnswGraph::build(*rows, 1, kNever)->serialise();
    ASSERT_TRUE(HnswGraph::parse(good, 300));
    EXPECT_FALSE(HnswGraph::parse(good, 299));
    Numbers numbers(15);
    const std::vector<float> query = numbers.vector(kWide);
    for (int i = 0; i < 4000; ++i) {
        std::string bad = good;
        const size_t at = numbers.below(static_cast<uint32_t>(i < 1000 ? 400 : bad.size()));
        bad[at] = static_cast<char>(bad[at] ^ (1u << numbers.below(8)));
        // What parses can be searched without harm.
        if (const auto graph = HnswGraph::parse(bad, 300)) graph->search(*rows, query.data(), 5);
    }
}

}  // namespace rpt::storage
