// States of one chunk as bytes (docs/format/states.md): a codec, then zstd where that is smaller.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::storage {

// What each costs in bytes and in loss: docs/results/stored_states.md.
enum class StateCodec {
    kFp16,     // binary16 values
    kInt8,     // a byte a value, a scale a token
    kInt4,     // half a byte a value, a scale for every 32
    kLowRank,  // the chunk's matrix as a product of two thin ones
};
// The smallest whose loss is within 0.1 % of fp16's.
inline constexpr StateCodec kDefaultStateCodec = StateCodec::kInt4;
// How a store writes what it compresses. A value.
struct Packing {
    StateCodec codec = kDefaultStateCodec;
    int level = 0;  // zstd's; 0: fast
};
inline constexpr uint32_t kDefaultStateRank = 16;

// states: [tokens, dim], finite (kArgument otherwise, also for magnitudes beyond 65504, int8, int4
// and low rank: 127 times that). `level` is zstd's, 0: fast. `rank` is the inner dimension of
// kLowRank. Decoding and encoding again changes no value with kFp16 and kInt8, hardly any with
// kInt4.
std::string encode_states(std::span<const float> states, uint32_t dim, StateCodec codec, int level,
                          uint32_t rank = kDefaultStateRank);
// Of any codec. Empty if the bytes are damaged; kVersion for a codec that this build does not know.
// At most `max_tokens` are believed.
std::vector<float> decode_states(std::string_view bytes, uint32_t dim, uint32_t max_tokens);

}  // namespace rpt::storage
