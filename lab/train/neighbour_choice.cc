#include "lab/train/neighbour_choice.h"

#include <algorithm>
#include <numeric>

namespace rpt::train {

std::vector<int32_t> top_k(std::span<const float> scores, int64_t pool, int64_t k) {
    const int64_t n = std::clamp<int64_t>(pool, 0, static_cast<int64_t>(scores.size()));
    std::vector<int32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    const auto better = [&](int32_t a, int32_t b) {
        return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
    };
    const int64_t kept = std::min(k, n);
    std::partial_sort(order.begin(), order.begin() + kept, order.end(), better);
    order.resize(kept);
    return order;
}

std::vector<int32_t> teacher_top_k(std::span<const int32_t> chunk, std::span<const float> score,
                                   int64_t k) {
    std::vector<std::pair<float, int32_t>> positive;
    for (size_t c = 0; c < chunk.size(); ++c) {
        if (chunk[c] >= 0 && score[c] > 0) positive.emplace_back(score[c], chunk[c]);
    }
    std::sort(positive.begin(), positive.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::vector<int32_t> best;
    for (int64_t i = 0; i < k && i < static_cast<int64_t>(positive.size()); ++i)
        best.push_back(positive[i].second);
    return best;
}

std::vector<int64_t> choose_neighbours(const model::ModelConfig& model, const Sample& sample,
                                       std::span<const float> scores, double p_own) {
    const int64_t l = static_cast<int64_t>(sample.inputs.size()) / model.chunk;
    const int64_t k = model.neighbours;
    std::vector<int64_t> chosen(l * k, -1);
    if (sample.withheld) return chosen;
    if (model.retrieval == model::RetrievalKind::kGiven) {
        std::copy(sample.given.chunk.begin(), sample.given.chunk.end(), chosen.begin());
        return chosen;
    }
    const int64_t width = sample.candidates.width;
    for (int64_t i = 0; i < l; ++i) {
        std::vector<int32_t> best;
        if (!(sample.own_draws[i] < p_own)) {
            best = teacher_top_k(std::span(sample.candidates.chunk).subspan(i * width, width),
                                 std::span(sample.candidates.score).subspan(i * width, width), k);
        }
        const auto own = top_k(scores.subspan(i * l, l), model::last_retrievable(model, i) + 1, k);
        for (size_t c = 0; c < own.size() && static_cast<int64_t>(best.size()) < k; ++c) {
            if (std::find(best.begin(), best.end(), own[c]) == best.end()) best.push_back(own[c]);
        }
        std::copy(best.begin(), best.end(), chosen.begin() + i * k);
    }
    return chosen;
}

}  // namespace rpt::train
