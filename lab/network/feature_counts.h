// How much of each learnt feature the tokens of a chunk hold; of the matrix of all tokens and
// features only one byte each is kept, and that only to learn.
#pragma once

#include <ATen/ATen.h>

namespace rpt::model {

// tokens [.., m, d], directions [r, d], thresholds [r] -> fp32 [.., r]: the sum over the tokens of
// a chunk of relu(directions token + thresholds), made some chunks at a time. `present` bool [..,
// m] leaves tokens out; undefined: all count.
at::Tensor feature_counts(const at::Tensor& tokens, const at::Tensor& directions,
                          const at::Tensor& thresholds, const at::Tensor& present);
// Its twin: all at once, autograd for the rest.
at::Tensor feature_counts_slow(const at::Tensor& tokens, const at::Tensor& directions,
                               const at::Tensor& thresholds, const at::Tensor& present);

}  // namespace rpt::model
