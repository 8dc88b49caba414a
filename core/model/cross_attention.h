// Chunked cross-attention (spec 1.13): tokens (u+1)m-1 .. (u+2)m-2 read the neighbours of chunk u.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "core/model/config.h"
#include "core/model/model_weights.h"
#include "core/model/neighbours.h"
#include "core/model/rope.h"

namespace rpt::model {

// Which neighbours a token reads: those of chunk `u` (-1: none), standing at query position
// `position`.
struct CcaPlace {
    int64_t u;
    int64_t position;
};
CcaPlace cca_place(int64_t token, int64_t m);

// Keys and values of one layer for N chunks: the null key, then K neighbours of 2m tokens.
struct MemoryKv {
    at::Tensor k, v;  // [N, 1 + K 2m, H, d_h]
    at::Tensor mask;  // additive fp32 [N, 1, 1, 1 + K 2m]; undefined: everything is seen
};

// 1 for the null key, then the tokens that are present: the additive mask of MemoryKv.
at::Tensor memory_mask(const Neighbours& n);

// `multiplier` [N, K] or undefined. Neighbours are normed, then gated: the other way round the norm
// would undo the gate. `mask` from memory_mask(), made once for all layers.
MemoryKv project_memory(const ModelConfig& config, const CrossAttentionWeights& w,
                        const RopeTable& rope, const Neighbours& n, const at::Tensor& multiplier,
                        const at::Tensor& mask);
// The null key alone, for N chunks without neighbours.
MemoryKv null_memory(const CrossAttentionWeights& w, int64_t n_chunks);

// Queries [.., n, H, d_h] of upper states [.., n, d], standing at CCA positions first .. first + n
// - 1.
at::Tensor memory_queries(const ModelConfig& config, const CrossAttentionWeights& w,
                          const RopeTable& rope, const at::Tensor& x, int64_t first);

// CCA(RMS(x)) of whole documents [B, T, d], memory of B l chunks; without the residual. With
// `null_mass` the mean weight on the null key over tokens that read a memory, added to it.
at::Tensor chunked_cross_attention(const ModelConfig& config, const CrossAttentionWeights& w,
                                   const RopeTable& rope, const at::Tensor& x,
                                   const MemoryKv& memory, at::Tensor* null_mass = nullptr);

}  // namespace rpt::model
