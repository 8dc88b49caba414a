// How fast training is, beside how fast this machine multiplies matrices of the same shapes.
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"

namespace rpt::train {

// Floating-point operations of the forward pass a token, mean over samples of `length` tokens,
// counted from the config: matrix products and attention.
double forward_flops_per_token(const model::ModelConfig& config, int64_t length);

// FLOP/s of [rows, dim] x [dim, ffn_dim] products on `device` in `dtype`, measured for about a
// third of a second.
double gemm_flops_per_second(const model::ModelConfig& config, int64_t rows, at::Device device,
                             at::ScalarType dtype);

}  // namespace rpt::train
