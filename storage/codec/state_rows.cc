#include "storage/codec/state_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"

namespace rpt::storage {
namespace {

// arrays are copied as they lie in memory
static_assert(std::endian::native == std::endian::little);

// To the nearest integer, ties to even; |x| < 2^22. Unlike nearbyint() the compiler makes vectors
// of it.
float rounded(float x) {
    constexpr float kOneAndAHalf = 0x1.8p23f;
    return (x + kOneAndAHalf) - kOneAndAHalf;
}

float largest_of(const float* values, size_t n) {
    float largest = 0;
    for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(values[i]));
    return largest;
}

uint16_t get_half(const uint8_t* at) {
    return static_cast<uint16_t>(at[0] | (at[1] << 8));
}

void put_half(uint8_t* at, uint16_t bits) {
    at[0] = static_cast<uint8_t>(bits);
    at[1] = static_cast<uint8_t>(bits >> 8);
}

bool finite_half(uint16_t bits) {
    return (bits & 0x7c00) != 0x7c00;
}

// Of a token whose largest magnitude (int4: largest scale of a group) this is. Where binary16 is
// too coarse (subnormal) it is rounded down, so that 127 is reached and a second encoding finds the
// same.
uint16_t token_scale(float largest) {
    const uint16_t bits = to_half(largest / 127.0f);
    return bits > 0 && largest < 126.5f * from_half(bits) ? static_cast<uint16_t>(bits - 1) : bits;
}

size_t groups_of(size_t dim) {
    return (dim + kInt4Group - 1) / kInt4Group;
}

// Sum of squares of what int4 with this scale leaves over.
float error_of(const float* values, size_t n, float scale) {
    const float inverse = 1.0f / scale;
    float sum = 0;
    for (size_t i = 0; i < n; ++i) {
        const float code = std::clamp(rounded(values[i] * inverse), -8.0f, 7.0f);
        const float left = values[i] - scale * code;
        sum += left * left;
    }
    return sum;
}

// The scale, of either sign, with which the group loses least, 0 for zeros. Its largest value
// becomes -8, or is cut off a little so that the others get finer steps, or becomes -7; then the
// scale is fitted to the codes. A group that was decoded fits -8 or -7 without error and stays.
float group_scale(const float* values, size_t n) {
    static constexpr float kDivisors[] = {8.0f, 7.0f, 8.6f, 9.2f};
    float largest = 0;
    for (size_t i = 0; i < n; ++i)
        if (std::abs(values[i]) > std::abs(largest)) largest = values[i];
    if (std::abs(largest) < 0x1p-60f) return 0;  // its square is too small; no scale of a token is
    float best = 0, least = 0;
    for (const float divisor : kDivisors) {
        float scale = -largest / divisor;
        const float inverse = 1.0f / scale;
        float product = 0, square = 0;
        for (size_t i = 0; i < n; ++i) {
            const float code = std::clamp(rounded(values[i] * inverse), -8.0f, 7.0f);
            product += values[i] * code;
            square += code * code;
        }
        const float fitted = product / square;
        if (std::abs(largest) > 6.7f * std::abs(fitted)) scale = fitted;
        const float error = error_of(values, n, scale);
        // Better by enough to tell: values that two divisors both fit stay with the first.
        if (best == 0 || error < least - 1e-4f * largest * largest) {
            best = scale;
            least = error;
        }
    }
    return best;
}

// How many times the token's scale stands for the group's `wanted`: the nearest multiple with which
// the largest value still becomes -8 or -7 (see group_scale()), 0 for a group too faint for any.
float scale_multiple(float wanted, float token, float largest) {
    if (token == 0) return 0;
    float multiple = std::min(rounded(std::abs(wanted) / token), 127.0f);
    while (multiple > 0 && largest < 6.6f * (token * multiple)) multiple -= 1;
    return std::copysign(multiple, wanted);
}

// codes + 8 as nibbles, the even value low; `inverse` 0 for a group of zeros
void pack_group(const float* values, size_t n, float inverse, uint8_t* out) {
    for (size_t i = 0; i < n; i += 2) {
        const auto nibble = [&](size_t at) {
            if (at >= n) return 8;
            return static_cast<int>(std::clamp(rounded(values[at] * inverse), -8.0f, 7.0f)) + 8;
        };
        out[i / 2] = static_cast<uint8_t>(nibble(i) | (nibble(i + 1) << 4));
    }
}

void write_int4_row(const float* row, size_t dim, uint8_t* scale_out, uint8_t* multiples,
                    uint8_t* nibbles) {
    const size_t groups = groups_of(dim);
    std::vector<float> scales(groups);
    float largest = 0;
    for (size_t g = 0; g < groups; ++g) {
        scales[g] = group_scale(row + g * kInt4Group, std::min(kInt4Group, dim - g * kInt4Group));
        largest = std::max(largest, std::abs(scales[g]));
    }
    const uint16_t bits = token_scale(largest);
    put_half(scale_out, bits);
    const float scale = from_half(bits);
    for (size_t g = 0; g < groups; ++g) {
        const float* values = row + g * kInt4Group;
        const size_t n = std::min(kInt4Group, dim - g * kInt4Group);
        const float multiple = scale_multiple(scales[g], scale, largest_of(values, n));
        multiples[g] = static_cast<uint8_t>(static_cast<int8_t>(multiple));
        pack_group(values, n, multiple != 0 ? 1.0f / (scale * multiple) : 0.0f,
                   nibbles + g * kInt4Group / 2);
    }
}

}  // namespace

size_t fp16_body(size_t n, size_t dim) {
    return n * dim * 2;
}

size_t int8_body(size_t n, size_t dim) {
    return n * (2 + dim);
}

size_t int4_body(size_t n, size_t dim) {
    return n * (2 + groups_of(dim) + (dim + 1) / 2);
}

void write_fp16(const float* states, size_t n, size_t dim, uint8_t* body) {
    std::vector<uint16_t> halves(n * dim);
    to_halves(states, halves.data(), halves.size());
    if (!halves.empty()) std::memcpy(body, halves.data(), halves.size() * 2);
}

bool read_fp16(const uint8_t* body, size_t n, size_t dim, float* states) {
    std::vector<uint16_t> halves(n * dim);
    if (halves.empty()) return true;
    std::memcpy(halves.data(), body, halves.size() * 2);
    from_halves(halves.data(), states, halves.size());
    bool finite = true;
    for (const uint16_t bits : halves) finite &= finite_half(bits);
    return finite;
}

void write_int8(const float* states, size_t n, size_t dim, uint8_t* body) {
    for (size_t t = 0; t < n; ++t) {
        const float* row = states + t * dim;
        const uint16_t bits = token_scale(largest_of(row, dim));
        put_half(body + 2 * t, bits);
        // the rounded scale is the one that decoding multiplies with
        const float scale = from_half(bits);
        const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
        auto* out = reinterpret_cast<int8_t*>(body + 2 * n + t * dim);
        for (size_t c = 0; c < dim; ++c) {
            out[c] = static_cast<int8_t>(
                static_cast<int>(std::clamp(rounded(row[c] * inverse), -127.0f, 127.0f)));
        }
    }
}

bool read_int8(const uint8_t* body, size_t n, size_t dim, float* states) {
    bool finite = true;
    for (size_t t = 0; t < n; ++t) {
        const uint16_t bits = get_half(body + 2 * t);
        finite &= finite_half(bits);
        const float scale = from_half(bits);
        const auto* values = reinterpret_cast<const int8_t*>(body + 2 * n + t * dim);
        float* out = states + t * dim;
        for (size_t c = 0; c < dim; ++c) out[c] = scale * static_cast<float>(values[c]);
    }
    return finite;
}

void write_int4(const float* states, size_t n, size_t dim, uint8_t* body) {
    const size_t groups = groups_of(dim), row_bytes = (dim + 1) / 2;
    for (size_t t = 0; t < n; ++t) {
        write_int4_row(states + t * dim, dim, body + 2 * t, body + 2 * n + t * groups,
                       body + (2 + groups) * n + t * row_bytes);
    }
}

bool read_int4(const uint8_t* body, size_t n, size_t dim, float* states) {
    const size_t groups = groups_of(dim), row_bytes = (dim + 1) / 2;
    bool finite = true;
    for (size_t t = 0; t < n; ++t) {
        const uint16_t bits = get_half(body + 2 * t);
        finite &= finite_half(bits);
        const float token = from_half(bits);
        const uint8_t* nibbles = body + (2 + groups) * n + t * row_bytes;
        for (size_t g = 0; g < groups; ++g) {
            const auto multiple = static_cast<int8_t>(body[2 * n + t * groups + g]);
            const float scale = token * static_cast<float>(multiple);
            const uint8_t* in = nibbles + g * kInt4Group / 2;
            float* out = states + t * dim + g * kInt4Group;
            const size_t left = dim - g * kInt4Group;
            if (left >= kInt4Group) {
                // a fixed count, which the compiler makes vectors of
                for (size_t i = 0; i < kInt4Group / 2; ++i) {
                    out[2 * i] = scale * static_cast<float>((in[i] & 15) - 8);
                    out[2 * i + 1] = scale * static_cast<float>((in[i] >> 4) - 8);
                }
                continue;
            }
            for (size_t i = 0; i < left; ++i)
                out[i] = scale * static_cast<float>(((in[i / 2] >> (i % 2 * 4)) & 15) - 8);
        }
    }
    return finite;
}

namespace plain {

bool read_int8(const uint8_t* body, size_t n, size_t dim, float* states) {
    bool finite = true;
    for (size_t t = 0; t < n; ++t) {
        for (size_t c = 0; c < dim; ++c) {
            const float scale = from_half(get_half(body + 2 * t));
            finite = finite && std::isfinite(scale);
            states[t * dim + c] =
                scale * static_cast<float>(static_cast<int8_t>(body[2 * n + t * dim + c]));
        }
    }
    return finite;
}

bool read_int4(const uint8_t* body, size_t n, size_t dim, float* states) {
    const size_t groups = groups_of(dim);
    bool finite = true;
    for (size_t t = 0; t < n; ++t) {
        for (size_t c = 0; c < dim; ++c) {
            const float scale = from_half(get_half(body + 2 * t));
            finite = finite && std::isfinite(scale);
            const auto multiple = static_cast<int8_t>(body[2 * n + t * groups + c / kInt4Group]);
            const uint8_t byte = body[(2 + groups) * n + t * ((dim + 1) / 2) + c / 2];
            const int nibble = c % 2 == 0 ? byte & 15 : byte >> 4;
            states[t * dim + c] =
                scale * static_cast<float>(multiple) * static_cast<float>(nibble - 8);
        }
    }
    return finite;
}

}  // namespace plain
}  // namespace rpt::storage
