// Pointer keys and queries of tokens: what a reader copies by.
#pragma once

#include <ATen/ATen.h>

#include "lab/network/model_weights.h"

namespace rpt::model {

// Unit rows [.., w] of the residual stream `h` [.., d] after pointer_layer layers, fp32:
// unit(W (h - mean)) with the matrix of keys or of queries. A row of zeros stays one.
at::Tensor pointer_keys(const PointerWeights& w, const at::Tensor& h);
at::Tensor pointer_queries(const PointerWeights& w, const at::Tensor& h);

}  // namespace rpt::model
