// A layer of a Block-Recurrent Transformer (arXiv 2203.07852, spec 5.5, without a feed-forward
// layer on the state): state vectors go along the blocks of a document, tokens and states read each
// other.
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::model {

// Self-attention of documents `x` [B, T, d]. Tokens of a block attend as in block_attention() and,
// beside it, to the state as the blocks before left it; both are projected and added up. The state
// attends to itself and to the tokens of the block and the one before, without positions, and keeps
// the share sigmoid(keep) of each of its numbers. Gradient runs through all blocks. Without the
// residual.
at::Tensor recurrent_attention(const ModelConfig& config, const SelfAttentionWeights& attention,
                               const RecurrentWeights& w, const RopeTable& rope,
                               const at::Tensor& x);

}  // namespace rpt::model
