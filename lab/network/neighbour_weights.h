// What retrieval scores make of neighbours in cross-attention, with gradient: the one way by which
// the language model's loss reaches the retriever (grouped cross-attention, arXiv 2410.01651).
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"

namespace rpt::model {

// Scores s [B l, K] fp32 of chosen neighbours; `queries`, `keys` [B, l, d], `indices` as in
// neighbour_rows(). Finite and without meaning where there is none.
at::Tensor chosen_scores(const ModelConfig& config, const at::Tensor& queries,
                         const at::Tensor& keys, const at::Tensor& indices);

// w_k = exp(s_k) / (sum exp(s) + exp(null_score)) over the neighbours that are `valid` (bool, as
// `scores` [N, K]), 0 for the others; `null_score` [1], undefined: no such term, and all 0 where
// none is valid.
at::Tensor neighbour_weights(const at::Tensor& scores, const at::Tensor& valid,
                             const at::Tensor& null_score);

}  // namespace rpt::model
