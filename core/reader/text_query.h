// The query that a text asks the memory with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"

namespace rpt::reader {

// Query [d] of the last m of `tokens` (input positions from <|bos|> on, not empty), of all if there
// are fewer: what is read now, wherever borders of chunks lie. Encoded behind the chunk before it,
// as the chunks of a store are.
std::vector<float> latest_query(const engine::Engine& engine, std::span<const int32_t> tokens,
                                const CallControl& control);

}  // namespace rpt::reader
