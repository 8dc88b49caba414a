#include "core/model/feature_counts.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "core/model/product_type.h"

namespace rpt::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Features of a slice: what a core's cache holds, or what keeps a GPU busy.
constexpr int64_t kFeaturesAtOnceCpu = 1 << 19;
constexpr int64_t kFeaturesAtOnceGpu = 1 << 26;

// What each token weighs in its chunk's mean, fp32 [n, m].
at::Tensor token_weights(const at::Tensor& tokens, const at::Tensor& present) {
    const at::IntArrayRef rows = tokens.sizes().slice(0, 2);
    if (!present.defined())
        return at::full(rows, 1.0 / double(tokens.size(1)), tokens.options().dtype(at::kFloat));
    const at::Tensor counted = present.to(at::kFloat);
    return counted / counted.sum(1, true).clamp_min(1.0);
}

struct Counting {
    at::Tensor tokens;                  // [n, m, d]
    at::Tensor directions, thresholds;  // [r, d], [r]; all three in the type of the products
    at::Tensor weights;                 // fp32 [n, m]

    // f(begin, n, token slice [n m, d], projections [n m, r])
    template <typename F>
    void each(F f) const {
        const int64_t n = tokens.size(0), m = tokens.size(1), r = directions.size(0);
        const int64_t at_once = tokens.is_cuda() ? kFeaturesAtOnceGpu : kFeaturesAtOnceCpu;
        const int64_t step = std::max<int64_t>(1, at_once / (m * r));
        const at::Tensor columns = directions.t();
        for (int64_t begin = 0; begin < n; begin += step) {
            const int64_t count = std::min(step, n - begin);
            const at::Tensor rows = tokens.narrow(0, begin, count).flatten(0, 1);
            f(begin, count, rows, at::addmm(thresholds, rows, columns));
        }
    }

    at::Tensor counts() const {
        at::Tensor out = at::empty({tokens.size(0), directions.size(0)}, weights.options());
        each([&](int64_t begin, int64_t n, const at::Tensor&, at::Tensor features) {
            const at::Tensor held = features.relu_().view({n, tokens.size(1), -1});
            const at::Tensor weight = weights.narrow(0, begin, n).unsqueeze(1);
            at::Tensor rows = out.narrow(0, begin, n).unsqueeze(1);
            if (held.scalar_type() == at::kFloat) {
                at::bmm_out(rows, weight, held);
            } else {
                rows.copy_(at::bmm(weight.to(held.scalar_type()), held));
            }
        });
        return out;
    }
};

class FeatureCounts : public torch::autograd::Function<FeatureCounts> {
  public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& tokens,
                              const at::Tensor& directions, const at::Tensor& thresholds,
                              const at::Tensor& weights, at::ScalarType type) {
        context->save_for_backward({tokens, directions, thresholds, weights});
        context->saved_data["type"] = static_cast<int64_t>(type);
        return Counting{tokens.detach().to(type), directions.detach().to(type),
                        thresholds.detach().to(type), weights}
            .counts();
    }

    static variable_list backward(AutogradContext* context, variable_list upstream) {
        const c10::NoGradGuard no_grad;
        const variable_list saved = context->get_saved_variables();
        const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
        const Counting counting{saved[0].detach().to(type), saved[1].detach().to(type),
                                saved[2].detach().to(type), saved[3]};
        const at::Tensor slope = upstream[0].to(at::kFloat).unsqueeze(1);
        at::Tensor d_tokens = at::empty_like(saved[0], at::MemoryFormat::Contiguous);
        at::Tensor d_directions = at::zeros_like(saved[1]), d_thresholds = at::zeros_like(saved[2]);
        counting.each(
            [&](int64_t begin, int64_t n, const at::Tensor& rows, const at::Tensor& features) {
                const at::Tensor each =
                    (slope.narrow(0, begin, n) * counting.weights.narrow(0, begin, n).unsqueeze(2))
                        .to(type)
                        .flatten(0, 1);
                const at::Tensor g = at::threshold_backward(each, features, 0);
                d_tokens.narrow(0, begin, n).flatten(0, 1).copy_(at::mm(g, counting.directions));
                if (type == d_directions.scalar_type()) {
                    d_directions.addmm_(g.t(), rows);
                } else {
                    d_directions.add_(at::mm(g.t(), rows));
                }
                d_thresholds.add_(g.sum(0, false, d_thresholds.scalar_type()));
            });
        return {d_tokens, d_directions, d_thresholds, {}, {}};
    }
};

}  // namespace

at::Tensor feature_counts(const at::Tensor& tokens, const at::Tensor& directions,
                          const at::Tensor& thresholds, const at::Tensor& present) {
    const at::Tensor chunks = tokens.flatten(0, -3);
    const at::Tensor weights =
        token_weights(chunks, present.defined() ? present.flatten(0, -2) : present);
    const at::ScalarType type = product_type(tokens);
    const bool learns =
        c10::GradMode::is_enabled() && (tokens.requires_grad() || directions.requires_grad());
    const at::Tensor counts =
        learns
            ? FeatureCounts::apply(chunks, directions, thresholds, weights, type)
            : Counting{chunks.to(type), directions.to(type), thresholds.to(type), weights}.counts();
    std::vector<int64_t> shape(tokens.sizes().begin(), tokens.sizes().end() - 2);
    shape.push_back(directions.size(0));
    return counts.view(shape);
}

at::Tensor feature_counts_slow(const at::Tensor& tokens, const at::Tensor& directions,
                               const at::Tensor& thresholds, const at::Tensor& present) {
    const at::Tensor held = at::relu(at::linear(tokens, directions, thresholds)).to(at::kFloat);
    if (!present.defined()) return held.mean(-2);
    const at::Tensor weight = present.unsqueeze(-1).to(at::kFloat);
    return (held * weight).sum(-2) / weight.sum(-2).clamp_min(1.0);
}

}  // namespace rpt::model
