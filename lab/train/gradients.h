// Derivatives of a loss, returned instead of stored beside the parameters.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace rpt::train {

// Parallel to `parameters`; undefined where the loss does not depend on one. Frees the graph. May
// run on several threads at once for losses of graphs of their own.
std::vector<at::Tensor> gradients_of(const at::Tensor& loss,
                                     const std::vector<at::Tensor>& parameters);

}  // namespace rpt::train
