// Which neighbours the chunks of a sample read in training: their own or the teacher's
// (spec 2.6, 8.2.11). No torch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lab/train/batch.h"

namespace rpt::train {

// The best `k` of the first `pool` entries of `scores`, by score descending, ties to the lower
// number.
std::vector<int32_t> top_k(std::span<const float> scores, int64_t pool, int64_t k);

// The best `k` of a chunk's candidates by target score, those above 0 alone.
std::vector<int32_t> teacher_top_k(std::span<const int32_t> chunk, std::span<const float> score,
                                   int64_t k);

// [l, K] chunk numbers, -1 none. `scores` [l, l]: what the retriever says now. A chunk whose draw
// is below `p_own` reads its own top K; another reads the teacher's, filled up with its own where
// the teacher has fewer. Everything is -1 for a sample that reads without a memory.
std::vector<int64_t> choose_neighbours(const model::ModelConfig& model, const Sample& sample,
                                       std::span<const float> scores, double p_own);

}  // namespace rpt::train
