// Sizes, times and counts as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rpt::cli {

// "512M", "2GiB", "1000": powers of 1024 for k, M, G, T; an optional "B" or "iB" after the letter.
std::optional<uint64_t> parse_size(std::string_view text);
// "30s", "1500ms", "2m", "1h", "45" (seconds), in milliseconds.
std::optional<int64_t> parse_duration_ms(std::string_view text);
// "10k", "1M", "250000": powers of 1000, for counts of tokens.
std::optional<uint64_t> parse_count(std::string_view text);

std::string format_size(uint64_t bytes);     // "1.5 MiB"
std::string format_count(uint64_t count);    // "1,234,567"
std::string format_seconds(double seconds);  // "850 ms", "12.3 s", "4 min 05 s"
// A time as it was given, in the largest unit that says it in whole numbers: "3 s", "1500 ms".
std::string format_duration_ms(int64_t ms);
std::string format_fixed(double value, int decimals);

}  // namespace rpt::cli
