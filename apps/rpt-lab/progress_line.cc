#include "apps/rpt-lab/progress_line.h"

#include <cstdio>

#include <unistd.h>

namespace rpt::lab {

using Clock = std::chrono::steady_clock;

ProgressLine::ProgressLine(bool quiet)
    : on_(!quiet && ::isatty(STDERR_FILENO)), start_(Clock::now()), last_(start_) {}

ProgressLine::~ProgressLine() {
    if (shown_) std::fputc('\n', stderr);
}

double ProgressLine::seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
}

void ProgressLine::show(const std::string& text) {
    const auto now = Clock::now();
    if (!on_ || now - start_ < std::chrono::seconds(2) ||
        now - last_ < std::chrono::milliseconds(100))
        return;
    last_ = now;
    shown_ = true;
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
}

std::string duration_text(double seconds) {
    const auto whole = static_cast<long>(seconds);
    char text[32];
    if (whole >= 3600) {
        std::snprintf(text, sizeof text, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
    } else if (whole >= 60) {
        std::snprintf(text, sizeof text, "%ld min %02ld s", whole / 60, whole % 60);
    } else {
        std::snprintf(text, sizeof text, "%ld s", whole);
    }
    return text;
}

}  // namespace rpt::lab
