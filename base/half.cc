#include "base/half.h"

#include <bit>

#include "base/cpu_features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rpt {
namespace {

#if defined(__x86_64__)
// Both give the number of values done; the plain loop does the rest.
__attribute__((target("avx,f16c"))) size_t to_halves_f16c(const float* from, uint16_t* to,
                                                          size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), half);
    }
    return i;
}

__attribute__((target("avx,f16c"))) size_t from_halves_f16c(const uint16_t* from, float* to,
                                                            size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
    }
    return i;
}
#endif

}  // namespace

uint16_t to_half(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)  // NaN: keep the top of its payload and make it quiet, as F16C does
        return static_cast<uint16_t>(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
    if (magnitude >= 0x477ff000)
        return static_cast<uint16_t>(sign | 0x7c00);  // rounds past kHalfMax
    if (magnitude < 0x38800000) {                     // below 2^-14: subnormal
        // Adding 0.5 puts the half's last bit at the float's last bit, and the addition rounds to
        // even.
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000));
    }
    const uint32_t odd = (magnitude >> 13) & 1;
    const uint32_t rounded = magnitude + 0xfff + odd - 0x38000000;  // exponent bias 127 -> 15
    return static_cast<uint16_t>(sign | (rounded >> 13));
}

float from_half(uint16_t half) {
    const uint32_t sign = uint32_t(half & 0x8000) << 16;
    const uint32_t exponent = (half >> 10) & 0x1f;
    const uint32_t fraction = half & 0x3ff;
    if (exponent == 0) {
        const float value = static_cast<float>(fraction) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
    }
    if (exponent == 31) {
        const uint32_t quiet = fraction != 0 ? 0x400000 : 0;
        return std::bit_cast<float>(sign | 0x7f800000 | (fraction << 13) | quiet);
    }
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

void to_halves(const float* from, uint16_t* to, size_t n) {
    size_t i = 0;
#if defined(__x86_64__)
    if (has_f16c()) i = to_halves_f16c(from, to, n);
#endif
    for (; i < n; ++i) to[i] = to_half(from[i]);
}

void from_halves(const uint16_t* from, float* to, size_t n) {
    size_t i = 0;
#if defined(__x86_64__)
    if (has_f16c()) i = from_halves_f16c(from, to, n);
#endif
    for (; i < n; ++i) to[i] = from_half(from[i]);
}

}  // namespace rpt
