// The query that a text asks the memory with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"

namespace rpt::reader {

// Query [d] of the last whole chunk of `tokens` (input positions from <|bos|> on, not empty), or of
// the unfinished one if none is whole. Encodes on the canonical grid of blocks, from at most two
// blocks before that chunk's: what lies further away counts for next to nothing.
std::vector<float> chunk_query(const engine::Engine& engine, std::span<const int32_t> tokens,
                               const CallControl& control);

}  // namespace rpt::reader
