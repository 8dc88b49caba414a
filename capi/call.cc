#include "capi/call.h"

#include <cxxabi.h>

#include <new>

#include "base/error.h"
#include "capi/records.h"

namespace rpt::capi {

namespace {

void release(rpt_cancel* token) {
    if (token && token->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete token;
}

}  // namespace

Call::Call(const rpt_call* call, const std::atomic<bool>& fallback) {
    const rpt_call c = read_options(call, "call");
    check_flags(c.flags, 0, "call.flags");
    if (c.timeout_ms < 0) {
        throw Error(Status::kArgument, "rpt", "call.timeout_ms is negative; use 0 for no limit");
    }
    CallControl::Progress progress;
    if (c.progress) {
        progress = [this, c](uint64_t done, uint64_t total) {
            int32_t answer = 0;
            on_caller([&] { answer = c.progress(c.progress_user, done, total); });
            return answer == 0;
        };
    }
    control_ =
        CallControl(c.cancel ? &c.cancel->requested : &fallback, c.timeout_ms, std::move(progress));
    if (c.cancel) c.cancel->refs.fetch_add(1, std::memory_order_relaxed);
    token_ = c.cancel;
}

Call::~Call() {
    release(token_);
}

void Call::on_caller(const std::function<void()>& callback) const {
    const std::function<void()> guarded = [&] { run_host_code(callback); };
    if (task_) {
        task_->on_caller(guarded);
    } else {
        guarded();
    }
}

void run_host_code(const std::function<void()>& callback) {
    const CallbackScope scope;
    try {
        callback();
    } catch (abi::__forced_unwind&) {
        throw;
    } catch (...) {
        throw Error(Status::kCallback, "rpt",
                    "a callback of the host threw an exception; callbacks must not throw");
    }
}

bool go_on(int32_t answer) {
    if (answer < 0) {
        throw Error(Status::kCallback, "rpt",
                    "the callback of the host returned " + std::to_string(answer));
    }
    return answer == 0;
}

}  // namespace rpt::capi

rpt_cancel* rpt_cancel_new(void) {
    return new (std::nothrow) rpt_cancel;
}

void rpt_cancel_request(rpt_cancel* token) {
    static_assert(std::atomic<bool>::is_always_lock_free);
    if (token) token->requested.store(true, std::memory_order_relaxed);
}

void rpt_cancel_free(rpt_cancel* token) {
    rpt::capi::release(token);
}
