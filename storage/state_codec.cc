#include "storage/state_codec.h"

#include <zstd.h>

#include <algorithm>
#include <cmath>

#include "base/byte_order.h"
#include "base/error.h"
#include "base/half.h"

namespace rpt::storage {
namespace {

// On disk, never renumber.
constexpr uint8_t kInt8Raw = 1;
constexpr uint8_t kInt8Zstd = 2;
constexpr size_t kHeaderBytes = 1 + 4;  // codec, tokens

void quantise_row(const float* row, uint32_t dim, uint16_t& scale_bits, int8_t* out) {
    float largest = 0;
    for (uint32_t c = 0; c < dim; ++c) largest = std::max(largest, std::abs(row[c]));
    scale_bits = to_half(largest / 127.0f);
    const float scale =
        from_half(scale_bits);  // the rounded scale is the one that decoding multiplies with
    const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
    for (uint32_t c = 0; c < dim; ++c)
        out[c] = static_cast<int8_t>(std::clamp(std::nearbyint(row[c] * inverse), -127.0f, 127.0f));
}

}  // namespace

std::string encode_states(std::span<const float> states, uint32_t dim, int level) {
    const size_t tokens = dim == 0 ? 0 : states.size() / dim;
    std::string body(tokens * (2 + size_t(dim)), '\0');
    auto* values = reinterpret_cast<int8_t*>(body.data() + tokens * 2);
    for (size_t t = 0; t < tokens; ++t) {
        const float* row = states.data() + t * dim;
        for (uint32_t c = 0; c < dim; ++c)
            if (!(std::abs(row[c]) <= kHalfMax * 127.0f))
                throw Error(Status::kArgument, "rpt",
                            "state " + std::to_string(c) + " of token " + std::to_string(t) +
                                " is not a finite number of sensible size");
        uint16_t scale;
        quantise_row(row, dim, scale, values + t * dim);
        body[2 * t] = static_cast<char>(scale);
        body[2 * t + 1] = static_cast<char>(scale >> 8);
    }
    std::string packed(ZSTD_compressBound(body.size()), '\0');
    const size_t size = ZSTD_compress(packed.data(), packed.size(), body.data(), body.size(),
                                      level == 0 ? 1 : level);
    const bool smaller = !ZSTD_isError(size) && size < body.size();
    ByteWriter out;
    out.reserve(kHeaderBytes + (smaller ? size : body.size()));
    out.u8(smaller ? kInt8Zstd : kInt8Raw).u32(static_cast<uint32_t>(tokens));
    out.raw(smaller ? packed.data() : body.data(), smaller ? size : body.size());
    return std::move(out.str());
}

std::vector<float> decode_states(std::string_view bytes, uint32_t dim, uint32_t max_tokens) {
    ByteReader in(bytes);
    const uint8_t codec = in.u8();
    const uint32_t tokens = in.u32();
    if (!in.ok() || tokens > max_tokens) return {};
    if (codec != kInt8Raw && codec != kInt8Zstd)
        throw Error(Status::kVersion, "rpt",
                    "states are kept with codec " + std::to_string(codec) +
                        ", this library knows 1 and 2; update the library");
    std::string_view body = in.raw(in.left());
    const size_t body_size = tokens * (2 + size_t(dim));
    std::string unpacked;
    if (codec == kInt8Zstd) {
        unpacked.resize(body_size);
        const size_t size =
            ZSTD_decompress(unpacked.data(), unpacked.size(), body.data(), body.size());
        if (ZSTD_isError(size) || size != body_size) return {};
        body = unpacked;
    }
    if (body.size() != body_size) return {};
    std::vector<float> states(size_t(tokens) * dim);
    const auto* scales = reinterpret_cast<const uint8_t*>(body.data());
    const auto* values = reinterpret_cast<const int8_t*>(body.data() + size_t(tokens) * 2);
    for (size_t t = 0; t < tokens; ++t) {
        const float scale =
            from_half(static_cast<uint16_t>(scales[2 * t] | (scales[2 * t + 1] << 8)));
        for (size_t c = 0; c < dim; ++c)
            states[t * dim + c] = scale * static_cast<float>(values[t * dim + c]);
    }
    return states;
}

}  // namespace rpt::storage
