// The recurrence h_t = a_t h_{t-1} + x_t along the middle axis of [B, T, r], and the gated unit on
// top of it.
#pragma once

#include <ATen/ATen.h>

namespace rpt::model {

// h [B, T, r] of a and x, both contiguous fp32, h_{-1} = 0. No gradient. Backwards in time with
// `reverse`: h_t = a_{t+1} h_{t+1} + x_t, which is what gradients follow.
// On the CPU a loop over time, elsewhere scan_by_doubling().
at::Tensor scan(const at::Tensor& a, const at::Tensor& x, bool reverse);
// The same in log2(T) sweeps of whole tensors, for devices on which T small steps are slow.
at::Tensor scan_by_doubling(const at::Tensor& a, const at::Tensor& x, bool reverse);

// Real-gated linear recurrent unit (Griffin, arXiv 2402.19427; spec 5.6, golden A.6):
// h_t = a_t h_{t-1} + sqrt(1 - a_t^2) input_t with a = exp(log_a), and h_0 = input_0. log_a and
// input fp32 [B, T, r]. The slope of the square root is at most 1000.
at::Tensor gated_scan(const at::Tensor& log_a, const at::Tensor& input);

}  // namespace rpt::model
