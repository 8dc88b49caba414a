// Rotary positions (spec 1.4): pairs of each head's numbers turned by position * theta^(-2k / d_h).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <mutex>

#include "core/model/config.h"

namespace rpt::model {

// Turns as complex numbers, complex64 [n, d_h / 2], of positions first .. first + n - 1. Angles are
// reduced in double, so that large positions lose nothing.
at::Tensor rope_turns(const ModelConfig& config, int64_t first, int64_t n);

// `x` [.., n, heads, d_h] turned by `turns` [n, d_h / 2] (or any shape that broadcasts to [.., n,
// 1, d_h / 2] once a heads axis is put in). Computed in fp32, returned in the type of `x`.
at::Tensor rotate(const at::Tensor& x, const at::Tensor& turns, RopePairing pairing);

// Turns from position 0, computed once and kept; grows on demand. Any number of threads.
class RopeTable {
  public:
    RopeTable(const ModelConfig& config, at::Device device) : config_(config), device_(device) {}
    // [n, d_h / 2] from `first` on.
    at::Tensor turns(int64_t first, int64_t n) const;
    at::Tensor rotate(const at::Tensor& x, int64_t first) const;

  private:
    ModelConfig config_;
    at::Device device_;
    mutable std::mutex mutex_;  // guards table_
    mutable at::Tensor table_;
};

}  // namespace rpt::model
