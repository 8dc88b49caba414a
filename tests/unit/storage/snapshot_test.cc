// The in-memory index: graph against exact scan, growth, death.
#include "tests/unit/storage/snapshot_fixture.h"

namespace rpt::storage {

TEST(Snapshot, exact_scan_equals_brute_force_with_every_filter) {
    Snapshot snapshot;
    append_rows(snapshot, topic_rows(700, 1));
    append_rows(snapshot, topic_rows(90, 1001));
    append_rows(snapshot, topic_rows(7, 2001));
    documents().add(snapshot);
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
        filter.weigh_by_idf = i % 4 == 2;
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
    EXPECT_LE(snapshot.runs.size(), 14u);
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
    const auto merged = merge_rows(snapshot.runs, kWide);
    mark_dead(snapshot, std::vector<uint64_t>{5, 1003});
    append_rows(snapshot, topic_rows(30, 2001));
    const auto before = brute_force(snapshot, std::vector<float>(kWide, 1), 1000, {});
    adopt_merged(snapshot, {merged, HnswGraph::build(*merged, 2, kNever), nullptr}, {});
    EXPECT_EQ(snapshot.runs.size(), 2u);
    EXPECT_TRUE(same(brute_force(snapshot, std::vector<float>(kWide, 1), 1000, {}), before));
}

TEST(KeyRows, first_from_equals_a_plain_scan) {
    Numbers numbers(18);
    KeyRows rows(kWide);
    const std::string key = encode_key(numbers.vector(kWide));
    RowFacts facts;
    for (int i = 0; i < 200; ++i) {
        facts.chunk += 1 + numbers.below(4);
        rows.push(facts, key);
    }
    for (uint64_t chunk = 0; chunk <= facts.chunk + 2; ++chunk) {
        for (size_t from = 0; from <= rows.size(); from += 1 + numbers.below(9)) {
            size_t expected = from;
            while (expected < rows.size() && rows.facts(expected).chunk < chunk) ++expected;
            ASSERT_EQ(rows.first_from(chunk, from), expected) << chunk << ' ' << from;
        }
    }
}

TEST(Snapshot, rows_of_one_whole_segment_are_merged_without_a_copy) {
    Snapshot snapshot;
    append_rows(snapshot, topic_rows(50));
    EXPECT_EQ(merge_rows(snapshot.runs, kWide), snapshot.runs[0].rows);
    mark_dead(snapshot, std::vector<uint64_t>{4});
    EXPECT_EQ(merge_rows(snapshot.runs, kWide)->size(), 49u);
}

TEST(HnswGraph, links_that_lead_nowhere_are_not_believed) {
    const auto rows = topic_rows(300);
    const auto built = HnswGraph::build(*rows, 1, kNever);
    const HnswGraph::Links& good = built->links();
    const auto owner = std::make_shared<int>(0);
    ASSERT_TRUE(HnswGraph::view(good, 300, owner));
    EXPECT_FALSE(HnswGraph::view(good, 299, owner));
    Numbers numbers(15);
    const std::vector<float> query = numbers.vector(kWide);
    size_t refused = 0;
    for (int i = 0; i < 8000; ++i) {
        HnswGraph::Arrays bad{{good.ground.begin(), good.ground.end()},
                              {good.upper_rows.begin(), good.upper_rows.end()},
                              {good.upper_lists.begin(), good.upper_lists.end()},
                              {good.upper.begin(), good.upper.end()},
                              good.entry};
        std::vector<uint32_t>* const arrays[] = {&bad.ground, &bad.upper_rows, &bad.upper_lists,
                                                 &bad.upper};
        std::vector<uint32_t>& array = *arrays[i % 4];
        array[numbers.below(static_cast<uint32_t>(array.size()))] ^= 1u << numbers.below(32);
        if (i % 50 == 0) bad.entry = numbers.below(40);
        const HnswGraph::Links links{bad.ground, bad.upper_rows, bad.upper_lists, bad.upper,
                                     bad.entry};
        // What is believed can be searched without harm.
        if (const auto graph = HnswGraph::view(links, 300, owner)) {
            graph->search(*rows, query.data(), 5);
        } else {
            ++refused;
        }
    }
    EXPECT_GT(refused, 4000u);
}

TEST(HnswGraph, every_row_can_be_reached_even_among_equal_keys) {
    auto rows = std::make_shared<KeyRows>(kWide);
    Numbers numbers(16);
    std::vector<std::vector<float>> some;
    for (int i = 0; i < 5; ++i) some.push_back(numbers.vector(kWide));
    for (uint64_t chunk = 1; chunk <= 3000; ++chunk) {
        std::vector<float> key = chunk % 3 == 0 ? numbers.vector(kWide) : some[chunk % 5];
        if (chunk == 30) key.assign(kWide, 0);
        if (chunk % 7 == 0)
            for (float& v : key) v *= 10;
        RowFacts facts;
        facts.chunk = chunk;
        rows->push(facts, encode_key(key));
    }
    const auto graph = HnswGraph::build(*rows, 2, kNever);
    std::set<uint32_t> found;
    for (const auto& candidate : graph->search(*rows, numbers.vector(kWide).data(), rows->size()))
        found.insert(candidate.row);
    EXPECT_EQ(found.size(), rows->size());
}

TEST(HnswGraph, one_thread_builds_the_same_graph_every_time) {
    const auto rows = topic_rows(2500);
    const auto a = HnswGraph::build(*rows, 1, kNever), b = HnswGraph::build(*rows, 1, kNever);
    EXPECT_TRUE(std::ranges::equal(a->links().ground, b->links().ground));
    EXPECT_TRUE(std::ranges::equal(a->links().upper, b->links().upper));
    const std::atomic<bool> stopped{true};
    EXPECT_FALSE(HnswGraph::build(*rows, 2, stopped));
}

TEST(HnswGraph, long_keys_hide_no_short_ones_and_lose_no_way_in) {
    // Lengths differ twenty-fold; the best products are those of long keys, whose neighbours by
    // distance are short.
    auto rows = std::make_shared<KeyRows>(kWide);
    Numbers numbers(17);
    for (uint64_t chunk = 1; chunk <= 5000; ++chunk) {
        std::vector<float> key = numbers.vector(kWide);
        const float length = 0.1f + 2 * numbers.unit() * numbers.unit();
        for (float& v : key) v *= length;
        RowFacts facts;
        facts.chunk = chunk;
        rows->push(facts, encode_key(key));
    }
    const auto graph = HnswGraph::build(*rows, 2, kNever);
    size_t right = 0;
    std::vector<float> scores(rows->size());
    for (int i = 0; i < 200; ++i) {
        const std::vector<float> query = numbers.vector(kWide);
        dot_rows(rows->key(0), rows->size(), rows->columns(), query.data(), scores.data());
        const float best = std::ranges::max(scores);
        for (const auto& candidate : graph->search(*rows, query.data(), 10))
            right += candidate.score == best;
    }
    EXPECT_GE(right, 198u);
}

}  // namespace rpt::storage
