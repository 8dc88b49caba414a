// What the upper half of whole documents reads by cross-attention: prepared once, projected by
// every layer.
#pragma once

#include <ATen/ATen.h>

#include "lab/network/cross_attention.h"
#include "lab/network/neighbours.h"
#include "lab/network/rpt_model.h"

namespace rpt::model {

class UpperMemory {
  public:
    // `indices` as in RptModel::upper(); all but them are borrowed.
    UpperMemory(const ModelConfig& config, const ModelWeights& weights, const RopeTable& rope,
                const LowerOutput& low, const at::Tensor& indices,
                RptModel::Diagnostics* diagnostics);
    // CCA(RMS(h)) of one layer, without the residual.
    at::Tensor read(const CrossAttentionWeights& w, const at::Tensor& h);
    // Call after the last layer.
    void finish_diagnostics() const;

  private:
    void gather();  // neighbours augmented and gated (spec 1.10 to 1.12)
    void weigh();   // neighbours as they are stored, weighed or biased by their scores

    const ModelConfig& config_;
    const ModelWeights& weights_;
    const RopeTable& rope_;
    const LowerOutput& low_;
    at::Tensor indices_;  // [B, l, K]; undefined: the memory is the null key alone
    RptModel::Diagnostics* diagnostics_;
    Neighbours neighbours_;
    at::Tensor multiplier_;  // of the gate, [B l, K]
    MemoryUse use_;
    at::Tensor by_chunk_;   // weights, where read_dense() serves
    at::Tensor null_mass_;  // sum over the layers read so far
};

}  // namespace rpt::model
