#include "apps/rpt/quantities.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace rpt::cli {
namespace {

struct Parsed {
    double value;
    std::string_view unit;
};

std::optional<Parsed> split(std::string_view text) {
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !(value >= 0) || std::isinf(value)) return std::nullopt;
    return Parsed{value, text.substr(static_cast<size_t>(end - text.data()))};
}

std::optional<uint64_t> whole(double value) {
    if (value >= 9.0e18) return std::nullopt;
    return static_cast<uint64_t>(std::llround(value));
}

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
    auto parsed = split(text);
    if (!parsed) return std::nullopt;
    double scale = 1;
    std::string_view unit = parsed->unit;
    if (!unit.empty() && unit != "B") {
        static constexpr std::string_view kLetters = "kKmMgGtT";
        const auto letter = kLetters.find(unit[0]);
        if (letter == std::string_view::npos) return std::nullopt;
        const auto power = letter / 2;
        const std::string_view rest = unit.substr(1);
        if (!rest.empty() && rest != "B" && rest != "iB") return std::nullopt;
        scale = std::pow(1024.0, static_cast<double>(power + 1));
    }
    return whole(parsed->value * scale);
}

std::optional<int64_t> parse_duration_ms(std::string_view text) {
    auto parsed = split(text);
    if (!parsed) return std::nullopt;
    double scale = 0;
    if (parsed->unit == "ms") scale = 1;
    if (parsed->unit.empty() || parsed->unit == "s") scale = 1e3;
    if (parsed->unit == "m" || parsed->unit == "min") scale = 60e3;
    if (parsed->unit == "h") scale = 3600e3;
    if (scale == 0) return std::nullopt;
    auto ms = whole(parsed->value * scale);
    if (!ms) return std::nullopt;
    return static_cast<int64_t>(*ms);
}

std::optional<uint64_t> parse_count(std::string_view text) {
    auto parsed = split(text);
    if (!parsed) return std::nullopt;
    double scale = 0;
    if (parsed->unit.empty()) scale = 1;
    if (parsed->unit == "k" || parsed->unit == "K") scale = 1e3;
    if (parsed->unit == "m" || parsed->unit == "M") scale = 1e6;
    if (scale == 0) return std::nullopt;
    return whole(parsed->value * scale);
}

std::string format_fixed(double value, int decimals) {
    std::array<char, 400> buffer{};
    auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                      std::chars_format::fixed, decimals);
    return error == std::errc() ? std::string(buffer.data(), end) : "?";
}

std::string format_size(uint64_t bytes) {
    static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return format_fixed(value, unit == 0 || value >= 100 ? 0 : 1) + " " + kUnits[unit];
}

std::string format_count(uint64_t count) {
    const std::string digits = std::to_string(count);
    std::string out;
    for (size_t at = 0; at < digits.size(); ++at) {
        if (at > 0 && (digits.size() - at) % 3 == 0) out += ',';
        out += digits[at];
    }
    return out;
}

std::string format_seconds(double seconds) {
    if (seconds < 1) return format_fixed(seconds * 1e3, seconds < 0.01 ? 2 : 0) + " ms";
    if (seconds < 60) return format_fixed(seconds, 1) + " s";
    const auto total = static_cast<uint64_t>(seconds + 0.5);
    const uint64_t rest = total % 60;
    return std::to_string(total / 60) + " min " + (rest < 10 ? "0" : "") + std::to_string(rest) +
           " s";
}

std::string format_duration_ms(int64_t ms) {
    static constexpr struct {
        int64_t ms;
        const char* name;
    } kUnits[] = {{3'600'000, " h"}, {60'000, " min"}, {1'000, " s"}};
    for (const auto& unit : kUnits) {
        if (ms >= unit.ms && ms % unit.ms == 0) return std::to_string(ms / unit.ms) + unit.name;
    }
    return std::to_string(ms) + " ms";
}

}  // namespace rpt::cli
