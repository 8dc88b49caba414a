// The layers that training and the engine share. Tensors are [rows, n, d] unless a comment says
// otherwise; heads stand before the head dimension, [.., n, heads, d_h], until they enter attend().
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::model {

// x * rsqrt(mean(x^2) + eps) * gain; an undefined gain leaves x as it is.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps);

// Rows of the embedding for int64 ids of any shape: [.., d].
at::Tensor embed(const ModelConfig& config, const ModelWeights& w, const at::Tensor& tokens);

// FFN(RMS(x)) without the residual (spec 1.6).
at::Tensor feed_forward(const ModelConfig& config, const FeedForwardWeights& w,
                        const at::Tensor& x);

// softmax(q k^T / sqrt(d_h) + mask) v for q [N, n, H, d_h], k and v [N, L, G, d_h] with G dividing
// H. `mask` is additive fp32 and broadcasts to [N, H, n, L]; undefined: everything is seen. Returns
// [N, n, H d_h].
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const at::Tensor& mask = {});
// The plain twin of attend(): whole score matrix, fp32 softmax; with `weights` it hands back the
// [N, H, n, L] weights.
at::Tensor attend_slow(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const at::Tensor& mask = {}, at::Tensor* weights = nullptr);

// 0 where `visible` (bool), -inf elsewhere.
at::Tensor additive_mask(const at::Tensor& visible);

// q, k, v of a sequence, not rotated yet: [.., n, H, d_h], [.., n, G, d_h], [.., n, G, d_h].
struct Projected {
    at::Tensor q, k, v;
};
Projected split_heads(const ModelConfig& config, const at::Tensor& qkv);
// The same of what is one tensor of heads already, [.., n, H + 2 G, d_h].
Projected part_heads(const ModelConfig& config, const at::Tensor& heads);

// Grouped-query attention: query head h reads key head h / (H / G). [.., G, d_h] -> [.., H, d_h].
at::Tensor repeat_heads(const at::Tensor& x, int64_t heads);

// Puts the null key in front of [N, n, heads, d_h]; `null` [heads, d_h].
at::Tensor with_null(const at::Tensor& null, const at::Tensor& x);

// Attention inside each row in both directions, with the null key, positions 0 .. n - 1
// (spec 1.8, 1.11). `qkv` is the projection of the normed input [N, n, (H + 2 G) d_h]; `present`
// bool [N, n] or undefined. No residual.
at::Tensor bidirectional_attention(const ModelConfig& config, const SelfAttentionWeights& w,
                                   const RopeTable& rope, const at::Tensor& qkv,
                                   const at::Tensor& present);

// e = h + BiAttn(RMS h) for chunks [N, m, d] (spec 1.8).
at::Tensor encode_chunks(const ModelConfig& config, const ModelWeights& w, const RopeTable& rope,
                         const at::Tensor& h, const at::Tensor& present = {});

}  // namespace rpt::model
