// How good a retriever's rankings are, summed over query chunks (spec 4.2, figures 4 and 5 of the
// paper). No torch.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lab/train/candidates.h"

namespace rpt::eval {

// Divide by the count that stands behind each group.
struct RankingSums {
    double precision_2 = 0;
    int64_t chunks = 0;  // query chunks with a pool and a next chunk
    double recall_10 = 0, ndcg_20 = 0;
    int64_t with_gold = 0;  // those with a candidate above 0
    // Different tokens that the first neighbour shares with the chunk, and with the one after it.
    double overlap_query = 0, overlap_target = 0;
    int64_t with_neighbour = 0;  // those with a neighbour at all
    void add(const RankingSums& other);
};

// `ranked`: neighbours of chunk i, best first. `gold`: candidates with target scores; above 0 is
// gold.
void judge_ranking(std::span<const int32_t> ranked, const train::ChunkLists& gold, int64_t i,
                   RankingSums& sums);

// Different tokens that both have.
int64_t shared_tokens(std::span<const int32_t> a, std::span<const int32_t> b);

// Adds the overlaps of chunk i; `tokens`: the inputs, in which chunk i + 1 is whole.
void add_overlap(std::span<const int32_t> ranked, std::span<const int32_t> tokens, int64_t chunk,
                 int64_t i, RankingSums& sums);

// One of the first `k` of `ranked` is gold for chunk i.
bool finds_gold(std::span<const int32_t> ranked, const train::ChunkLists& gold, int64_t i,
                int64_t k);

// The best target score among the first 1, 2, .. 20 of BM25's ranking by chunk and target: what a
// retriever that reorders so many candidates could reach.
struct BestScoreSums {
    std::array<double, 20> best{};
    int64_t chunks = 0;
    // Chunks without a candidate do not count; a candidate that was not scored is skipped.
    void add_chunk(std::span<const int32_t> ranked, const train::ChunkLists& gold, int64_t i);
    void add(const BestScoreSums& other);
};

}  // namespace rpt::eval
