#include "lab/eval/retrieval_metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace rpt::eval {
namespace {

double positives(std::span<const double> scores) {
    return static_cast<double>(
        std::count_if(scores.begin(), scores.end(), [](double s) { return s > 0; }));
}

std::span<const double> first(std::span<const double> scores, int64_t k) {
    return scores.first(std::min(scores.size(), static_cast<size_t>(k)));
}

double discounted_gain(std::span<const double> scores) {
    double sum = 0;
    for (size_t rank = 0; rank < scores.size(); ++rank) {
        sum +=
            (std::exp2(std::max(0.0, scores[rank])) - 1) / std::log2(static_cast<double>(rank) + 2);
    }
    return sum;
}

}  // namespace

double precision_at(std::span<const double> ranked, int64_t k) {
    return positives(first(ranked, k)) / static_cast<double>(k);
}

double recall_at(std::span<const double> ranked, std::span<const double> all, int64_t k) {
    return positives(first(ranked, k)) / positives(all);
}

double ndcg_at(std::span<const double> ranked, std::span<const double> all, int64_t k) {
    std::vector<double> ideal(all.begin(), all.end());
    std::sort(ideal.begin(), ideal.end(), std::greater<>());
    return discounted_gain(first(ranked, k)) / discounted_gain(first(ideal, k));
}

}  // namespace rpt::eval
