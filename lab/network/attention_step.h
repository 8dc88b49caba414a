// What a layer of either half does before it reads neighbours and feeds forward.
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::model {

// `h` [B, T, d] after self-attention of the kind that the layer has (in blocks, memorizing,
// block-recurrent) and, where the layer has one, the gated linear recurrence; residuals included.
at::Tensor attention_step(const ModelConfig& config, const LayerWeights& layer,
                          const RopeTable& rope, const at::Tensor& h);

}  // namespace rpt::model
