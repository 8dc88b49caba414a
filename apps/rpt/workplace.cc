#include "apps/rpt/workplace.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "apps/rpt/interrupt.h"
#include "apps/rpt/model_location.h"

namespace rpt::cli {
namespace {

int32_t on_progress(void* user, uint64_t done, uint64_t total) {
    auto* progress = static_cast<Progress*>(user);
    if (total > 0) progress->set_total(total);
    progress->set(done);
    return 0;
}

}  // namespace

Call::Call(const Settings& settings, Progress* progress) {
    if (settings.timeout_ms > 0) {
        const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - settings.start);
        call_.timeout_ms = std::max<int64_t>(1, settings.timeout_ms - spent.count());
    }
    call_.cancel = interrupt_token();
    if (progress != nullptr) {
        call_.progress = on_progress;
        call_.progress_user = progress;
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

void Workplace::open_model(const Settings& settings) {
    const std::string path = find_model(settings.model);
    Progress progress("loading model", 0, Progress::Unit::kBytes, settings.quiet);
    Call call(settings, &progress);
    rpt_model* opened = nullptr;
    Error error;
    error.check(rpt_model_open(env.get(), path.c_str(), nullptr, call.get(), &opened, error.out()));
    model.reset(opened);
}

void Workplace::open_store(const Settings& settings, const std::string& path, Access access) {
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    options.cache_bytes = settings.cache_bytes;
    options.state_codec = settings.state_codec;
    options.model = model.get();
    if (access == Access::kRead) options.flags |= RPT_STORE_READ_ONLY;
    if (access == Access::kCreate) options.flags |= RPT_STORE_CREATE;
    rpt_store* opened = nullptr;
    Error error;
    error.check(rpt_store_open(env.get(), path.c_str(), &options, &opened, error.out()));
    store.reset(opened);
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

Session Workplace::new_session(bool with_memory, uint32_t neighbours) const {
    const auto borrowed = borrowed_spaces();
    rpt_session_options options = RPT_SESSION_OPTIONS_INIT;
    if (with_memory) {
        options.flags = RPT_SESSION_SELF_MEMORY;
        options.spaces = borrowed.data();
        options.n_spaces = borrowed.size();
        options.neighbours = neighbours;
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

std::string read_text_file(const std::string& path) {
    const bool is_stdin = path == "-";
    const int fd = is_stdin ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw Failure("\"" + path + "\": " + std::strerror(errno));
    std::string text;
    std::string piece(1 << 16, '\0');
    for (;;) {
        const ssize_t got = read(fd, piece.data(), piece.size());
        if (got > 0) {
            text.append(piece.data(), static_cast<size_t>(got));
            continue;
        }
        const int reason = got < 0 ? errno : 0;
        if (reason == EINTR && !interrupted()) continue;
        if (!is_stdin) close(fd);
        if (interrupted()) throw Failure("interrupted", kExitInterrupted);
        if (reason != 0) throw Failure("\"" + path + "\": " + std::strerror(reason));
        return text;
    }
}

}  // namespace rpt::cli
