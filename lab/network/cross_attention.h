// Chunked cross-attention (spec 1.13): tokens (u+1)m-1 .. (u+2)m-2 read the neighbours of chunk u.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/neighbours.h"
#include "lab/network/rope.h"

namespace rpt::model {

// Which neighbours a token reads: those of chunk `u` (-1: none), standing at query position
// `position`.
struct CcaPlace {
    int64_t u;
    int64_t position;
};
CcaPlace cca_place(int64_t token, int64_t m);

// Keys and values of one layer for N chunks: the null key, then K neighbours of 2m tokens. Where
// scores weigh each neighbour's own softmax, every neighbour has a null key before its tokens.
struct MemoryKv {
    at::Tensor k, v;     // [N, 1 + K 2m, H, d_h]; weighed: [N, K (1 + 2m), H, d_h]
    at::Tensor mask;     // additive fp32 [N, 1, 1, tokens of k]; undefined: everything is seen
    at::Tensor weights;  // fp32 [N, K]; undefined: one softmax over all neighbours
};

// What neighbours' scores do in every layer of cross-attention, made once: the mask of MemoryKv,
// with the scores added where they are a bias, and the weights where they weigh.
struct MemoryUse {
    at::Tensor mask, weights;
    // Of rows [begin, begin + count).
    MemoryUse rows(int64_t begin, int64_t count) const;
};
// `scores` fp32 [N, K]; undefined where they do nothing (cca_fuse joint). `null_score` as in
// neighbour_weights().
MemoryUse use_of_memory(const ModelConfig& config, const at::Tensor& present,
                        const at::Tensor& scores = {}, const at::Tensor& null_score = {});

// `multiplier` [N, K] or undefined. Neighbours are normed, then gated: the other way round the norm
// would undo the gate.
MemoryKv project_memory(const ModelConfig& config, const CrossAttentionWeights& w,
                        const RopeTable& rope, const Neighbours& n, const at::Tensor& multiplier,
                        const MemoryUse& use);
// The same for neighbours as they are stored, neither augmented nor gated, with the projection made
// once for each chunk and not for each neighbour: `chunk_kv` of project_chunks() for all B l
// chunks, `indices` as in neighbour_rows(); rows [begin, begin + n) of those that ask, with their
// `present` [n, K, 2m] and `use`.
MemoryKv project_gathered(const ModelConfig& config, const CrossAttentionWeights& w,
                          const RopeTable& rope, const at::Tensor& chunk_kv,
                          const at::Tensor& indices, const at::Tensor& present,
                          const MemoryUse& use, int64_t begin = 0);
// Keys and values of chunks [N, m, d] before any rotation or shift: [N, m, 2, H, d_h].
at::Tensor project_chunks(const ModelConfig& config, const CrossAttentionWeights& w,
                          const at::Tensor& states);
// The null key alone, for N chunks without neighbours; weighed: it weighs nothing.
MemoryKv null_memory(const ModelConfig& config, const CrossAttentionWeights& w, int64_t n_chunks);

// The learnt null key or value [H, d_h], or zeros like `x` where it is not learnt.
at::Tensor null_or_zeros(const ModelConfig& config, const at::Tensor& null, const at::Tensor& x);

// Queries [.., n, H, d_h] of upper states [.., n, d], standing at CCA positions first .. first + n
// - 1.
at::Tensor memory_queries(const ModelConfig& config, const CrossAttentionWeights& w,
                          const RopeTable& rope, const at::Tensor& x, int64_t first);

// What queries [N, n, H, d_h] read, before the output projection: [N, n, H d_h]. With `nothing` the
// share of attention that goes to no neighbour's token, mean over rows, heads and queries.
at::Tensor read_memory(const at::Tensor& q, const MemoryKv& memory, at::Tensor* nothing = nullptr);

// CCA(RMS(x)) of whole documents [B, T, d]; without the residual. `read` answers queries
// [B l, m, H, d_h], those of the tokens that read chunk u's neighbours in row u.
using MemoryReader = std::function<at::Tensor(const at::Tensor& q)>;
at::Tensor chunked_cross_attention(const ModelConfig& config, const CrossAttentionWeights& w,
                                   const RopeTable& rope, const at::Tensor& x,
                                   const MemoryReader& read);
// Memory of B l chunks. With `null_mass` the mean of read_memory(), added to it.
at::Tensor chunked_cross_attention(const ModelConfig& config, const CrossAttentionWeights& w,
                                   const RopeTable& rope, const at::Tensor& x,
                                   const MemoryKv& memory, at::Tensor* null_mass = nullptr);

}  // namespace rpt::model
