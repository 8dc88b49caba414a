#include "lab/network/pointers.h"

namespace rpt::model {
namespace {

at::Tensor unit_rows(const PointerWeights& w, const at::Tensor& matrix, const at::Tensor& h) {
    const at::Tensor rows = at::linear(h.to(at::kFloat) - w.mean, matrix);
    return rows / rows.norm(2, {-1}, true).clamp_min(1e-20);
}

}  // namespace

at::Tensor pointer_keys(const PointerWeights& w, const at::Tensor& h) {
    return unit_rows(w, w.key, h);
}

at::Tensor pointer_queries(const PointerWeights& w, const at::Tensor& h) {
    return unit_rows(w, w.query, h);
}

}  // namespace rpt::model
