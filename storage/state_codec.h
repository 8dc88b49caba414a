// States of one chunk as bytes (docs/format/states.md): int8 with one fp16 scale a token, then
// zstd.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::storage {

// states: [tokens, dim], finite (kArgument otherwise). `level` 0: fast.
std::string encode_states(std::span<const float> states, uint32_t dim, int level);
// Empty if the bytes are damaged; kVersion for a codec that this build does not know. At most
// `max_tokens` are believed.
std::vector<float> decode_states(std::string_view bytes, uint32_t dim, uint32_t max_tokens);

}  // namespace rpt::storage
