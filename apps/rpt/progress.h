// A bar on stderr for work that takes more than two seconds, if somebody looks at a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace rpt::cli {

class Progress {
  public:
    enum class Unit { kBytes, kTokens, kCount };
    // `total` 0: not known, the bar shows amount and rate alone.
    Progress(std::string what, uint64_t total, Unit unit, bool quiet);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void set(uint64_t done);
    void add(uint64_t more) { set(done_ + more); }
    void set_total(uint64_t total) { total_ = total; }
    void set_what(std::string what) { what_ = std::move(what); }
    // Takes the bar off the screen, so that something else can be written; the next set() brings it
    // back.
    void clear();

  private:
    void draw(double seconds);
    std::string amount(double value) const;

    std::string what_;
    uint64_t total_, done_ = 0;
    Unit unit_;
    bool enabled_, visible_ = false;
    std::chrono::steady_clock::time_point start_, drawn_;
};

}  // namespace rpt::cli
