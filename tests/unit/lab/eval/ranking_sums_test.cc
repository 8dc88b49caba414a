#include "lab/eval/ranking_sums.h"

#include <cmath>

#include <gtest/gtest.h>

#include "lab/eval/span_neighbours.h"

namespace rpt::eval {
namespace {

// Chunk 0: candidates 3 (0.2), 7 (-0.1), 1 (0.05); chunk 1: candidate 2 (-0.3), nothing above 0.
train::ChunkLists two_chunks() {
    train::ChunkLists lists;
    lists.width = 4;
    lists.chunk = {3, 7, 1, -1, 2, -1, -1, -1};
    lists.score = {0.2f, -0.1f, 0.05f, 0, -0.3f, 0, 0, 0};
    return lists;
}

TEST(RankingSumsTest, ranking_is_judged_by_target_scores_above_zero) {
    const train::ChunkLists gold = two_chunks();
    RankingSums sums;
    judge_ranking(std::vector<int32_t>{7, 1, 9}, gold, 0, sums);
    EXPECT_DOUBLE_EQ(sums.precision_2, 0.5);  // 1 of 7, 1
    EXPECT_DOUBLE_EQ(sums.recall_10, 0.5);    // 1 of 3, 1
    const double found = (std::exp2(0.05) - 1) / std::log2(3.0);
    const double ideal = (std::exp2(0.2) - 1) / std::log2(2.0) + found;
    EXPECT_NEAR(sums.ndcg_20, found / ideal, 1e-6);
    judge_ranking(std::vector<int32_t>{2}, gold, 1, sums);  // no gold: precision alone counts it
    EXPECT_DOUBLE_EQ(sums.precision_2, 0.5);
    EXPECT_EQ(sums.chunks, 2);
    EXPECT_EQ(sums.with_gold, 1);
}

TEST(RankingSumsTest, gold_is_found_within_k_and_above_zero_only) {
    const train::ChunkLists gold = two_chunks();
    EXPECT_FALSE(finds_gold(std::vector<int32_t>{7, 9, 3}, gold, 0, 2));
    EXPECT_TRUE(finds_gold(std::vector<int32_t>{7, 9, 3}, gold, 0, 3));
    EXPECT_FALSE(finds_gold(std::vector<int32_t>{2}, gold, 1, 2));
    EXPECT_FALSE(finds_gold(std::vector<int32_t>{}, gold, 0, 2));
}

TEST(RankingSumsTest, overlap_counts_different_tokens_of_the_first_neighbour) {
    EXPECT_EQ(shared_tokens(std::vector<int32_t>{5, 5, 6, 7}, std::vector<int32_t>{5, 7, 7, 8}), 2);
    const std::vector<int32_t> tokens = {1, 2, 3, 3, 1, 2, 9, 9, 3, 8, 8, 8};  // chunks of 4
    RankingSums sums;
    add_overlap(std::vector<int32_t>{0}, tokens, 4, 1, sums);
    EXPECT_DOUBLE_EQ(sums.overlap_query, 2);   // 1 2
    EXPECT_DOUBLE_EQ(sums.overlap_target, 1);  // 3
    add_overlap(std::vector<int32_t>{}, tokens, 4, 1, sums);
    EXPECT_EQ(sums.with_neighbour, 1);
}

TEST(RankingSumsTest, best_score_rises_with_the_candidates_looked_at) {
    const train::ChunkLists gold = two_chunks();
    BestScoreSums sums;
    sums.add_chunk(std::vector<int32_t>{7, 9, 1, 3}, gold, 0);  // 9 was not scored
    EXPECT_FLOAT_EQ(static_cast<float>(sums.best[0]), -0.1f);
    EXPECT_FLOAT_EQ(static_cast<float>(sums.best[1]), -0.1f);
    EXPECT_FLOAT_EQ(static_cast<float>(sums.best[2]), 0.05f);
    EXPECT_FLOAT_EQ(static_cast<float>(sums.best[3]), 0.2f);
    EXPECT_FLOAT_EQ(static_cast<float>(sums.best[19]), 0.2f);
    sums.add_chunk(std::vector<int32_t>{}, gold, 1);
    EXPECT_EQ(sums.chunks, 1);
}

TEST(SpanNeighboursTest, best_by_target_sorts_by_score_then_number) {
    train::ChunkLists lists = two_chunks();
    const Neighbours best = best_by_target(lists, 2);
    EXPECT_EQ(best[0], (std::vector<int32_t>{3, 1}));
    EXPECT_EQ(best[1], (std::vector<int32_t>{2}));
    lists.score[1] = 0.2f;
    EXPECT_EQ(best_by_target(lists, 2)[0], (std::vector<int32_t>{3, 7}));
}

TEST(SpanNeighboursTest, tensor_has_holes_where_a_chunk_has_fewer) {
    const at::Tensor tensor = as_tensor({{4, 2, 1}, {}, {7}}, 2, at::kCPU);
    EXPECT_TRUE(tensor.equal(at::tensor({4, 2, -1, -1, 7, -1}, at::kLong).view({1, 3, 2})));
}

TEST(SpanNeighboursTest, random_neighbours_lie_in_the_pool) {
    model::ModelConfig config;
    config.chunk = 4;
    config.stride = 8;
    const Neighbours a = random_neighbours(config, 40, 3, 1, 0);
    EXPECT_EQ(a, random_neighbours(config, 40, 3, 1, 0));
    EXPECT_NE(a, random_neighbours(config, 40, 3, 2, 0));
    for (int64_t i = 0; i < 40; ++i) {
        const int64_t last = model::last_retrievable(config, i);
        EXPECT_EQ(static_cast<int64_t>(a[i].size()), std::clamp<int64_t>(last + 1, 0, 3));
        for (const int32_t j : a[i]) EXPECT_LE(j, last);
    }
}

}  // namespace
}  // namespace rpt::eval
