// The short way for one token on the CPU: matrix-vector products straight over the weights, no
// tensor operations in between. Gives what the block path gives, within rounding.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/config.h"
#include "lab/engine/attention_cache.h"
#include "lab/network/cross_attention.h"
#include "lab/network/model_weights.h"

namespace rpt::engine {

// What tokens read of one chunk's neighbours.
struct ReadMemory {
    std::vector<model::MemoryKv> cca;  // of each CCA layer
    std::vector<model::FarRows> far;   // of each upper layer; empty: no neighbours
};

// Room for one token's intermediate vectors; one a stream.
struct StepScratch {
    std::vector<float> x, normed, wide, mixed, scores;
};

// Immutable; borrows the weights, which must be fp32 on the CPU and outlive it. Any number of
// threads.
class TokenStep {
  public:
    TokenStep(const model::ModelConfig& config, const model::ModelWeights& weights);

    // h_low [d] of one token at `place`; writes its keys and values into the lower layers' caches.
    // Here and below the residual stream after pointer_layer layers goes to `pointed` [d], if those
    // layers end in this half.
    void lower(int32_t token, std::vector<AttentionCache>& caches, BlockPlace place,
               StepScratch& scratch, float* h_low, float* pointed) const;
    // `memory`: what the token reads of neighbours, null for nothing; `position` as in cca_place().
    // Empty `logits`: none are wanted.
    void upper(const float* h_low, std::vector<AttentionCache>& caches, BlockPlace place,
               const ReadMemory* memory, int64_t position, StepScratch& scratch,
               std::span<float> logits, float* pointed) const;

  private:
    void prepare(StepScratch& s) const;
    // Biases, norms and rotation of the heads in s.wide for a token in row `row` of the window.
    void finish_heads(const model::SelfAttentionWeights& w, int64_t row, StepScratch& s) const;
    void self_attention(const model::SelfAttentionWeights& w, AttentionCache& cache,
                        BlockPlace place, const model::FarRows* far, StepScratch& s) const;
    void cross_attention(const model::CrossAttentionWeights& w, const model::MemoryKv& memory,
                         int64_t position, StepScratch& s) const;
    void feed_forward(const model::FeedForwardWeights& w, StepScratch& s) const;

    model::ModelConfig config_;
    const model::ModelWeights& weights_;
    at::Tensor factors_;    // complex64 [2 S, d_h / 2]
    at::Tensor sink_turn_;  // complex64 [1, d_h / 2]: from the current block's first row to -1
};

}  // namespace rpt::engine
