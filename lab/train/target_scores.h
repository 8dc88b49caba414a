// Target scores of one piece by a language model (spec 2.1, 2.2).
#pragma once

#include "lab/train/candidates.h"
#include "lab/train/context_reader.h"
#include "lab/train/target_cache.h"

namespace rpt::train {

struct ScoringOptions {
    int64_t candidates = 20;  // BM25 candidates, slots a chunk
    int64_t top = 20;         // of them scored; the others leave the list
    int64_t every = 1;        // chunks i with i % every == 0 have candidates
};

// s_t(c_j) in nats a token: log p(c_t | c_j, c_{j+1}, c_q) - log p(c_t | c_{i-2}, c_{i-1}, c_q),
// for the BM25 candidates of every chunk under `model`'s pool rule, in BM25 order. `tokens` and
// `n_tokens` as in make_candidates().
ChunkLists score_targets(ContextReader& reader, const model::ModelConfig& model,
                         const ScoringOptions& options, std::span<const int32_t> tokens,
                         int64_t n_tokens);
// Its twin: every term for itself.
ChunkLists score_targets_slow(ContextReader& reader, const model::ModelConfig& model,
                              const ScoringOptions& options, std::span<const int32_t> tokens,
                              int64_t n_tokens);

// What the scores of a cache look like: the check that a scorer is of use (spec 8.2.12, 8.4).
struct TargetReport {
    int64_t pieces = 0;
    int64_t chunks = 0;           // with a scored candidate
    int64_t scores = 0;           // candidates scored
    double with_positive = 0;     // share of chunks with a score above 0
    double positives = 0;         // share of scores above 0
    double mean_score = 0;        // over all candidates
    double mean_best = 0;         // over chunks, of the best score
    std::vector<double> best_of;  // [candidates]: the best among the first 1, 2, .. by BM25
};
TargetReport report_targets(const TargetCache& cache);

}  // namespace rpt::train
