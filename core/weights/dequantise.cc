// Blocks as GGUF files lay them out. The layouts are those of ggml (ggml-common.h); "scale" and
// "least" are its d and m or dmin. Every scale is a half.
#include "core/weights/dequantise.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/half.h"

namespace rpt::weights {
namespace {

using Bytes = const uint8_t*;

uint16_t u16(Bytes at) {
    return static_cast<uint16_t>(at[0] | at[1] << 8);
}
uint32_t u32(Bytes at) {
    return uint32_t(u16(at)) | uint32_t(u16(at + 2)) << 16;
}
float half(Bytes at) {
    return from_half(u16(at));
}

void f32(Bytes in, float* out) {
    *out = std::bit_cast<float>(u32(in));
}
void f16(Bytes in, float* out) {
    *out = half(in);
}
void bf16(Bytes in, float* out) {
    *out = std::bit_cast<float>(uint32_t(u16(in)) << 16);
}

// 32 numbers of four bits: number i in the low half of byte i, number i + 16 in its high half.
std::array<int, 32> nibbles(Bytes in) {
    std::array<int, 32> q;
    for (size_t i = 0; i < 16; ++i) {
        q[i] = in[i] & 15;
        q[i + 16] = in[i] >> 4;
    }
    return q;
}

// The same with a fifth bit: bit i of `high` belongs to number i.
std::array<int, 32> five_bits(Bytes in, uint32_t high) {
    std::array<int, 32> q = nibbles(in);
    for (size_t i = 0; i < 32; ++i) q[i] |= int((high >> i & 1) << 4);
    return q;
}

// scale, 16 bytes
void q4_0(Bytes in, float* out) {
    const float scale = half(in);
    const auto q = nibbles(in + 2);
    for (size_t i = 0; i < 32; ++i) out[i] = scale * float(q[i] - 8);
}

// scale, least, 16 bytes
void q4_1(Bytes in, float* out) {
    const float scale = half(in), least = half(in + 2);
    const auto q = nibbles(in + 4);
    for (size_t i = 0; i < 32; ++i) out[i] = scale * float(q[i]) + least;
}

// scale, fifth bits, 16 bytes
void q5_0(Bytes in, float* out) {
    const float scale = half(in);
    const auto q = five_bits(in + 6, u32(in + 2));
    for (size_t i = 0; i < 32; ++i) out[i] = scale * float(q[i] - 16);
}

// scale, least, fifth bits, 16 bytes
void q5_1(Bytes in, float* out) {
    const float scale = half(in), least = half(in + 2);
    const auto q = five_bits(in + 8, u32(in + 4));
    for (size_t i = 0; i < 32; ++i) out[i] = scale * float(q[i]) + least;
}

// scale, 32 signed bytes
void q8_0(Bytes in, float* out) {
    const float scale = half(in);
    for (size_t i = 0; i < 32; ++i) out[i] = float(static_cast<int8_t>(in[2 + i])) * scale;
}

// Scales and least values of a block's eight parts of 32 numbers, six bits each: those of part
// k < 4 in the low six bits of bytes k and k + 4. Byte k + 8 holds the low four bits of part k +
// 4's two; their high two bits are the top bits of bytes k and k + 4.
struct PartScales {
    float scale[8], least[8];

    PartScales(Bytes block) {
        const float d = half(block), m = half(block + 2);
        const Bytes packed = block + 4;
        for (size_t k = 0; k < 4; ++k) {
            scale[k] = d * float(packed[k] & 63);
            least[k] = m * float(packed[k + 4] & 63);
            scale[k + 4] = d * float((packed[k + 8] & 15) | (packed[k] >> 6 << 4));
            least[k + 4] = m * float((packed[k + 8] >> 4) | (packed[k + 4] >> 6 << 4));
        }
    }
};

// scale, least, 12 bytes of the parts' scales, 4 times 32 bytes: low halves are part 2 k, high
// halves part 2 k + 1
void q4_k(Bytes in, float* out) {
    const PartScales parts(in);
    for (size_t part = 0; part < 8; ++part) {
        const Bytes q = in + 16 + part / 2 * 32;
        const int shift = part % 2 * 4;
        for (size_t i = 0; i < 32; ++i)
            out[part * 32 + i] = parts.scale[part] * float(q[i] >> shift & 15) - parts.least[part];
    }
}

// The same with 32 bytes of fifth bits before the four: bit k of byte i belongs to number i of
// part k.
void q5_k(Bytes in, float* out) {
    const PartScales parts(in);
    for (size_t part = 0; part < 8; ++part) {
        const Bytes high = in + 16, q = in + 48 + part / 2 * 32;
        const int shift = part % 2 * 4;
        for (size_t i = 0; i < 32; ++i) {
            const int number = (q[i] >> shift & 15) | (high[i] >> part & 1) << 4;
            out[part * 32 + i] = parts.scale[part] * float(number) - parts.least[part];
        }
    }
}

// 2 times 64 bytes of low four bits, 2 times 32 bytes of high two bits, 16 signed scales of 16
// numbers each, scale. In each half: four rows of 32 numbers; row r takes bytes 32 (r % 2) on,
// their low halves for r < 2, and bits 2 r and 2 r + 1 of the high bytes.
void q6_k(Bytes in, float* out) {
    const float scale = half(in + 208);
    for (size_t row = 0; row < 8; ++row) {
        const size_t r = row % 4;
        const Bytes low = in + row / 4 * 64 + r % 2 * 32, high = in + 128 + row / 4 * 32;
        const int low_shift = r < 2 ? 0 : 4, high_shift = int(2 * r);
        for (size_t i = 0; i < 32; ++i) {
            const int number = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
            const float part = scale * float(static_cast<int8_t>(in[192 + row * 2 + i / 16]));
            out[row * 32 + i] = part * float(number - 32);
        }
    }
}

template <auto block>
void each(DType dtype, std::span<const std::byte> blocks, std::span<float> out) {
    const size_t numbers = block_numbers(dtype), bytes = block_bytes(dtype);
    const auto* in = reinterpret_cast<Bytes>(blocks.data());
    for (size_t i = 0; i < out.size() / numbers; ++i) block(in + i * bytes, &out[i * numbers]);
}

}  // namespace

void dequantise(DType dtype, std::span<const std::byte> blocks, std::span<float> out) {
    RPT_CHECK(out.size() % block_numbers(dtype) == 0 &&
              out.size() / block_numbers(dtype) * block_bytes(dtype) == blocks.size());
    switch (dtype) {
        case DType::kF32:
            return each<f32>(dtype, blocks, out);
        case DType::kF16:
            return each<f16>(dtype, blocks, out);
        case DType::kBf16:
            return each<bf16>(dtype, blocks, out);
        case DType::kQ4_0:
            return each<q4_0>(dtype, blocks, out);
        case DType::kQ4_1:
            return each<q4_1>(dtype, blocks, out);
        case DType::kQ5_0:
            return each<q5_0>(dtype, blocks, out);
        case DType::kQ5_1:
            return each<q5_1>(dtype, blocks, out);
        case DType::kQ8_0:
            return each<q8_0>(dtype, blocks, out);
        case DType::kQ4K:
            return each<q4_k>(dtype, blocks, out);
        case DType::kQ5K:
            return each<q5_k>(dtype, blocks, out);
        case DType::kQ6K:
            return each<q6_k>(dtype, blocks, out);
        case DType::kI8:
        case DType::kI64:
            break;
    }
    RPT_CHECK(is_floating(dtype));
}

void read_floats(const TensorSource& source, const std::string& name, std::span<float> out) {
    constexpr size_t kNumbersAtOnce = 1 << 18;  // a multiple of every block
    const auto corrupt = [&](const char* why) {
        throw Error(Status::kCorrupt, "rpt", "model: tensor \"" + name + "\" " + why);
    };
    const auto found = source.tensors().find(name);
    if (found == source.tensors().end()) corrupt("is missing");
    const DType dtype = found->second.dtype;
    if (!is_floating(dtype)) corrupt("holds integers where numbers of a floating type belong");
    const auto bytes_of = [&](size_t numbers) {
        return numbers / block_numbers(dtype) * block_bytes(dtype);
    };
    RPT_CHECK(bytes_of(out.size()) == found->second.bytes);
    std::vector<std::byte> part(bytes_of(std::min(out.size(), kNumbersAtOnce)));
    for (size_t at = 0; at < out.size(); at += kNumbersAtOnce) {
        const auto numbers = out.subspan(at, std::min(out.size() - at, kNumbersAtOnce));
        const auto bytes = std::span(part).first(bytes_of(numbers.size()));
        source.read_at(name, bytes_of(at), bytes);
        dequantise(dtype, bytes, numbers);
    }
}

}  // namespace rpt::weights
