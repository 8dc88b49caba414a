#include "apps/rpt/moment.h"

#include <time.h>

#include <array>
#include <string>

#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

constexpr int64_t kDayMs = 24 * 3600 * 1000;

std::optional<int64_t> parse_date_ms(const std::string& text) {
    constexpr std::array kForms{"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S",
                                "%Y-%m-%dT%H:%M:%S"};
    for (const char* form : kForms) {
        std::tm parts = {};
        const char* end = ::strptime(text.c_str(), form, &parts);
        if (end == nullptr || *end != '\0') continue;
        const int day = parts.tm_mday;
        const int64_t seconds = ::timegm(&parts);
        if (parts.tm_mday != day) return std::nullopt;  // the 31st of a month of 30 days
        return seconds * 1000;
    }
    return std::nullopt;
}

}  // namespace

std::optional<int64_t> parse_moment_ms(std::string_view text, int64_t now_ms) {
    if (const auto date = parse_date_ms(std::string(text))) return date;
    if (text.ends_with('d')) {
        const auto days = parse_count(text.substr(0, text.size() - 1));
        if (!days || *days > 1'000'000) return std::nullopt;
        return now_ms - static_cast<int64_t>(*days) * kDayMs;
    }
    const auto duration = parse_duration_ms(text);
    return duration ? std::optional(now_ms - *duration) : std::nullopt;
}

}  // namespace rpt::cli
