// Work on tensors that several threads do side by side.
#pragma once

#include <cstddef>
#include <functional>

namespace rpt::train {

// Calls work(0) .. work(count - 1) at the same time, each on a thread of its own with an equal
// share of the caller's compute threads, and waits for all. One call alone runs on the caller's
// thread. Throws what the first of them that failed has thrown, once all have ended.
void simultaneously(size_t count, const std::function<void(size_t)>& work);

}  // namespace rpt::train
