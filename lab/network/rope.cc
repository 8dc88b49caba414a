#include "lab/network/rope.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <numbers>

namespace rpt::model {
namespace {

// Turns of each pair a token, [d_h / 2], in double (docs/format/model.md).
at::Tensor frequencies(const ModelConfig& config) {
    const at::Tensor k = at::arange(0, config.head_dim / 2, at::TensorOptions().dtype(at::kDouble));
    const at::Tensor f =
        at::pow(config.rope_theta, k * (-2.0 / static_cast<double>(config.head_dim)));
    switch (config.rope_scaling) {
        case RopeScaling::kNone:
            return f;
        case RopeScaling::kLinear:
            return f / config.rope_factor;
        case RopeScaling::kLlama3: {
            const double context = static_cast<double>(config.rope_original_context);
            const at::Tensor turns = f * (context / (2 * std::numbers::pi));
            const at::Tensor kept = ((turns - config.rope_low_frequency) /
                                     (config.rope_high_frequency - config.rope_low_frequency))
                                        .clamp(0, 1);
            return f * (kept + (1.0 - kept) / config.rope_factor);
        }
    }
    return f;
}

}  // namespace

at::Tensor rotary_factors(const ModelConfig& config, int64_t first, int64_t n) {
    const auto f64 = at::TensorOptions().dtype(at::kDouble);
    const at::Tensor angle = at::outer(at::arange(first, first + n, f64), frequencies(config));
    return at::complex(angle.cos(), angle.sin()).to(at::kComplexFloat);
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& factors, RopePairing pairing) {
    const at::Tensor t = factors.unsqueeze(-2);
    if (pairing == RopePairing::kInterleaved) {
        std::vector<int64_t> pairs = x.sizes().vec();
        pairs.back() /= 2;
        pairs.push_back(2);
        at::Tensor wide = x.to(at::kFloat);
        // a complex view needs even strides and offset, which a slice of a projection has; else
        // reshape copies
        return at::view_as_real(at::view_as_complex(wide.reshape(pairs)) * t)
            .flatten(-2)
            .to(x.scalar_type());
    }
    const int64_t half = x.size(-1) / 2;
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor turned =
        at::complex(wide.narrow(-1, 0, half), wide.narrow(-1, half, half)) * t;
    return at::cat({at::real(turned), at::imag(turned)}, -1).to(x.scalar_type());
}

at::Tensor RopeTable::factors(int64_t first, int64_t n) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int64_t have = table_.defined() ? table_.size(0) : 0;
    if (first + n > have) {
        const c10::InferenceMode normal(
            false);  // a later training call must be able to save the table
        table_ = rotary_factors(config_, 0, std::max(first + n, 2 * have)).to(device_);
    }
    return table_.narrow(0, first, n);
}

at::Tensor RopeTable::rotate(const at::Tensor& x, int64_t first) const {
    return model::rotate(x, factors(first, x.size(-3)), config_.rope_pairing);
}

}  // namespace rpt::model
