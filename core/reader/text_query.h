// The query that a text asks the memory with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/reader/sequence.h"

namespace rpt::reader {

// Query [r] of the last `n` of `tokens` (input positions from the begin token on; all if there are
// fewer; 0 < n <= m): what is read now, wherever borders of chunks lie. A whole chunk is encoded
// behind the one before it, as the chunks of a store are; fewer tokens by themselves, for what is
// looked for was written without what stands before them here.
std::vector<float> recent_query(const engine::Engine& engine, std::span<const int32_t> tokens,
                                size_t n, const CallControl& control);

// How many of the last tokens are the question: the last line, and the lines before it until there
// are four; m / 8 tokens where that is more than m / 4, for a question's words count for little in
// the mean of many. `sequence` is not empty.
size_t question_tokens(const model::ModelConfig& config, const Sequence& sequence);

}  // namespace rpt::reader
