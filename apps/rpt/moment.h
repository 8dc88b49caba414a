// Moments as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rpt::cli {

// Milliseconds since 1970 of "2026-11-30", "2026-11-30 17:40" or "2026-11-30T17:40:05" (UTC, as rpt
// prints times), or of so long before `now_ms`: "7d", "12h", "30m", "45s".
std::optional<int64_t> parse_moment_ms(std::string_view text, int64_t now_ms);

}  // namespace rpt::cli
