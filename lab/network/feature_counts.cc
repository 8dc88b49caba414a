#include "lab/network/feature_counts.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "lab/network/product_type.h"

namespace rpt::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Features of a slice: what a core's cache holds, or what keeps a GPU busy.
constexpr int64_t kFeaturesAtOnceCpu = 1 << 19;
constexpr int64_t kFeaturesAtOnceGpu = 1 << 26;

// 1 for tokens that count, 0 for others: fp32 [n, m].
at::Tensor token_weights(const at::Tensor& tokens, const at::Tensor& present) {
    if (present.defined()) return present.to(at::kFloat);
    return at::ones(tokens.sizes().slice(0, 2), tokens.options().dtype(at::kFloat));
}

struct Counting {
    at::Tensor tokens;                  // [n, m, d]
    at::Tensor directions, thresholds;  // [r, d], [r]; all three in the type of the products
    at::Tensor weights;                 // fp32 [n, m]

    int64_t m() const { return tokens.size(1); }
    int64_t r() const { return directions.size(0); }

    // f(begin, n, token slice [n m, d])
    template <typename F>
    void each(F f) const {
        const int64_t n = tokens.size(0);
        const int64_t at_once = tokens.is_cuda() ? kFeaturesAtOnceGpu : kFeaturesAtOnceCpu;
        const int64_t step = std::max<int64_t>(1, at_once / (m() * r()));
        for (int64_t begin = 0; begin < n; begin += step) {
            const int64_t count = std::min(step, n - begin);
            f(begin, count, tokens.narrow(0, begin, count).flatten(0, 1));
        }
    }

    // `held`, bool [n, m, r], is told which features each token holds; it may be undefined.
    at::Tensor counts(const at::Tensor& held = {}) const {
        at::Tensor out = at::empty({tokens.size(0), r()}, weights.options());
        each([&](int64_t begin, int64_t n, const at::Tensor& rows) {
            at::Tensor features =
                at::addmm(thresholds, rows, directions.t()).relu_().view({n, m(), r()});
            if (held.defined()) {
                at::Tensor slice = held.narrow(0, begin, n);
                at::gt_out(slice, features, 0);
            }
            const at::Tensor weight = weights.narrow(0, begin, n).unsqueeze(1);
            at::Tensor sums = out.narrow(0, begin, n).unsqueeze(1);
            if (features.scalar_type() == at::kFloat) {
                at::bmm_out(sums, weight, features);
            } else {
                sums.copy_(at::bmm(weight.to(features.scalar_type()), features));
            }
        });
        return out;
    }
};

// Which features a token holds is kept for the backward pass, a byte each; how much of them is not
// needed there.
class FeatureCounts : public torch::autograd::Function<FeatureCounts> {
  public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& tokens,
                              const at::Tensor& directions, const at::Tensor& thresholds,
                              const at::Tensor& weights, at::ScalarType type) {
        const Counting counting{tokens.detach().to(type), directions.detach().to(type),
                                thresholds.detach().to(type), weights};
        const at::Tensor held = at::empty({tokens.size(0), counting.m(), counting.r()},
                                          tokens.options().dtype(at::kBool));
        at::Tensor counts = counting.counts(held);
        context->save_for_backward({tokens, directions, weights, held});
        context->saved_data["type"] = static_cast<int64_t>(type);
        return counts;
    }

    static variable_list backward(AutogradContext* context, variable_list upstream) {
        const c10::NoGradGuard no_grad;
        const variable_list saved = context->get_saved_variables();
        const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
        const Counting counting{
            saved[0].detach().to(type), saved[1].detach().to(type), {}, saved[2]};
        const at::Tensor& held = saved[3];
        const at::Tensor slope = upstream[0].to(type).unsqueeze(1);
        const at::Tensor weights = counting.weights.to(type).unsqueeze(2);
        at::Tensor d_tokens;
        if (context->needs_input_grad(0))
            d_tokens = at::empty_like(saved[0], at::MemoryFormat::Contiguous);
        at::Tensor d_directions = at::zeros_like(saved[1]);
        at::Tensor d_thresholds = at::zeros({counting.r()}, saved[1].options());
        counting.each([&](int64_t begin, int64_t n, const at::Tensor& rows) {
            const at::Tensor g = (slope.narrow(0, begin, n) * weights.narrow(0, begin, n))
                                     .mul_(held.narrow(0, begin, n))
                                     .flatten(0, 1);
            if (d_tokens.defined())
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
    return (present.defined() ? held * present.unsqueeze(-1) : held).sum(-2);
}

}  // namespace rpt::model
