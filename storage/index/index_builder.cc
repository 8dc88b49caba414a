#include "storage/index/index_builder.h"

#include <algorithm>
#include <system_error>

namespace rpt::storage {

unsigned build_threads() {
    return std::clamp(std::thread::hardware_concurrency(), 1u, 4u);
}

void IndexBuilder::request(std::shared_ptr<SpaceIndex> index) {
    if (stop_ || !index->wants_build()) return;
    const std::lock_guard guard(mutex_);
    if (stop_ || busy_ == index || std::ranges::find(queue_, index) != queue_.end()) return;
    try {
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {  // no thread to be had: searches stay exact and slower
        return;
    }
    queue_.push_back(std::move(index));
    wake_.notify_one();
}

void IndexBuilder::stop() {
    std::thread thread;
    {
        const std::lock_guard guard(mutex_);
        stop_ = true;
        thread.swap(thread_);
    }
    wake_.notify_all();
    if (thread.joinable()) thread.join();
}

void IndexBuilder::run() noexcept {
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            busy_ = nullptr;
            wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
            if (stop_) return;
            busy_ = std::move(queue_.front());
            queue_.pop_front();
        }
        try {
            if (busy_->build(false, build_threads(), stop_)) built_(*busy_);
        } catch (
            ...) {  // out of memory: searches stay exact and slower, the next request tries again
        }
    }
}

}  // namespace rpt::storage
