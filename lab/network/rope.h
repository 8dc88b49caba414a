// Rotary positions (spec 1.4): pairs of each head's numbers turned by position * theta^(-2k / d_h),
// or by what rope_scaling makes of that angle.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <mutex>

#include "core/model/config.h"

namespace rpt::model {

// Rotary factors of positions first .. first + n - 1, complex64 [n, d_h / 2]. Angles are
// reduced in double, so that large positions lose nothing.
at::Tensor rotary_factors(const ModelConfig& config, int64_t first, int64_t n);

// `x` [.., n, heads, d_h] turned by `factors` [n, d_h / 2] (or any shape that broadcasts to [.., n,
// 1, d_h / 2] once a heads axis is put in). Computed in fp32, returned in the type of `x`.
at::Tensor rotate(const at::Tensor& x, const at::Tensor& factors, RopePairing pairing);

// Factors from position 0, computed once and kept; grows on demand. Any number of threads.
class RopeTable {
  public:
    RopeTable(const ModelConfig& config, at::Device device) : config_(config), device_(device) {}
    // [n, d_h / 2] from `first` on.
    at::Tensor factors(int64_t first, int64_t n) const;
    at::Tensor rotate(const at::Tensor& x, int64_t first) const;

  private:
    ModelConfig config_;
    at::Device device_;
    mutable std::mutex mutex_;  // guards table_
    mutable at::Tensor table_;
};

}  // namespace rpt::model
