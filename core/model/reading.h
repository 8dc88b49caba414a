// Ways to read a memory, summed. Packages hold their names, rpt.h their numbers: never renumber.
#pragma once

#include <cstdint>

namespace rpt::model {

// Chunks that a search found, through cross-attention (RPT, RETRO, GCA).
inline constexpr uint32_t kReadCca = 1;
// Tokens that followed places like this one, mixed into the prediction.
inline constexpr uint32_t kReadCopy = 2;
// Chunks that hold places like these, run through the upper layers and attended to there.
inline constexpr uint32_t kReadUpper = 4;
// The text of such chunks, before the last of what was read, whenever something is asked.
inline constexpr uint32_t kReadText = 8;

inline constexpr uint32_t kReadKnown = kReadCca | kReadCopy | kReadUpper | kReadText;

}  // namespace rpt::model
