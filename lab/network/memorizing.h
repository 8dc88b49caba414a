// A layer of a Memorizing Transformer (arXiv 2203.08913, spec 5.4): its attention also reads the
// nearest of the keys that left its window.
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::model {

// x / |x| along the last axis, in fp32.
at::Tensor unit_vectors(const at::Tensor& x);

// Self-attention of documents `x` [B, T, d] as block_attention(), mixed in every head with
// attention to the memorizing_top_k most similar of the last memorizing_tokens tokens before the
// window: y = (1 - g) y_local + g y_far. Far keys are those of the layer without positions, of unit
// length, and like their values carry no gradient; which ones are read is chosen exactly. The first
// two blocks have an empty memory and keep y_local whole: their outputs are not scaled by 1 - g.
// Without the residual.
at::Tensor memorizing_attention(const ModelConfig& config, const SelfAttentionWeights& attention,
                                const MemorizingWeights& w, const RopeTable& rope,
                                const at::Tensor& x);

}  // namespace rpt::model
