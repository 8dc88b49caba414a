// A line on stderr that is rewritten in place; nothing when stderr is no terminal.
#pragma once

#include <chrono>
#include <string>

namespace rpt::lab {

class ProgressLine {
  public:
    explicit ProgressLine(bool quiet);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    // At most ten times a second, and not in the first two seconds.
    void show(const std::string& text);
    double seconds() const;

  private:
    bool on_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point start_;
    std::chrono::steady_clock::time_point last_;
};

// "1 h 05 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

}  // namespace rpt::lab
