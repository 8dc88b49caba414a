#include "lab/train/lambda_rank.h"

#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

namespace rpt::train {
namespace {

constexpr double kUnscored = -10000.0;  // T of chunks that are no candidates
constexpr double kLeastIdcg = 0.001;

// Values [B, l, C] to their chunks' places in [B, l, l], `fill` elsewhere. Empty slots go to a
// column that is cut off.
at::Tensor scatter_to_chunks(const at::Tensor& value, const at::Tensor& place, int64_t l,
                             double fill) {
    at::Tensor full = at::full({value.size(0), l, l + 1}, fill, value.options());
    full.scatter_(2, place, value);
    return full.narrow(2, 0, l);
}

// |G_l - G_j| |D_l - D_j| / IDCG over [B, l, C, l], 0 where the pair is not valid. Constants of the
// loss: no gradient.
at::Tensor pair_weights(const at::Tensor& scores, const at::Tensor& pool,
                        const at::Tensor& candidate, const at::Tensor& target, LambdaForm form) {
    const int64_t l = scores.size(1);
    const at::Tensor columns = at::arange(l, pool.options());
    const at::Tensor allowed = columns.unsqueeze(0).lt(pool.unsqueeze(1));  // [l, l]

    const at::Tensor order = at::argsort(
        scores.masked_fill(allowed.logical_not(), -std::numeric_limits<double>::infinity()), true,
        -1, true);
    const at::Tensor rank = at::empty_like(order).scatter_(
        2, order, (columns + 1).expand_as(order));  // 1-based, disallowed ones last
    at::Tensor discount = at::log2(rank.to(scores.scalar_type()) + 1);  // D [B, l, l]

    const at::Tensor real = candidate.ge(0);
    const at::Tensor positive = real.logical_and(target.gt(0));
    const at::Tensor gain =
        at::where(positive, at::exp2(target) - 1, at::zeros_like(target));  // [B, l, C]
    const at::Tensor place = at::where(real, candidate, at::full_like(candidate, l));
    const at::Tensor all_targets = scatter_to_chunks(target, place, l, kUnscored);
    const at::Tensor all_gains = scatter_to_chunks(gain, place, l, 0.0);

    const at::Tensor ideal = std::get<0>(gain.sort(-1, true));
    const at::Tensor slots = at::log2(at::arange(2, gain.size(2) + 2, gain.options()));
    at::Tensor idcg = (ideal / slots).sum(-1);  // [B, l]

    if (form == LambdaForm::kTextbook) {
        discount = discount.reciprocal();
        idcg = idcg.clamp_min(1e-20);  // rows without a positive have no valid pair
    } else {
        idcg = idcg.clamp_min(kLeastIdcg);
    }
    const at::Tensor safe = candidate.clamp_min(0);
    const at::Tensor own_discount = discount.gather(2, safe);
    const at::Tensor gains = (gain.unsqueeze(3) - all_gains.unsqueeze(2)).abs();
    const at::Tensor moves = (own_discount.unsqueeze(3) - discount.unsqueeze(2)).abs();
    const at::Tensor valid = target.unsqueeze(3)
                                 .gt(all_targets.unsqueeze(2))
                                 .logical_and(positive.unsqueeze(3))
                                 .logical_and(allowed.unsqueeze(0).unsqueeze(2));
    return gains * moves / idcg.unsqueeze(2).unsqueeze(3) * valid;
}

}  // namespace

at::Tensor lambda_rank_sum(const at::Tensor& scores, const at::Tensor& pool,
                           const at::Tensor& candidate, const at::Tensor& target, double tau,
                           LambdaForm form) {
    at::Tensor weights;
    {
        const at::NoGradGuard no_grad;
        weights = pair_weights(scores.detach(), pool, candidate, target, form);
    }
    const at::Tensor own = scores.gather(2, candidate.clamp_min(0));  // S_l [B, l, C]
    const at::Tensor hinge = at::relu(scores.unsqueeze(2) - own.unsqueeze(3) + tau);
    return (weights * hinge).sum();
}

}  // namespace rpt::train
