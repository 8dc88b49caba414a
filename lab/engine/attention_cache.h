// Keys and values of one layer for one sequence that is read in blocks.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"
#include "lab/network/upper_reading.h"

namespace rpt::engine {

// Row 0: the sink, where the model has one. Rows 1 .. S: the block before; rows S + 1 .. 2S: the
// current one. Keys are rotated for the row they stand in, counted from the window's first: so
// positions never grow with the document, and the sink's is -1.
struct AttentionCache {
    at::Tensor k, v;  // fp32 [1 + 2 S, G, d_h]

    static AttentionCache make(const model::ModelConfig& config, at::Device device);
    AttentionCache clone() const { return {k.clone(), v.clone()}; }
    // The current block becomes the one before.
    void shift(const model::ModelConfig& config, const model::RopeTable& rope);
    // The first row of the current block, the document's first token, becomes the sink too.
    void keep_sink(const model::ModelConfig& config, const model::RopeTable& rope);
};

// Where in its document and block a run of tokens stands.
struct BlockPlace {
    int64_t block;
    int64_t offset;  // of the first token, 0 .. S - 1

    bool is_start() const { return block == 0 && offset == 0; }
    // The first row of the cache that the run sees.
    int64_t first_row(const model::ModelConfig& config) const {
        if (block == 0) return 1 + config.stride;
        return block > 1 && config.sink ? 0 : 1;
    }
    // The row of the cache that the first token takes.
    int64_t row(const model::ModelConfig& config) const { return 1 + config.stride + offset; }
};

// `length` tokens that read the same neighbours; `far` null: none.
struct Readers {
    int64_t length;
    const model::FarRows* far;
};

// Attn(RMS(x)) of x [n, d] at `place`; puts the keys and values of x into the cache. Without the
// residual. `readers` divide x in order; empty: no token reads neighbours here.
at::Tensor cached_attention(const model::ModelConfig& config, const model::SelfAttentionWeights& w,
                            const model::RopeTable& rope, const at::Tensor& x,
                            AttentionCache& cache, BlockPlace place,
                            std::span<const Readers> readers = {});

}  // namespace rpt::engine
