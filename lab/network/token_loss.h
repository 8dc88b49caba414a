// Negative log-likelihood of tokens without the whole matrix of logits.
#pragma once

#include <ATen/ATen.h>

namespace rpt::model {

// hidden [N, d], output [V, d], targets int64 [N] -> nll fp32 [N]; logits = scale * hidden
// output^T, made `rows` at a time. A negative target gives 0.
at::Tensor token_loss(const at::Tensor& hidden, const at::Tensor& output, const at::Tensor& targets,
                      double scale, int64_t rows);
// Its twin: all logits at once, autograd for the rest.
at::Tensor token_loss_slow(const at::Tensor& hidden, const at::Tensor& output,
                           const at::Tensor& targets, double scale);

}  // namespace rpt::model
