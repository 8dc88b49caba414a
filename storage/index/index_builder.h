// One background thread that builds graphs over spaces that grew.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "storage/index/space_index.h"

namespace rpt::storage {

// Shared by threads. The thread starts with the first request and is joined by stop(); until a
// graph is ready searches scan exactly, so that nothing waits for it.
class IndexBuilder {
  public:
    // `built` runs on the thread after each build.
    explicit IndexBuilder(std::function<void(SpaceIndex&)> built) : built_(std::move(built)) {}
    ~IndexBuilder() { stop(); }

    void request(std::shared_ptr<SpaceIndex> index);
    // Cuts a running build short.
    void stop();

  private:
    void run() noexcept;

    const std::function<void(SpaceIndex&)> built_;
    std::atomic<bool> stop_{false};
    std::mutex mutex_;  // guards queue_, busy_ and thread_
    std::condition_variable wake_;
    std::deque<std::shared_ptr<SpaceIndex>> queue_;
    std::shared_ptr<SpaceIndex> busy_;
    std::thread thread_;
};

// How many threads a build may use.
unsigned build_threads();

}  // namespace rpt::storage
