// Which neighbours chunks read while the language model's loss trains the retriever (arXiv
// 2410.01651; retrieval gca): only differences among the chosen are trained, so the choice must be
// wide and must wander. No torch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lab/train/batch.h"

namespace rpt::train {

// What holds for a whole step.
struct Exploration {
    int64_t step = 0;         // updates done before
    bool whole_pool = false;  // a chunk reads everything it may retrieve
    double noise = 0;         // scale of the Gumbel noise on scores
    bool foreign = false;     // the pool also holds the chunks of the pass's other samples
};
Exploration exploration_at(const TrainOptions& options, int64_t step);

// Neighbours of each chunk of `samples[number]`, best first, numbered as RptModel::upper() reads
// them. `scores` [l, documents l]: of chunk i against chunk j % l of sample (number + j / l) mod
// the number of samples; documents is 1, or with foreign chunks the number of samples. `slot`: the
// sample's place in the step's batch. Draws depend on (seed, step, slot, chunk, j) alone. Chunks of
// padding neither read nor are read; nor does a sample that reads without a memory.
std::vector<std::vector<int64_t>> explore_neighbours(const TrainConfig& config,
                                                     std::span<const Sample> samples, size_t number,
                                                     std::span<const float> scores,
                                                     const Exploration& exploration, int64_t slot);

}  // namespace rpt::train
