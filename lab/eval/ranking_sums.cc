#include "lab/eval/ranking_sums.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "lab/eval/retrieval_metrics.h"

namespace rpt::eval {
namespace {

std::map<int32_t, double> scores_of(const train::ChunkLists& gold, int64_t i) {
    std::map<int32_t, double> scores;
    for (int64_t slot = i * gold.width; slot < (i + 1) * gold.width; ++slot) {
        if (gold.chunk[slot] >= 0) scores[gold.chunk[slot]] = gold.score[slot];
    }
    return scores;
}

}  // namespace

void RankingSums::add(const RankingSums& other) {
    precision_2 += other.precision_2;
    chunks += other.chunks;
    recall_10 += other.recall_10;
    ndcg_20 += other.ndcg_20;
    with_gold += other.with_gold;
    overlap_query += other.overlap_query;
    overlap_target += other.overlap_target;
    with_neighbour += other.with_neighbour;
}

void judge_ranking(std::span<const int32_t> ranked, const train::ChunkLists& gold, int64_t i,
                   RankingSums& sums) {
    const auto score_of = scores_of(gold, i);
    std::vector<double> all, found;
    for (const auto& [chunk, score] : score_of) all.push_back(score);
    for (const int32_t chunk : ranked) {
        const auto it = score_of.find(chunk);
        found.push_back(it == score_of.end() ? 0.0 : it->second);
    }
    sums.precision_2 += precision_at(found, 2);
    ++sums.chunks;
    if (std::none_of(all.begin(), all.end(), [](double s) { return s > 0; })) return;
    sums.recall_10 += recall_at(found, all, 10);
    sums.ndcg_20 += ndcg_at(found, all, 20);
    ++sums.with_gold;
}

int64_t shared_tokens(std::span<const int32_t> a, std::span<const int32_t> b) {
    const std::set<int32_t> left(a.begin(), a.end()), right(b.begin(), b.end());
    return std::count_if(left.begin(), left.end(),
                         [&](int32_t token) { return right.contains(token); });
}

void add_overlap(std::span<const int32_t> ranked, std::span<const int32_t> tokens, int64_t chunk,
                 int64_t i, RankingSums& sums) {
    if (ranked.empty()) return;
    const auto at = [&](int64_t number) { return tokens.subspan(number * chunk, chunk); };
    const auto first = at(ranked[0]);
    sums.overlap_query += static_cast<double>(shared_tokens(first, at(i)));
    sums.overlap_target += static_cast<double>(shared_tokens(first, at(i + 1)));
    ++sums.with_neighbour;
}

bool finds_gold(std::span<const int32_t> ranked, const train::ChunkLists& gold, int64_t i,
                int64_t k) {
    const auto score_of = scores_of(gold, i);
    for (const int32_t chunk : ranked.first(std::min(ranked.size(), static_cast<size_t>(k)))) {
        const auto it = score_of.find(chunk);
        if (it != score_of.end() && it->second > 0) return true;
    }
    return false;
}

void BestScoreSums::add_chunk(std::span<const int32_t> ranked, const train::ChunkLists& gold,
                              int64_t i) {
    const auto score_of = scores_of(gold, i);
    std::vector<double> so_far;  // best of the first 1, 2, .. that have a score
    std::optional<double> top;
    for (size_t rank = 0; rank < ranked.size() && rank < best.size(); ++rank) {
        const auto it = score_of.find(ranked[rank]);
        if (it != score_of.end()) top = std::max(top.value_or(it->second), it->second);
        if (top) so_far.push_back(*top);
    }
    if (so_far.empty()) return;
    for (size_t k = 0; k < best.size(); ++k) best[k] += so_far[std::min(k, so_far.size() - 1)];
    ++chunks;
}

void BestScoreSums::add(const BestScoreSums& other) {
    for (size_t k = 0; k < best.size(); ++k) best[k] += other.best[k];
    chunks += other.chunks;
}

}  // namespace rpt::eval
