// Supervision of one sample: which old chunks would help to predict the next one
// (spec 2.1, 2.8, 8.2.12). No torch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lab/train/train_config.h"

namespace rpt::train {

// Per chunk, `width` slots; -1 marks an empty one.
struct ChunkLists {
    int64_t width = 0;
    std::vector<int32_t> chunk;  // [l, width]
    std::vector<float> score;    // [l, width], 0 where empty
};

// Candidates of every chunk of `tokens` (model inputs; `n_tokens` of them are text, the rest
// padding): the best `options.candidates` by BM25(c_i, c_i+1) in the pool, of these those whose
// score is at least `options.candidate_share` of the question's summed idf, with their target
// scores T. The last whole chunk has no target and so no candidates. Targets lm_scores give empty
// lists here: a language model makes them (target_scores.h).
ChunkLists make_candidates(const model::ModelConfig& model, const TrainOptions& options,
                           std::span<const int32_t> tokens, int64_t n_tokens);

// The best `k` of the pool by BM25 of the chunk, or of the chunk and the one after it.
ChunkLists make_given_neighbours(const model::ModelConfig& model, GivenQuery query, int64_t k,
                                 std::span<const int32_t> tokens, int64_t n_tokens);

// Pairs (l, j) of spec 2.4 that the ranking loss of this sample counts; known before any score is.
int64_t count_valid_pairs(const model::ModelConfig& model, const ChunkLists& candidates);

}  // namespace rpt::train
