// The retriever's loss: LambdaRank over the pairs of a chunk's pool (spec 2.4, golden A.2).
#pragma once

#include <ATen/ATen.h>

#include "lab/train/train_config.h"

namespace rpt::train {

// Sum over all valid pairs; the caller divides by their number (count_valid_pairs). Gradient flows
// into `scores` alone. `scores` fp32 [B, l, l]; `pool` int64 [l]: chunk i may retrieve chunks [0,
// pool[i]); `candidate` int64 [B, l, C], -1 empty, all inside the pool; `target` fp32 [B, l, C].
// Exact although l runs over the candidates alone: only they can be positive.
at::Tensor lambda_rank_sum(const at::Tensor& scores, const at::Tensor& pool,
                           const at::Tensor& candidate, const at::Tensor& target, double tau,
                           LambdaForm form);

}  // namespace rpt::train
