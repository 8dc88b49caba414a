#include "lab/train/candidates.h"

#include <algorithm>
#include <limits>
#include <set>

#include "core/text/bm25.h"

namespace rpt::train {
namespace {

struct Chunks {
    Chunks(std::span<const int32_t> all, int64_t chunk, int64_t n_tokens) : tokens(all), m(chunk) {
        for (int64_t at = 0; at + m <= n_tokens; at += m) spans.push_back(tokens.subspan(at, m));
    }
    int64_t size() const { return static_cast<int64_t>(spans.size()); }
    // c_i, with c_i+1 when `with_target`; chunks lie side by side in the sample.
    std::span<const int32_t> query(int64_t i, bool with_target) const {
        return tokens.subspan(i * m, with_target && i + 1 < size() ? 2 * m : m);
    }

    std::span<const int32_t> tokens;
    int64_t m;
    std::vector<std::span<const int32_t>> spans;
};

ChunkLists empty_lists(int64_t l, int64_t width) {
    ChunkLists lists;
    lists.width = width;
    lists.chunk.assign(l * width, -1);
    lists.score.assign(l * width, 0.0f);
    return lists;
}

// Spec 8.2.12: what c_j and its successor say about the target that the nearest context does not,
// in nats a token.
float lexical_proxy(const Chunks& chunks, const text::Bm25& bm25, int64_t i, int64_t j,
                    double threshold) {
    std::set<int32_t> near;
    for (int64_t c = std::max<int64_t>(0, i - 2); c <= i; ++c)
        near.insert(chunks.spans[c].begin(), chunks.spans[c].end());
    std::set<int32_t> far;
    for (int64_t c = j; c <= j + 1; ++c) far.insert(chunks.spans[c].begin(), chunks.spans[c].end());
    const std::set<int32_t> target(chunks.spans[i + 1].begin(), chunks.spans[i + 1].end());
    double sum = 0;
    for (const int32_t token : target) {
        if (far.contains(token) && !near.contains(token)) sum += bm25.idf(token);
    }
    return static_cast<float>(sum / static_cast<double>(chunks.m) - threshold);
}

// A chunk of average length that holds a token once has all of its idf, so a score over the sum of
// the question's is the part of the question that a chunk holds.
double least_score(const text::Bm25& bm25, std::span<const int32_t> question, double share) {
    if (share == 0) return std::numeric_limits<double>::lowest();  // a short text has idf below 0
    double all = 0;
    for (const int32_t token : question) all += bm25.idf(token);
    return share * all;
}

}  // namespace

ChunkLists make_candidates(const model::ModelConfig& model, const TrainOptions& options,
                           std::span<const int32_t> tokens, int64_t n_tokens) {
    const int64_t l = static_cast<int64_t>(tokens.size()) / model.chunk;
    const int64_t width = options.candidates;
    ChunkLists lists = empty_lists(l, width);
    if (options.targets == TargetKind::kNone || options.targets == TargetKind::kLmScores)
        return lists;
    const Chunks chunks(tokens, model.chunk, n_tokens);
    if (chunks.size() < 2) return lists;
    const text::Bm25 bm25(chunks.spans);
    for (int64_t i = 0; i + 1 < chunks.size(); ++i) {
        const int64_t end = model::last_retrievable(model, i) + 1;
        if (end <= 0) continue;
        const auto question = chunks.query(i, true);
        const auto best = bm25.top(question, end, static_cast<size_t>(width));
        const double least = least_score(bm25, question, options.candidate_share);
        for (size_t rank = 0; rank < best.size() && best[rank].score >= least; ++rank) {
            const size_t slot = i * width + rank;
            lists.chunk[slot] = best[rank].chunk;
            lists.score[slot] =
                options.targets == TargetKind::kBm25Rank
                    ? static_cast<float>(width - static_cast<int64_t>(rank)) /
                          static_cast<float>(width)
                    : lexical_proxy(chunks, bm25, i, best[rank].chunk, options.proxy_threshold);
        }
    }
    return lists;
}

ChunkLists make_given_neighbours(const model::ModelConfig& model, GivenQuery query, int64_t k,
                                 std::span<const int32_t> tokens, int64_t n_tokens) {
    const int64_t l = static_cast<int64_t>(tokens.size()) / model.chunk;
    ChunkLists lists = empty_lists(l, k);
    const Chunks chunks(tokens, model.chunk, n_tokens);
    if (chunks.size() == 0) return lists;
    const text::Bm25 bm25(chunks.spans);
    for (int64_t i = 0; i < chunks.size(); ++i) {
        const int64_t end = model::last_retrievable(model, i) + 1;
        if (end <= 0) continue;
        const auto best = bm25.top(chunks.query(i, query == GivenQuery::kChunkAndTarget), end,
                                   static_cast<size_t>(k));
        for (size_t rank = 0; rank < best.size(); ++rank) {
            lists.chunk[i * k + rank] = best[rank].chunk;
            lists.score[i * k + rank] = best[rank].score;
        }
    }
    return lists;
}

int64_t count_valid_pairs(const model::ModelConfig& model, const ChunkLists& candidates) {
    const int64_t width = candidates.width;
    const int64_t l = static_cast<int64_t>(candidates.chunk.size()) / width;
    int64_t pairs = 0;
    for (int64_t i = 0; i < l; ++i) {
        const int64_t pool = model::last_retrievable(model, i) + 1;
        std::vector<float> scores;
        for (int64_t c = 0; c < width; ++c) {
            if (candidates.chunk[i * width + c] >= 0)
                scores.push_back(candidates.score[i * width + c]);
        }
        for (const float high : scores) {
            if (high <= 0) continue;
            // chunks of the pool that are no candidates count as worse than any candidate
            pairs += pool - static_cast<int64_t>(scores.size());
            pairs +=
                std::count_if(scores.begin(), scores.end(), [&](float low) { return low < high; });
        }
    }
    return pairs;
}

}  // namespace rpt::train
