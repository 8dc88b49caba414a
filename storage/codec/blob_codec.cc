#include "storage/codec/blob_codec.h"

#include <zstd.h>

#include <algorithm>
#include <cmath>

#include "base/byte_order.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/half.h"

namespace rpt::storage {
namespace {

// On disk, never renumber.
enum class SealOf : uint8_t { kTokens = 1, kKey = 2, kStates = 3, kText = 4, kPointers = 5 };
constexpr uint8_t kTextRaw = 0;
constexpr uint8_t kTextZstd = 1;

uint32_t seal(SealOf kind, std::initializer_list<uint64_t> place, std::string_view blob) {
    ByteWriter head;
    head.u8(static_cast<uint8_t>(kind));
    for (const uint64_t part : place) head.u64(part);
    return crc32c(blob.data(), blob.size(), crc32c(head.str().data(), head.str().size()));
}

uint32_t seal_chunk_part(SealOf kind, const ChunkPlace& place, std::string_view blob) {
    return seal(kind,
                {place.space, place.segment, place.ordinal, place.bytes.begin, place.bytes.end,
                 place.provisional ? uint64_t(1) : uint64_t(0)},
                blob);
}

}  // namespace

uint32_t seal_tokens(const ChunkPlace& place, std::string_view blob) {
    return seal_chunk_part(SealOf::kTokens, place, blob);
}
uint32_t seal_key(const ChunkPlace& place, std::string_view blob) {
    return seal_chunk_part(SealOf::kKey, place, blob);
}
uint32_t seal_states(uint64_t chunk, std::string_view blob) {
    return seal(SealOf::kStates, {chunk}, blob);
}
uint32_t seal_pointers(uint64_t chunk, std::string_view blob) {
    return seal(SealOf::kPointers, {chunk}, blob);
}
uint32_t seal_text(uint64_t segment, std::string_view blob) {
    return seal(SealOf::kText, {segment}, blob);
}

std::string encode_tokens(std::span<const int32_t> tokens) {
    const bool narrow =
        std::ranges::all_of(tokens, [](int32_t t) { return t >= 0 && t <= 0xffff; });
    ByteWriter out;
    out.u8(narrow ? 2 : 4);
    for (const int32_t token : tokens) {
        if (narrow) {
            out.u16(static_cast<uint16_t>(token));
        } else {
            out.u32(static_cast<uint32_t>(token));
        }
    }
    return std::move(out.str());
}

std::optional<std::vector<int32_t>> decode_tokens(std::string_view blob) {
    ByteReader in(blob);
    const uint8_t width = in.u8();
    if (!in.ok() || (width != 2 && width != 4) || in.left() % width != 0) return std::nullopt;
    std::vector<int32_t> tokens(in.left() / width);
    for (int32_t& token : tokens) token = width == 2 ? in.u16() : static_cast<int32_t>(in.u32());
    return tokens;
}

std::string encode_key(std::span<const float> key) {
    for (size_t i = 0; i < key.size(); ++i)
        if (!(std::abs(key[i]) <= kHalfMax))
            throw Error(Status::kArgument, "rpt",
                        "key: value " + std::to_string(i) + " is not finite or beyond " +
                            std::to_string(int(kHalfMax)));
    std::vector<uint16_t> halves(key.size());
    to_halves(key.data(), halves.data(), key.size());
    ByteWriter out;
    for (const uint16_t half : halves) out.u16(half);
    return std::move(out.str());
}

std::string encode_text(std::string_view text, int level) {
    std::string packed(ZSTD_compressBound(text.size()), '\0');
    const size_t size = ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(),
                                      level == 0 ? 3 : level);
    const bool smaller = !ZSTD_isError(size) && size < text.size();
    ByteWriter out;
    out.u8(smaller ? kTextZstd : kTextRaw).u32(static_cast<uint32_t>(text.size()));
    out.raw(smaller ? packed.data() : text.data(), smaller ? size : text.size());
    return std::move(out.str());
}

std::optional<std::string> decode_text(std::string_view blob) {
    ByteReader in(blob);
    const uint8_t codec = in.u8();
    const uint32_t size = in.u32();
    if (!in.ok() || size > kMaxTextBytes || codec > kTextZstd) return std::nullopt;
    const std::string_view body = in.raw(in.left());
    if (codec == kTextRaw)
        return body.size() == size ? std::optional(std::string(body)) : std::nullopt;
    std::string text(size, '\0');
    const size_t got = ZSTD_decompress(text.data(), text.size(), body.data(), body.size());
    if (ZSTD_isError(got) || got != size) return std::nullopt;
    return text;
}

uint64_t digest_part(uint64_t chunk, uint32_t key_seal) {
    // The finaliser of splitmix64 over both numbers.
    uint64_t z = chunk * 0x9E3779B97F4A7C15u + key_seal;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

}  // namespace rpt::storage
