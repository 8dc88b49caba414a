// IEEE 754 binary16 as bits: how keys and scales are kept.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rpt {

constexpr float kHalfMax = 65504.0f;  // largest finite value

// Rounds to nearest, ties to even; beyond kHalfMax becomes infinity.
uint16_t to_half(float value);
float from_half(uint16_t bits);

// Arrays of n values; F16C where the CPU has it.
void to_halves(const float* from, uint16_t* to, size_t n);
void from_halves(const uint16_t* from, float* to, size_t n);

}  // namespace rpt
