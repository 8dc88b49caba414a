#include "storage/codec/state_codec.h"

#include <zstd.h>

#include <algorithm>
#include <cmath>

#include "base/byte_order.h"
#include "base/error.h"
#include "base/half.h"
#include "storage/codec/low_rank.h"
#include "storage/codec/state_rows.h"

namespace rpt::storage {
namespace {

// The first byte of a blob: the codec uncompressed; one more: its body in one zstd frame. On disk,
// never renumber.
constexpr uint8_t kInt8Raw = 1;
constexpr uint8_t kFp16Raw = 3;
constexpr uint8_t kInt4Raw = 5;
constexpr uint8_t kLowRankRaw = 7;
constexpr uint8_t kLast = 8;
constexpr size_t kHeaderBytes = 1 + 4 + 2;  // codec, tokens, and for low rank the rank

uint8_t raw_byte(StateCodec codec) {
    switch (codec) {
        case StateCodec::kFp16:
            return kFp16Raw;
        case StateCodec::kInt8:
            return kInt8Raw;
        case StateCodec::kInt4:
            return kInt4Raw;
        case StateCodec::kLowRank:
            return kLowRankRaw;
    }
    throw Error(Status::kArgument, "rpt", "there is no such codec of states");
}

size_t body_bytes(uint8_t raw, size_t n, size_t dim, size_t rank) {
    switch (raw) {
        case kFp16Raw:
            return fp16_body(n, dim);
        case kInt4Raw:
            return int4_body(n, dim);
        case kLowRankRaw:
            return low_rank_body(n, dim, rank);
        default:
            return int8_body(n, dim);
    }
}

void check_values(std::span<const float> states, uint32_t dim, StateCodec codec) {
    const float limit = codec == StateCodec::kFp16 ? kHalfMax : kHalfMax * 127.0f;
    bool good = true;
    for (const float value : states) good &= std::abs(value) <= limit;
    if (good) return;
    for (size_t i = 0; i < states.size(); ++i)
        if (!(std::abs(states[i]) <= limit))
            throw Error(Status::kArgument, "rpt",
                        "state " + std::to_string(i % dim) + " of token " +
                            std::to_string(i / dim) + " is not a finite number of sensible size");
}

}  // namespace

std::string encode_states(std::span<const float> states, uint32_t dim, StateCodec codec, int level,
                          uint32_t rank) {
    const size_t tokens = dim == 0 ? 0 : states.size() / dim;
    const uint8_t raw = raw_byte(codec);
    rank = static_cast<uint32_t>(std::min({size_t(rank), tokens, size_t(dim), size_t(UINT16_MAX)}));
    check_values(states, dim, codec);
    std::string body(body_bytes(raw, tokens, dim, rank), '\0');
    auto* out_body = reinterpret_cast<uint8_t*>(body.data());
    switch (raw) {
        case kFp16Raw:
            write_fp16(states.data(), tokens, dim, out_body);
            break;
        case kInt4Raw:
            write_int4(states.data(), tokens, dim, out_body);
            break;
        case kLowRankRaw:
            write_low_rank(states.data(), tokens, dim, rank, out_body);
            break;
        default:
            write_int8(states.data(), tokens, dim, out_body);
    }
    std::string packed(ZSTD_compressBound(body.size()), '\0');
    const size_t size = ZSTD_compress(packed.data(), packed.size(), body.data(), body.size(),
                                      level == 0 ? 1 : level);
    const bool smaller = !ZSTD_isError(size) && size < body.size();
    ByteWriter out;
    out.reserve(kHeaderBytes + (smaller ? size : body.size()));
    out.u8(static_cast<uint8_t>(raw + smaller)).u32(static_cast<uint32_t>(tokens));
    if (codec == StateCodec::kLowRank) out.u16(static_cast<uint16_t>(rank));
    out.raw(smaller ? packed.data() : body.data(), smaller ? size : body.size());
    return std::move(out.str());
}

std::vector<float> decode_states(std::string_view bytes, uint32_t dim, uint32_t max_tokens) {
    ByteReader in(bytes);
    const uint8_t codec = in.u8();
    const uint32_t tokens = in.u32();
    if (!in.ok() || tokens > max_tokens) return {};
    if (codec < kInt8Raw || codec > kLast)
        throw Error(Status::kVersion, "rpt",
                    "states are kept with codec " + std::to_string(codec) +
                        ", this library knows 1 to " + std::to_string(kLast) +
                        "; update the library");
    const uint8_t raw = static_cast<uint8_t>(codec - (codec - kInt8Raw) % 2);
    const uint32_t rank = raw == kLowRankRaw ? in.u16() : 0;
    if (!in.ok() || rank > std::min(tokens, dim)) return {};
    std::string_view body = in.raw(in.left());
    const size_t size = body_bytes(raw, tokens, dim, rank);
    std::string unpacked;
    if (codec != raw) {
        unpacked.resize(size);
        const size_t got =
            ZSTD_decompress(unpacked.data(), unpacked.size(), body.data(), body.size());
        if (ZSTD_isError(got)) return {};
        body = std::string_view(unpacked).substr(0, got);
    }
    if (body.size() != size) return {};
    std::vector<float> states(size_t(tokens) * dim);
    const auto* at = reinterpret_cast<const uint8_t*>(body.data());
    bool finite = true;
    switch (raw) {
        case kFp16Raw:
            finite = read_fp16(at, tokens, dim, states.data());
            break;
        case kInt4Raw:
            finite = read_int4(at, tokens, dim, states.data());
            break;
        case kLowRankRaw:
            finite = read_low_rank(at, tokens, dim, rank, states.data());
            break;
        default:
            finite = read_int8(at, tokens, dim, states.data());
    }
    if (!finite) states.clear();
    return states;
}

}  // namespace rpt::storage
