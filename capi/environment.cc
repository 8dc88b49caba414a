#include "capi/environment.h"

#include <cstdio>
#include <exception>
#include <mutex>
#include <optional>
#include <string>

#include "capi/guard.h"
#include "capi/records.h"
#include "core/engine/engine_factory.h"

namespace rpt::capi {

namespace {

constexpr unsigned kDiskWorkers = 4;
constexpr uint32_t kMaxWorkers = 64;
constexpr uint32_t kMaxComputeThreads = 1024;
constexpr size_t kLogLine = 1024;

// LibTorch has one thread count a process: the first environment that is opened decides. Trivially
// destructible.
constinit std::mutex compute_mutex;  // guards the two below
constinit bool compute_decided = false;
constinit uint32_t compute_asked = 0;

// One, unless asked: a model of the shipped size gains nothing from a second thread
// (docs/performance.md), and threads that wait for each other spin, which costs a busy host dear.
constexpr uint32_t kDefaultComputeThreads = 1;

// What the first environment decided.
uint32_t decide_compute_threads(uint32_t asked) {
    std::lock_guard lock(compute_mutex);
    if (!compute_decided) {
        compute_decided = true;
        compute_asked = asked ? asked : kDefaultComputeThreads;
    }
    return compute_asked;
}

// OpenMP keeps the count a thread, so every worker sets it for itself.
void start_model_worker() {
    try {
        engine::set_compute_threads(static_cast<int>(decide_compute_threads(0)));
    } catch (const std::exception&) {
        // the count is about speed alone
    }
}

}  // namespace

Environment::Environment(const rpt_env_options& options)
    : log_level_(options.log_level),
      log_(options.log),
      log_user_(options.log_user),
      models_("rpt-model", options.worker_threads ? options.worker_threads : 1, start_model_worker),
      disks_("rpt-disk", kDiskWorkers, {}) {
    const uint32_t in_force = decide_compute_threads(options.compute_threads);
    if (options.compute_threads && options.compute_threads != in_force) {
        log(RPT_LOG_WARN, "rpt",
            "compute_threads stay at " + std::to_string(in_force) +
                ", which the first environment of this process chose; " +
                std::to_string(options.compute_threads) + " is not used");
    }
}

void Environment::run(WorkerPool& pool, Call& call, const std::function<void()>& work) {
    if (ending()) {
        throw Error(Status::kState, "rpt",
                    "the environment of this object is closed; open a new one");
    }
    pool.run(call.control(), [&](Task& task) {
        const Call::Binding binding(call, task);
        work();
    });
}

void Environment::dispose(const std::function<void()>& work) noexcept {
    try {
        Call call;
        bool done = false;
        try {
            access(call, [&] {
                done = true;
                work();
            });
        } catch (const std::exception&) {
            if (done) throw;
            work();  // ended, or no thread or memory to be had for a worker
        }
    } catch (const std::exception& failure) {
        log(RPT_LOG_ERROR, "rpt", failure.what());
    }
}

void Environment::log(int32_t level, const char* domain, std::string_view text) const noexcept {
    if (!log_ || level > log_level_) return;
    char line[kLogLine];
    const int size =
        std::snprintf(line, sizeof line, "%.*s", static_cast<int>(text.size()), text.data());
    if (size < 0) return;
    const size_t kept =
        static_cast<size_t>(size) < sizeof line ? static_cast<size_t>(size) : sizeof line - 1;
    log_(log_user_, level, domain, line, kept);
}

void Environment::end() {
    ending_.store(true);
    if (inside_callback()) {
        log(RPT_LOG_WARN, "rpt",
            "rpt_env_close within a callback does not wait for the call in progress");
        return;
    }
    models_.stop();
    disks_.stop();
}

}  // namespace rpt::capi

using namespace rpt::capi;

rpt_status rpt_env_open(const rpt_env_options* options, rpt_env** out, rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        const rpt_env_options o = read_options(options, "options");
        check_flags(o.flags, 0, "options.flags");
        check_reserved(o.reserved0, "options");
        if (o.worker_threads > kMaxWorkers || o.compute_threads > kMaxComputeThreads ||
            o.log_level < 0 || o.log_level > RPT_LOG_DEBUG) {
            throw rpt::Error(
                rpt::Status::kArgument, "rpt",
                "environment options out of range: worker_threads to 64, compute_threads to 1024, "
                "log_level 0 to 4");
        }
        auto environment = std::make_shared<Environment>(o);
        environment->log(RPT_LOG_DEBUG, "rpt", rpt_build_info());
        *out = new rpt_env(std::move(environment));
    });
}

void rpt_env_close(rpt_env* env) {
    if (!env || env->foreign()) return;
    env->environment->end();
    delete env;
}
