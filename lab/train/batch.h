// One training step's data, complete before the model sees it. No torch.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lab/train/candidates.h"
#include "lab/train/shard.h"
#include "lab/train/target_cache.h"

namespace rpt::train {

// A token sequence as the model reads it: x_0 is the beginning-of-text token, x_p = t_p-1, and
// position p predicts t_p. Chunks are cut on the inputs.
struct Sample {
    std::vector<int64_t> inputs;   // [L]
    std::vector<int64_t> targets;  // [L], -1 on padding
    int64_t n_tokens = 0;          // inputs that are text
    ChunkLists candidates;         // with a retriever
    ChunkLists given;              // with given neighbours
    int64_t pairs = 0;             // of the ranking loss
    bool withheld = false;         // this sample reads without a memory
    std::vector<float> own_draws;  // [l], uniform: below P_own a chunk reads its own neighbours
};

struct Batch {
    int64_t step = 0;
    std::vector<Sample> samples;
    int64_t n_targets = 0;  // predicted tokens
    int64_t pairs = 0;
};

// The target scores of this configuration's samples come from a file: targets lm_scores, for a
// model that is trained to rank or has a teacher pick neighbours.
bool reads_target_cache(const TrainConfig& config);

// `text`: at most `length` tokens. Draws depend on (seed, step, slot) alone. Targets lm_scores are
// looked up in `targets`: throws kNotFound naming `document` when they are not there.
Sample make_sample(const TrainConfig& config, const ShardVocabulary& vocabulary,
                   std::span<const int32_t> text, int64_t step, int64_t slot,
                   const TargetCache* targets = nullptr, std::string_view document = "");

}  // namespace rpt::train
