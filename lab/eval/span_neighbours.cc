#include "lab/eval/span_neighbours.h"

#include <algorithm>
#include <limits>
#include <span>

#include "lab/train/counter_random.h"
#include "lab/train/neighbour_choice.h"

namespace rpt::eval {

Neighbours from_lists(const train::ChunkLists& lists) {
    Neighbours neighbours(lists.chunk.size() / lists.width);
    for (size_t slot = 0; slot < lists.chunk.size(); ++slot) {
        if (lists.chunk[slot] >= 0) neighbours[slot / lists.width].push_back(lists.chunk[slot]);
    }
    return neighbours;
}

Neighbours best_by_scores(const model::ModelConfig& config, const at::Tensor& scores, int64_t k) {
    const int64_t l = scores.size(0);
    Neighbours best(l);
    for (int64_t i = 0; i < l; ++i) {
        const std::span<const float> row(scores.data_ptr<float>() + i * l, static_cast<size_t>(l));
        best[i] = train::top_k(row, model::last_retrievable(config, i) + 1, k);
    }
    return best;
}

Neighbours best_by_target(const train::ChunkLists& targets, int64_t k) {
    Neighbours best(targets.chunk.size() / targets.width);
    for (size_t i = 0; i < best.size(); ++i) {
        std::vector<std::pair<float, int32_t>> scored;
        for (size_t slot = i * targets.width; slot < (i + 1) * targets.width; ++slot) {
            if (targets.chunk[slot] >= 0)
                scored.emplace_back(-targets.score[slot], targets.chunk[slot]);
        }
        std::sort(scored.begin(), scored.end());
        for (size_t c = 0; c < scored.size() && static_cast<int64_t>(c) < k; ++c)
            best[i].push_back(scored[c].second);
    }
    return best;
}

Neighbours random_neighbours(const model::ModelConfig& config, int64_t chunks, int64_t k,
                             uint64_t seed, uint64_t stream) {
    Neighbours neighbours(chunks);
    for (int64_t i = 0; i < chunks; ++i) {
        const int64_t pool = std::max<int64_t>(0, model::last_retrievable(config, i) + 1);
        std::vector<float> keys;  // random scores: their top k is a random set
        for (int64_t j = 0; j < pool; ++j) {
            keys.push_back(static_cast<float>(
                train::draw_uniform(seed, stream + static_cast<uint64_t>(i), j)));
        }
        neighbours[i] = train::top_k(keys, pool, k);
    }
    return neighbours;
}

at::Tensor as_tensor(const Neighbours& neighbours, int64_t k, at::Device device) {
    const int64_t l = static_cast<int64_t>(neighbours.size());
    at::Tensor tensor = at::full({1, l, k}, -1, at::kLong);
    for (int64_t i = 0; i < l; ++i) {
        const auto n = std::min<int64_t>(k, static_cast<int64_t>(neighbours[i].size()));
        for (int64_t c = 0; c < n; ++c) tensor.data_ptr<int64_t>()[i * k + c] = neighbours[i][c];
    }
    return tensor.to(device);
}

}  // namespace rpt::eval
