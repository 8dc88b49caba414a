#include "lab/train/simultaneously.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <exception>
#include <thread>
#include <vector>

namespace rpt::train {

void simultaneously(size_t count, const std::function<void(size_t)>& work) {
    if (count == 1) return work(0);
    const int share = std::max(1, at::get_num_threads() / static_cast<int>(count));
    std::vector<std::exception_ptr> failures(count);
    {
        std::vector<std::jthread> threads;
        for (size_t i = 0; i < count; ++i) {
            threads.emplace_back([&, i] {
                try {
                    at::set_num_threads(share);  // of this thread alone
                    work(i);
                } catch (...) {
                    failures[i] = std::current_exception();
                }
            });
        }
    }
    for (const std::exception_ptr& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
}

}  // namespace rpt::train
