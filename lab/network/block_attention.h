// Self-attention of whole documents in blocks of S tokens.
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::model {

// The projection of normed states that self-attention reads, [.., n, H + 2 G, d_h]: heads of
// queries, keys and values, with their biases and norms, not rotated.
at::Tensor project_heads(const ModelConfig& config, const SelfAttentionWeights& w,
                         const at::Tensor& normed);

// What block_attention() computes between that projection [B, T, H + 2 G, d_h] and W_o:
// [B, T, H d_h].
at::Tensor attend_blocks(const ModelConfig& config, const SelfAttentionWeights& w,
                         const RopeTable& rope, const at::Tensor& heads);

// Self-attention of B documents in blocks of S: token o of block s sees all of block s - 1 and its
// own block up to itself (spec 1.5, golden A.9); with a sink also token 0, where that lies further
// back. Input [B, T, d], the last block may be short; without the residual.
at::Tensor block_attention(const ModelConfig& config, const SelfAttentionWeights& w,
                           const RopeTable& rope, const at::Tensor& x);
// Its twin: one [T, T] mask over the whole sequence, and for each block a sink of its own.
at::Tensor block_attention_slow(const ModelConfig& config, const SelfAttentionWeights& w,
                                const RopeTable& rope, const at::Tensor& x);

}  // namespace rpt::model
