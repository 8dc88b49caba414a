// The recurrent block of Griffin (arXiv 2402.19427) as an addition to a layer (spec 5.6).
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"

namespace rpt::model {

// W_o (RG-LRU(conv(u)) * gelu(y)) for documents `x` [B, T, d], u and y projections of the normed x;
// without the residual.
at::Tensor griffin_block(const ModelConfig& config, const GriffinWeights& w, const at::Tensor& x);

}  // namespace rpt::model
