// Which chunks the chunks of a span could read: rankings from several sources over the same pool.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "core/model/config.h"
#include "lab/train/candidates.h"

namespace rpt::eval {

// Chunk numbers for each chunk, best first; a chunk may have none.
using Neighbours = std::vector<std::vector<int32_t>>;

// The filled slots of each chunk, in their order.
Neighbours from_lists(const train::ChunkLists& lists);

// The best `k` of each chunk's pool by `scores` fp32 [l, l] on the CPU.
Neighbours best_by_scores(const model::ModelConfig& config, const at::Tensor& scores, int64_t k);

// The best `k` candidates of each chunk by target score, positive or not, ties to the lower number:
// the oracle of spec 4.1.
Neighbours best_by_target(const train::ChunkLists& targets, int64_t k);

// `k` chunks of the pool by chance.
Neighbours random_neighbours(const model::ModelConfig& config, int64_t chunks, int64_t k,
                             uint64_t seed, uint64_t stream);

// int64 [1, l, k] for the model; -1 where there is none.
at::Tensor as_tensor(const Neighbours& neighbours, int64_t k, at::Device device);

}  // namespace rpt::eval
