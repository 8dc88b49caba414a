// Tokens, keys and texts as bytes, and the seals (checksums) that bind every blob to its
// place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace rpt::storage {

constexpr size_t kMaxTextBytes = 1 << 20;  // of a segment's text

// Where a chunk stands. A seal covers the place too, so that a row which wandered is found like one
// that rotted.
struct ChunkPlace {
    uint64_t space = 0, segment = 0, ordinal = 0;
    ByteSpan bytes;  // of the segment
    bool provisional = false;
};

uint32_t seal_tokens(const ChunkPlace& place, std::string_view blob);
uint32_t seal_key(const ChunkPlace& place, std::string_view blob);
uint32_t seal_states(uint64_t chunk, std::string_view blob);
uint32_t seal_pointers(uint64_t chunk, std::string_view blob);
uint32_t seal_text(uint64_t segment, std::string_view blob);

// Two bytes a token where all fit, else four.
std::string encode_tokens(std::span<const int32_t> tokens);
std::optional<std::vector<int32_t>> decode_tokens(std::string_view blob);

// fp16, little-endian. kArgument if a value is not finite or beyond fp16.
std::string encode_key(std::span<const float> key);

// A segment's text: zstd, or raw where that is smaller.
std::string encode_text(std::string_view text, int level);
std::optional<std::string> decode_text(std::string_view blob);

// A chunk's part of a space's digest; the digest is the wrapping sum over the visible chunks, so
// that chunks come and go in any order.
uint64_t digest_part(uint64_t chunk, uint32_t key_seal);

}  // namespace rpt::storage
