// Weights of places by their cosines, for loops that spend their time there.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace rpt::reader {

// exp(x) for -87 < x <= 1, relative error below 2e-7: 2^n by the exponent's bits, the rest by a
// polynomial (Taylor at 0, |r| <= ln 2 / 2). The compiler makes vectors of a loop over it.
inline float exp_of(float x) {
    constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
    constexpr float kOneAndAHalf = 0x1.8p23f;
    x = std::max(x, -87.0f);
    const float n = (x * kLog2E + kOneAndAHalf) - kOneAndAHalf;
    const float r = (x - n * kLn2High) - n * kLn2Low;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

// exp(T (s - 1)); keys are unit vectors but for their rounding.
inline void weigh_scores(const float* scores, size_t n, float temperature, float* out) {
    for (size_t i = 0; i < n; ++i)
        out[i] = exp_of(temperature * (std::min(scores[i], 1.0f) - 1.0f));
}

}  // namespace rpt::reader
