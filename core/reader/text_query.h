// The query that a text asks the memory with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"

namespace rpt::reader {

// Query [d] of the last `n` of `tokens` (input positions from <|bos|> on; all if there are fewer;
// 0 < n <= m): what is read now, wherever borders of chunks lie. Encoded behind the chunk before
// them, as the chunks of a store are.
std::vector<float> recent_query(const engine::Engine& engine, std::span<const int32_t> tokens,
                                size_t n, const CallControl& control);

// How many tokens a question is taken to have: its words count for little in the mean of a chunk.
inline size_t question_tokens(const model::ModelConfig& config) {
    return static_cast<size_t>(config.chunk + 7) / 8;
}

}  // namespace rpt::reader
