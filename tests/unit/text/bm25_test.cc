#include "core/text/bm25.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace rpt::text {

namespace {

Bm25 make(const std::vector<std::vector<int32_t>>& chunks) {
    const std::vector<std::span<const int32_t>> spans(chunks.begin(), chunks.end());
    return Bm25(spans);
}

Bm25 golden() {
    return make({{1, 2, 3, 1}, {2, 2, 4, 5}, {6, 7, 8, 9}, {1, 4, 4, 9}, {3, 3, 3, 2}});
}

}  // namespace

TEST(Bm25, idf_of_the_golden_collection_with_its_floor) {
    const Bm25 bm25 = golden();
    for (int32_t token : {1, 3, 4, 9}) EXPECT_NEAR(bm25.idf(token), 0.336472, 1e-6);
    for (int32_t token : {5, 6, 7, 8}) EXPECT_NEAR(bm25.idf(token), 1.098612, 1e-6);
    EXPECT_NEAR(bm25.idf(2), 0.150107, 1e-6);
    EXPECT_EQ(bm25.idf(77), 0);
}

TEST(Bm25, scores_of_the_golden_queries) {
    const Bm25 bm25 = golden();
    const std::vector<int32_t> a{1, 4, 4}, b{2, 9};
    const std::vector<double> of_a{0.480675, 0.672944, 0, 1.297821, 0};
    const std::vector<double> of_b{0.150107, 0.214439, 0.336472, 0.336472, 0.150107};
    for (size_t j = 0; j < 5; ++j) {
        EXPECT_NEAR(bm25.scores_slow(a)[j], of_a[j], 1e-6);
        EXPECT_NEAR(bm25.scores_slow(b)[j], of_b[j], 1e-6);
    }
    const auto best = bm25.top(b, 5, 3);
    ASSERT_EQ(best.size(), 3u);
    EXPECT_EQ(best[0].chunk, 2);  // a tie with 3
    EXPECT_EQ(best[1].chunk, 3);
    EXPECT_EQ(best[2].chunk, 1);
    EXPECT_EQ(bm25.top(a, 5, 10).size(), 3u);  // two chunks share nothing with the query
    EXPECT_EQ(bm25.top(a, 1, 10).size(), 1u);
    EXPECT_TRUE(bm25.top(a, 0, 10).empty());
    EXPECT_TRUE(bm25.top(a, -1, 10).empty());
    EXPECT_EQ(bm25.top(a, 1000, 10).size(), 3u);
}

TEST(Bm25, empty_collections_answer_nothing) {
    EXPECT_TRUE(make({}).top(std::vector<int32_t>{1}, 5, 5).empty());
    EXPECT_TRUE(make({{}, {}}).top(std::vector<int32_t>{1}, 5, 5).empty());
    EXPECT_EQ(make({{}, {}}).scores_slow(std::vector<int32_t>{1}), std::vector<double>(2, 0.0));
}

TEST(Bm25, top_is_the_ranking_of_the_plain_scores) {
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        std::vector<std::vector<int32_t>> chunks(random() % 30);
        for (auto& chunk : chunks) {
            chunk.resize(round % 2 ? 8 : random() % 12);
            for (int32_t& token : chunk)
                token = int32_t(random() % 12);  // few: ties and common tokens abound
        }
        const Bm25 bm25 = make(chunks);
        std::vector<int32_t> query(random() % 20);
        for (int32_t& token : query) token = int32_t(random() % 14);
        const int64_t end = int64_t(random() % (chunks.size() + 2));
        const size_t k = random() % 8;

        const std::vector<double> scores = bm25.scores_slow(query);
        std::vector<int32_t> order;
        for (size_t j = 0; j < std::min<size_t>(chunks.size(), size_t(end)); ++j)
            if (std::any_of(query.begin(), query.end(), [&](int32_t token) {
                    return std::count(chunks[j].begin(), chunks[j].end(), token) > 0;
                }))
                order.push_back(int32_t(j));
        std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
            return scores[size_t(a)] > scores[size_t(b)];
        });
        order.resize(std::min(order.size(), k));

        const auto best = bm25.top(query, end, k);
        ASSERT_EQ(best.size(), order.size());
        for (size_t i = 0; i < order.size(); ++i) {
            EXPECT_EQ(best[i].chunk, order[i]);
            EXPECT_EQ(best[i].score, float(scores[size_t(order[i])]));
        }
    }
}

}  // namespace rpt::text
