#include "storage/codec/pointer_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/byte_order.h"
#include "base/error.h"
#include "base/half.h"

namespace rpt::storage {
namespace {

constexpr uint8_t kFourBits = 1;  // the first byte of a blob; on disk, never renumber

// What the largest value of a row is cut to before the steps are laid: finer steps for the others.
// A row of 128 numbers of one size loses least at about 0.7.
constexpr float kCuts[] = {1.0f, 0.87f, 0.76f, 0.66f, 0.57f};

float code_of(float value, float inverse) {
    return std::clamp(std::nearbyint(value * inverse), -8.0f, 7.0f);
}

// The codes that leave the least of the row, and the scale that fits them best.
float choose_codes(const float* row, uint32_t width, std::vector<float>& codes) {
    float largest = 0;
    for (uint32_t i = 0; i < width; ++i)
        if (std::abs(row[i]) > std::abs(largest)) largest = row[i];
    codes.assign(width, 0.0f);
    if (std::abs(largest) < 0x1p-20f) return 0;  // fp16 has no scale so small
    float best = 0, most = -1;
    std::vector<float> tried(width);
    for (const float cut : kCuts) {
        const float inverse = -8.0f / (largest * cut);
        float product = 0, square = 0;
        for (uint32_t i = 0; i < width; ++i) {
            tried[i] = code_of(row[i], inverse);
            product += row[i] * tried[i];
            square += tried[i] * tried[i];
        }
        // What the best multiple of the codes explains of the row.
        const float explained = product * product / square;
        if (explained <= most) continue;
        most = explained;
        best = product / square;
        codes.swap(tried);
    }
    return best;
}

}  // namespace

size_t pointer_blob_bytes(size_t n, uint32_t width) {
    return n == 0 ? 0 : 1 + n * (2 + pointer_row_bytes(width));
}

uint64_t pointer_bytes(uint64_t chunks, uint64_t tokens, uint32_t width) {
    return width == 0 ? 0 : chunks + tokens * (2 + pointer_row_bytes(width));
}

std::string encode_pointers(std::span<const float> rows, uint32_t width) {
    const size_t n = width == 0 ? 0 : rows.size() / width, row_bytes = pointer_row_bytes(width);
    for (size_t i = 0; i < rows.size(); ++i)
        if (!(std::abs(rows[i]) <= kHalfMax))
            throw Error(Status::kArgument, "rpt",
                        "pointer key: number " + std::to_string(i % width) + " of token " +
                            std::to_string(i / width) + " is not finite or beyond " +
                            std::to_string(int(kHalfMax)));
    std::string blob(pointer_blob_bytes(n, width), '\0');
    if (n == 0) return blob;
    blob[0] = static_cast<char>(kFourBits);
    auto* scales = reinterpret_cast<uint8_t*>(blob.data()) + 1;
    uint8_t* halves = scales + 2 * n;
    std::vector<float> codes;
    for (size_t t = 0; t < n; ++t) {
        const uint16_t scale = to_half(choose_codes(rows.data() + t * width, width, codes));
        scales[2 * t] = static_cast<uint8_t>(scale);
        scales[2 * t + 1] = static_cast<uint8_t>(scale >> 8);
        codes.resize(2 * row_bytes, 0.0f);
        for (size_t i = 0; i < row_bytes; ++i)
            halves[t * row_bytes + i] =
                static_cast<uint8_t>((static_cast<int>(codes[2 * i]) + 8) |
                                     ((static_cast<int>(codes[2 * i + 1]) + 8) << 4));
    }
    return blob;
}

bool unpack_pointers(std::string_view blob, size_t n, uint32_t width, PointerRows& rows) {
    rows.scales.clear();
    rows.nibbles.clear();
    if (!blob.empty() && static_cast<uint8_t>(blob[0]) != kFourBits)
        throw Error(Status::kVersion, "rpt",
                    "pointer keys are kept with codec " +
                        std::to_string(static_cast<uint8_t>(blob[0])) +
                        ", this library knows 1; update the library");
    if (blob.size() != pointer_blob_bytes(n, width)) return false;
    if (n == 0) return true;
    ByteReader in(blob.substr(1));
    rows.scales.resize(n);
    for (float& scale : rows.scales) {
        scale = from_half(in.u16());
        if (!std::isfinite(scale)) return false;
    }
    const std::string_view halves = in.raw(in.left());
    rows.nibbles.resize(halves.size());
    std::memcpy(rows.nibbles.data(), halves.data(), halves.size());
    return true;
}

std::vector<float> expand_pointers(const PointerSlice& rows, uint32_t width) {
    const size_t row_bytes = pointer_row_bytes(width);
    std::vector<float> values(rows.scales.size() * width);
    for (size_t t = 0; t < rows.scales.size(); ++t) {
        const uint8_t* in = rows.nibbles.data() + t * row_bytes;
        float* out = values.data() + t * width;
        for (uint32_t i = 0; i + 1 < width; i += 2) {
            out[i] = rows.scales[t] * static_cast<float>((in[i / 2] & 15) - 8);
            out[i + 1] = rows.scales[t] * static_cast<float>((in[i / 2] >> 4) - 8);
        }
        if (width % 2 == 1)
            out[width - 1] = rows.scales[t] * static_cast<float>((in[row_bytes - 1] & 15) - 8);
    }
    return values;
}

namespace plain {

std::vector<float> decode_pointers(std::string_view blob, size_t n, uint32_t width) {
    std::vector<float> values;
    if (blob.size() != 1 + n * (2 + (width + 1) / 2) || blob[0] != 1) return values;
    const auto byte = [&](size_t at) { return static_cast<uint8_t>(blob[at]); };
    for (size_t t = 0; t < n; ++t) {
        for (size_t i = 0; i < width; ++i) {
            const uint8_t pair = byte(1 + 2 * n + t * ((width + 1) / 2) + i / 2);
            const int half = i % 2 == 0 ? pair & 15 : pair >> 4;
            const float scale =
                from_half(static_cast<uint16_t>(byte(1 + 2 * t) | (byte(2 + 2 * t) << 8)));
            if (!std::isfinite(scale)) return {};
            values.push_back(scale * static_cast<float>(half - 8));
        }
    }
    return values;
}

}  // namespace plain
}  // namespace rpt::storage
