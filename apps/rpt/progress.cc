#include "apps/rpt/progress.h"

#include <unistd.h>

#include <algorithm>

#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

constexpr double kSilentSeconds = 2.0;
constexpr double kRedrawSeconds = 0.1;
constexpr int kBarWidth = 24;

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
}

}  // namespace

Progress::Progress(std::string what, uint64_t total, Unit unit, bool quiet)
    : what_(std::move(what)),
      total_(total),
      unit_(unit),
      enabled_(!quiet && isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_) {}

Progress::~Progress() {
    clear();
}

void Progress::set(uint64_t done) {
    done_ = done;
    if (!enabled_) return;
    const auto now = std::chrono::steady_clock::now();
    if (seconds_between(start_, now) < kSilentSeconds) return;
    if (visible_ && seconds_between(drawn_, now) < kRedrawSeconds) return;
    drawn_ = now;
    draw(seconds_between(start_, now));
}

std::string Progress::amount(double value) const {
    const auto whole = static_cast<uint64_t>(std::max(0.0, value));
    switch (unit_) {
        case Unit::kBytes:
            return format_size(whole);
        case Unit::kTokens:
            return format_count(whole) + " tokens";
        case Unit::kCount:
            return format_count(whole);
    }
    return {};
}

void Progress::draw(double seconds) {
    const double rate = static_cast<double>(done_) / seconds;
    std::string line = what_ + " ";
    if (total_ > 0) {
        const double share =
            std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
        const int full = static_cast<int>(share * kBarWidth);
        line += "[" + std::string(static_cast<size_t>(full), '#') +
                std::string(static_cast<size_t>(kBarWidth - full), '.') + "] " +
                format_fixed(share * 100, 0) + "% ";
    }
    line += amount(static_cast<double>(done_)) + ", " + amount(rate) + "/s";
    if (total_ > done_ && rate > 0) {
        line += ", " + format_seconds(static_cast<double>(total_ - done_) / rate) + " left";
    }
    complain("\r\033[K" + line);
    visible_ = true;
}

void Progress::clear() {
    if (!visible_) return;
    complain("\r\033[K");
    visible_ = false;
}

}  // namespace rpt::cli
