#include "base/cancel.h"

#include <string>
#include <utility>

#include "base/error.h"

namespace rpt {

CallControl::CallControl(const std::atomic<bool>* flag, int64_t timeout_ms, Progress progress)
    : flag_(flag), has_deadline_(timeout_ms > 0), timeout_ms_(timeout_ms), progress_(std::move(progress)) {
    if (has_deadline_) deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
}

void CallControl::check() const {
    if (flag_ && flag_->load(std::memory_order_relaxed)) {
        throw Error(Status::kCancelled, "rpt", "cancelled by the caller");
    }
    if (has_deadline_ && std::chrono::steady_clock::now() >= deadline_) {
        throw Error(Status::kTimeout, "rpt",
                    "not done after " + std::to_string(timeout_ms_) + " ms; allow more time or ask for less");
    }
}

void CallControl::report(uint64_t done, uint64_t total) const {
    check();
    if (progress_ && !progress_(done, total)) {
        throw Error(Status::kCancelled, "rpt", "cancelled by the progress callback");
    }
}

}  // namespace rpt
