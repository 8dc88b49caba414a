// rpt_env: worker threads and log. Shared by threads; every other object keeps it alive.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "capi/call.h"
#include "capi/handle.h"
#include "capi/worker.h"
#include "include/rpt.h"

namespace rpt::capi {

class Environment {
  public:
    explicit Environment(const rpt_env_options& options);
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    // Runs model work / disk work on a worker; `call` serves its progress and callbacks. Throws
    // what the work throws.
    void compute(Call& call, const std::function<void()>& work) { run(models_, call, work); }
    void access(Call& call, const std::function<void()>& work) { run(disks_, call, work); }
    // For closing and freeing: on a worker, or right here if the environment has ended. What it
    // throws goes to the log.
    void dispose(const std::function<void()>& work) noexcept;
    // Whole lines; formats into a stack buffer, so that it works when memory is out.
    void log(int32_t level, const char* domain, std::string_view text) const noexcept;
    // See rpt_env_close. From within a callback it only refuses new work.
    void end();
    // Becomes true when the environment ends: the token of calls that brought none.
    const std::atomic<bool>& ending() const { return ending_; }

  private:
    void run(WorkerPool& pool, Call& call, const std::function<void()>& work);

    const int32_t log_level_;
    const rpt_log_fn log_;
    void* const log_user_;
    std::atomic<bool> ending_{false};
    WorkerPool models_;
    WorkerPool disks_;
};

using EnvironmentRef = std::shared_ptr<Environment>;

// Destroys `object` on a worker of its environment, which outlives it. T has a function
// environment().
template <class T>
void dispose_handle(T* object) {
    const EnvironmentRef environment = object->environment();
    environment->dispose([object] { delete object; });
}

}  // namespace rpt::capi

struct rpt_env : rpt::capi::Handle {
    explicit rpt_env(rpt::capi::EnvironmentRef e) : environment(std::move(e)) {}
    const rpt::capi::EnvironmentRef environment;
};
