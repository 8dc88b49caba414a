// Keys and values of one layer for one sequence that is read in blocks.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::engine {

// Rows 0 .. S - 1: the block before; rows S .. 2S - 1: the current one. Keys are rotated for the
// row they stand in, so positions never grow with the document.
struct AttentionCache {
    at::Tensor k, v;  // fp32 [2 S, G, d_h]

    static AttentionCache make(const model::ModelConfig& config, at::Device device);
    AttentionCache clone() const { return {k.clone(), v.clone()}; }
    // The current block becomes the one before.
    void shift(const model::ModelConfig& config, const model::RopeTable& rope);
};

// Where in its block a run of tokens stands.
struct BlockPlace {
    int64_t offset;  // of the first token, 0 .. S - 1
    bool has_past;   // there is a block before
};

// Attn(RMS(x)) of x [n, d] at `place`; puts the keys and values of x into the cache. Without the
// residual.
at::Tensor cached_attention(const model::ModelConfig& config, const model::SelfAttentionWeights& w,
                            const model::RopeTable& rope, const at::Tensor& x,
                            AttentionCache& cache, BlockPlace place);

}  // namespace rpt::engine
