// rpt_cancel and rpt_call: how one call is ended early and told about.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/cancel.h"
#include "capi/worker.h"
#include "include/rpt.h"

// Counted by the host (once) and by calls in progress. The flag is lock-free: a request is one
// store.
struct rpt_cancel {
    std::atomic<uint32_t> refs{1};
    std::atomic<bool> requested{false};
};

namespace rpt::capi {

// Control of one call while it lasts. One thread at a time: the caller's, or the worker's while it
// waits.
class Call {
  public:
    // Without limits: closing and freeing.
    Call() = default;
    // `fallback` is watched if the call brings no token.
    Call(const rpt_call* call, const std::atomic<bool>& fallback);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();

    const CallControl& control() const { return control_; }
    // From the worker: runs code of the host on the thread that called.
    void on_caller(const std::function<void()>& callback) const;

    // Ties the call to its task while the work runs.
    class Binding {
      public:
        Binding(Call& call, Task& task) : call_(call) { call_.task_ = &task; }
        ~Binding() { call_.task_ = nullptr; }
        Binding(const Binding&) = delete;
        Binding& operator=(const Binding&) = delete;

      private:
        Call& call_;
    };

  private:
    rpt_cancel* token_ = nullptr;
    CallControl control_;
    Task* task_ = nullptr;
};

// Runs a callback of the host on this thread; an exception of it becomes kCallback.
void run_host_code(const std::function<void()>& callback);
// A visitor's answer: true to go on, false to end; kCallback if negative.
bool go_on(int32_t answer);

}  // namespace rpt::capi
