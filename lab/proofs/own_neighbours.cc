#include "lab/proofs/own_neighbours.h"

#include <algorithm>
#include <span>

#include "lab/train/neighbour_choice.h"

namespace rpt::proofs {

std::vector<std::vector<std::vector<int32_t>>> own_rankings(const model::RptModel& model,
                                                            const model::LowerOutput& low,
                                                            int64_t k) {
    const at::Tensor scores =
        model.retrieval_scores(low).detach().to(at::kCPU, at::kFloat).contiguous();
    const int64_t l = scores.size(1);
    std::vector<std::vector<std::vector<int32_t>>> rankings(static_cast<size_t>(scores.size(0)));
    for (int64_t b = 0; b < scores.size(0); ++b) {
        for (int64_t i = 0; i < l; ++i) {
            const std::span<const float> row(scores.data_ptr<float>() + (b * l + i) * l,
                                             static_cast<size_t>(l));
            rankings[static_cast<size_t>(b)].push_back(
                train::top_k(row, model::last_retrievable(model.config(), i) + 1, k));
        }
    }
    return rankings;
}

at::Tensor neighbour_tensor(const std::vector<std::vector<std::vector<int32_t>>>& rankings,
                            int64_t k) {
    at::Tensor tensor = at::full({std::ssize(rankings), std::ssize(rankings[0]), k}, -1, at::kLong);
    int64_t* out = tensor.data_ptr<int64_t>();
    for (const auto& document : rankings) {
        for (const std::vector<int32_t>& row : document) {
            std::copy_n(row.begin(), std::min<std::ptrdiff_t>(k, std::ssize(row)), out);
            out += k;
        }
    }
    return tensor;
}

at::Tensor scattered_neighbours(const model::ModelConfig& config, int64_t batch, int64_t chunks,
                                int64_t k) {
    at::Tensor n = at::full({batch, chunks, k}, -1, at::kLong);
    int64_t* out = n.data_ptr<int64_t>();
    for (int64_t b = 0; b < batch; ++b) {
        for (int64_t i = 0; i < chunks; ++i) {
            const int64_t last = model::last_retrievable(config, i);
            for (int64_t r = 0; r < k; ++r, ++out) {
                if (r <= last && (b + i + r) % 4 != 3) *out = (3 * i + 5 * r + b) % (last + 1);
            }
        }
    }
    return n;
}

at::Tensor neighbours_in_use(const model::RptModel& model, const model::LowerOutput& low) {
    const model::ModelConfig& c = model.config();
    if (!c.has_cca()) return {};
    if (c.has_retriever())
        return neighbour_tensor(own_rankings(model, low, c.neighbours), c.neighbours);
    return scattered_neighbours(c, low.hidden.size(0), low.hidden.size(1) / c.chunk, c.neighbours);
}

}  // namespace rpt::proofs
