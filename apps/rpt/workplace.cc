#include "apps/rpt/workplace.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "apps/rpt/default_model.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/model_location.h"
#include "apps/rpt/waiting.h"

namespace rpt::cli {
namespace {

constexpr int kFirstPauseMs = 20, kLongestPauseMs = 500;  // between two tries

int32_t on_progress(void* user, uint64_t done, uint64_t total) {
    auto* progress = static_cast<Progress*>(user);
    if (total > 0) progress->set_total(total);
    progress->set(done);
    return 0;
}

}  // namespace

Call::Call(Progress* progress) {
    call_.cancel = interrupt_token();
    if (progress != nullptr) {
        call_.progress = on_progress;
        call_.progress_user = progress;
    }
}

void wait_while_busy(const Settings& settings, const std::function<void()>& work) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::milliseconds(settings.wait_ms);
    for (int pause_ms = kFirstPauseMs;; pause_ms = std::min(2 * pause_ms, kLongestPauseMs)) {
        try {
            return work();
        } catch (const Failure& failure) {
            if (failure.status() != RPT_ERR_BUSY) throw;
            if (settings.wait_ms == 0)
                throw Failure(std::string(failure.what()) + "; --wait waits for it",
                              failure.exit_code(), failure.status());
            if (settings.wait_ms > 0 && Clock::now() >= end) throw;
        }
        if (wait_until_ready(-1, 0, pause_ms) == Ready::kStop)
            fail_stopped("another process writes to the memory");
    }
}

Workplace::Workplace(const Settings& settings) {
    rpt_env_options options = RPT_ENV_OPTIONS_INIT;
    options.compute_threads = settings.threads;
    rpt_env* opened = nullptr;
    Error error;
    error.check(rpt_env_open(&options, &opened, error.out()));
    env.reset(opened);
}

std::string Workplace::choose_model(const Settings& settings, const std::string& path) {
    std::error_code ignored;
    if (path.empty() ||
        !std::filesystem::exists(std::filesystem::path(path) / "store.sqlite", ignored))
        return default_model(env.get(), settings);
    open_store(settings, path, Access::kRead);
    std::string found = model_of_store(env.get(), store.get(), path);
    close_store();
    return found;
}

void Workplace::open_model(const Settings& settings, const std::string& path) {
    model_path_ =
        settings.model.empty() ? choose_model(settings, path) : find_model(settings.model);
    Progress progress("loading model", 0, Progress::Unit::kBytes, settings.quiet);
    Call call(&progress);
    rpt_model* opened = nullptr;
    Error error;
    error.check(
        rpt_model_open(env.get(), model_path_.c_str(), nullptr, call.get(), &opened, error.out()));
    model.reset(opened);
}

void Workplace::open_memory(const Settings& settings, const std::string& path, Access access) {
    if (access != Access::kCreate) {
        open_store(settings, path, Access::kRead);
        close_store();
    }
    open_model(settings, path);
    open_store(settings, path, access);
}

void Workplace::open_store(const Settings& settings, const std::string& path, Access access) {
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    options.cache_bytes = settings.cache_bytes;
    options.state_codec = settings.state_codec;
    options.model = model.get();
    if (access == Access::kRead) options.flags |= RPT_STORE_READ_ONLY;
    if (access == Access::kCreate) options.flags |= RPT_STORE_CREATE;
    wait_while_busy(settings, [&] {
        rpt_store* opened = nullptr;
        Error error;
        error.check(rpt_store_open(env.get(), path.c_str(), &options, &opened, error.out()));
        store.reset(opened);
    });
}

void Workplace::open_spaces(const Settings& settings, bool create) {
    if (!store) return;
    for (const std::string& collection : settings.collections) {
        rpt_space* opened = nullptr;
        Error error;
        error.check(rpt_space_open(store.get(), settings.owner.c_str(), collection.c_str(),
                                   create ? RPT_SPACE_CREATE : 0u, &opened, error.out()));
        spaces.emplace_back(opened);
    }
}

std::vector<rpt_space*> Workplace::borrowed_spaces() const {
    std::vector<rpt_space*> out;
    for (const Space& space : spaces) out.push_back(space.get());
    return out;
}

Session Workplace::new_session(bool with_memory, uint32_t neighbours, uint32_t reading) const {
    const auto borrowed = borrowed_spaces();
    rpt_session_options options = RPT_SESSION_OPTIONS_INIT;
    if (with_memory) {
        options.flags = RPT_SESSION_SELF_MEMORY;
        options.spaces = borrowed.data();
        options.n_spaces = borrowed.size();
        options.neighbours = neighbours;
        options.reading = reading;
    }
    rpt_session* opened = nullptr;
    Error error;
    error.check(rpt_session_new(model.get(), &options, &opened, error.out()));
    return Session(opened);
}

const rpt_model_info& Workplace::model_info() {
    model_info_ = {};
    model_info_.struct_size = sizeof(model_info_);
    Error error;
    error.check(rpt_model_get_info(model.get(), &model_info_, error.out()));
    return model_info_;
}

void Workplace::close_store() {
    spaces.clear();
    Error error;
    if (store) error.check(rpt_store_close(store.release(), error.out()));
}

}  // namespace rpt::cli
