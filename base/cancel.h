// Cancellation and deadlines: asked for between layers, pages and tokens.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

namespace rpt {

// Control of one call. A value: one call, one thread; the flag it points to may be set from any thread.
class CallControl {
  public:
    using Progress = std::function<bool(uint64_t done, uint64_t total)>;  // false cancels

    CallControl() = default;
    // `flag` may be null and must outlive the call. `timeout_ms` 0: none; measured on the monotonic clock from here.
    CallControl(const std::atomic<bool>* flag, int64_t timeout_ms, Progress progress = {});

    // Throws kCancelled or kTimeout.
    void check() const;
    // As check(), after telling the progress callback; its `false` cancels.
    void report(uint64_t done, uint64_t total) const;

  private:
    const std::atomic<bool>* flag_ = nullptr;
    std::chrono::steady_clock::time_point deadline_{};
    bool has_deadline_ = false;
    int64_t timeout_ms_ = 0;
    Progress progress_;
};

}  // namespace rpt
