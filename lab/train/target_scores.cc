#include "lab/train/target_scores.h"

#include <algorithm>

#include "base/error.h"

namespace rpt::train {
namespace {

// The candidates that are scored, with score 0.
ChunkLists scored_candidates(const model::ModelConfig& model, const ScoringOptions& options,
                             std::span<const int32_t> tokens, int64_t n_tokens) {
    TrainOptions supervision;
    supervision.candidates = options.candidates;
    supervision.targets = TargetKind::kBm25Rank;
    ChunkLists lists = make_candidates(model, supervision, tokens, n_tokens);
    for (size_t slot = 0; slot < lists.chunk.size(); ++slot) {
        const auto i = static_cast<int64_t>(slot) / lists.width;
        const auto rank = static_cast<int64_t>(slot) % lists.width;
        if (rank >= options.top || i % options.every != 0) lists.chunk[slot] = -1;
        lists.score[slot] = 0;
    }
    return lists;
}

// c_{i-2} and c_{i-1}: what a chunk's own past would say. A pool begins later than chunk 2.
ContextPair near_past(int64_t i) {
    RPT_CHECK(i >= 2);
    return {static_cast<int32_t>(i), static_cast<int32_t>(i - 2)};
}

}  // namespace

ChunkLists score_targets(ContextReader& reader, const model::ModelConfig& model,
                         const ScoringOptions& options, std::span<const int32_t> tokens,
                         int64_t n_tokens) {
    ChunkLists lists = scored_candidates(model, options, tokens, n_tokens);
    std::vector<ContextPair> pairs;
    for (size_t slot = 0; slot < lists.chunk.size(); ++slot) {
        if (lists.chunk[slot] < 0) continue;
        const auto i = static_cast<int64_t>(slot) / lists.width;
        if (static_cast<int64_t>(slot) % lists.width == 0) pairs.push_back(near_past(i));
        pairs.push_back({static_cast<int32_t>(i), lists.chunk[slot]});
    }
    const std::vector<float> logs = reader.log_likelihoods(tokens, pairs);
    size_t at = 0;
    float baseline = 0;
    for (size_t slot = 0; slot < lists.chunk.size(); ++slot) {
        if (lists.chunk[slot] < 0) continue;
        if (static_cast<int64_t>(slot) % lists.width == 0) baseline = logs[at++];
        lists.score[slot] = logs[at++] - baseline;
    }
    return lists;
}

ChunkLists score_targets_slow(ContextReader& reader, const model::ModelConfig& model,
                              const ScoringOptions& options, std::span<const int32_t> tokens,
                              int64_t n_tokens) {
    ChunkLists lists = scored_candidates(model, options, tokens, n_tokens);
    for (size_t slot = 0; slot < lists.chunk.size(); ++slot) {
        if (lists.chunk[slot] < 0) continue;
        const auto i = static_cast<int64_t>(slot) / lists.width;
        lists.score[slot] =
            reader.log_likelihood_slow(tokens, {static_cast<int32_t>(i), lists.chunk[slot]}) -
            reader.log_likelihood_slow(tokens, near_past(i));
    }
    return lists;
}

TargetReport report_targets(const TargetCache& cache) {
    TargetReport report;
    report.pieces = static_cast<int64_t>(cache.size());
    report.best_of.assign(static_cast<size_t>(cache.header().candidates), 0.0);
    int64_t positives = 0, chunks_with_positive = 0;
    for (size_t piece = 0; piece < cache.size(); ++piece) {
        const ChunkLists lists = cache.at(piece);
        const auto width = static_cast<size_t>(lists.width);
        for (size_t begin = 0; begin < lists.chunk.size(); begin += width) {
            if (lists.chunk[begin] < 0) continue;
            ++report.chunks;
            double best = lists.score[begin];
            for (size_t c = 0; c < width; ++c) {
                if (lists.chunk[begin + c] >= 0) {
                    const double score = lists.score[begin + c];
                    best = std::max(best, score);
                    ++report.scores;
                    report.mean_score += score;
                    positives += score > 0;
                }
                report.best_of[c] += best;
            }
            chunks_with_positive += best > 0;
        }
    }
    const auto chunks = static_cast<double>(std::max<int64_t>(1, report.chunks));
    const auto scores = static_cast<double>(std::max<int64_t>(1, report.scores));
    report.with_positive = static_cast<double>(chunks_with_positive) / chunks;
    report.positives = static_cast<double>(positives) / scores;
    report.mean_score /= scores;
    for (double& best : report.best_of) best /= chunks;
    report.mean_best = report.best_of.empty() ? 0.0 : report.best_of.back();
    return report;
}

}  // namespace rpt::train
