// Cross-attention with weighed neighbours that are many: every chunk's keys are multiplied once and
// no neighbour is gathered. Neighbours j and j + 1 share chunk j + 1, and where each chunk is read
// by half of the others anyway, as while retrievers compare their whole pool, this is several times
// cheaper. Same numbers as read_memory() of gathered neighbours up to rounding.
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"

namespace rpt::model {

// Whether read_dense() can stand for gathered neighbours, and costs less.
bool dense_memory_pays(const ModelConfig& config, const at::Tensor& indices);

// Weights [N, K] of neighbours `indices` [B, l, K] by chunk: [G, R, R] for G groups of R chunks
// that may read one another, G = B, R = l, or all in one where documents read from one another.
at::Tensor weights_by_chunk(const at::Tensor& indices, const at::Tensor& weights);

// What queries [B l, m, H, d_h] read, before the output projection: [B l, m, H d_h]. `states` e
// [B, l, m, d]. With `nothing` the share of attention that goes to no neighbour's token.
at::Tensor read_dense(const ModelConfig& config, const CrossAttentionWeights& w,
                      const at::Tensor& q, const at::Tensor& states, const at::Tensor& weights,
                      at::Tensor* nothing = nullptr);

}  // namespace rpt::model
