#include "capi/worker.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"

namespace rpt::capi {
namespace {

TEST(WorkerPool, worker_runs_work_elsewhere_and_callbacks_here) {
    WorkerPool pool("test", 1, {});
    const auto here = std::this_thread::get_id();
    std::thread::id work, callback;
    pool.run({}, [&](Task& task) {
        work = std::this_thread::get_id();
        task.on_caller([&] { callback = std::this_thread::get_id(); });
    });
    EXPECT_NE(work, here);
    EXPECT_EQ(callback, here);
}

TEST(WorkerPool, worker_passes_exceptions_both_ways) {
    WorkerPool pool("test", 1, {});
    EXPECT_THROW(pool.run({}, [](Task&) { throw std::runtime_error("work"); }), std::runtime_error);
    bool seen = false;
    pool.run({}, [&](Task& task) {
        try {
            task.on_caller([] { throw std::logic_error("callback"); });
        } catch (const std::logic_error&) {
            seen = true;
        }
    });
    EXPECT_TRUE(seen);
}

TEST(WorkerPool, worker_callback_may_work_in_the_same_pool) {
    WorkerPool pool("test", 1, {});
    int depth = 0;
    const std::function<void(int)> nest = [&](int left) {
        pool.run({}, [&, left](Task& task) {
            ++depth;
            if (left) task.on_caller([&, left] { nest(left - 1); });
        });
    };
    nest(8);
    EXPECT_EQ(depth, 9);
}

TEST(WorkerPool, worker_width_bounds_what_runs_at_once) {
    for (unsigned width : {1u, 3u}) {
        WorkerPool pool("test", width, {});
        std::atomic<int> running{0}, most{0}, done{0};
        std::vector<std::thread> callers;
        for (int t = 0; t < 8; ++t) {
            callers.emplace_back([&] {
                for (int i = 0; i < 50; ++i) {
                    pool.run({}, [&](Task&) {
                        const int now = ++running;
                        for (int seen = most;
                             now > seen && !most.compare_exchange_weak(seen, now);) {
                        }
                        std::this_thread::yield();
                        --running;
                        ++done;
                    });
                }
            });
        }
        for (auto& caller : callers) caller.join();
        EXPECT_EQ(done, 400);
        EXPECT_LE(most, static_cast<int>(width));
    }
}

TEST(WorkerPool, worker_call_ends_while_it_waits_in_the_queue) {
    WorkerPool pool("test", 1, {});
    std::atomic<bool> hold{true}, started{false}, cancelled{false};
    std::thread first([&] {
        pool.run({}, [&](Task&) {
            started = true;
            while (hold) std::this_thread::yield();
        });
    });
    while (!started) std::this_thread::yield();
    bool ran = false;
    EXPECT_THROW(pool.run(CallControl(nullptr, 20), [&](Task&) { ran = true; }), Error);
    std::thread canceller([&] { cancelled = true; });
    EXPECT_THROW(pool.run(CallControl(&cancelled, 0), [&](Task&) { ran = true; }), Error);
    canceller.join();
    EXPECT_FALSE(ran);
    hold = false;
    first.join();
}

TEST(WorkerPool, worker_stop_ends_what_runs_and_refuses_the_rest) {
    WorkerPool pool("test", 2, {});
    std::atomic<int> done{0};
    std::vector<std::thread> callers;
    for (int t = 0; t < 6; ++t) {
        callers.emplace_back([&] {
            try {
                for (;;) pool.run({}, [&](Task& task) { task.on_caller([&] { ++done; }); });
            } catch (const Error& refused) {
                EXPECT_EQ(refused.status(), Status::kState);
            }
        });
    }
    while (done < 20) std::this_thread::yield();
    pool.stop();
    const int after = done;
    for (auto& caller : callers) caller.join();
    EXPECT_GE(after, 20);
    EXPECT_THROW(pool.run({}, [](Task&) {}), Error);
}

TEST(WorkerPool, worker_blocks_the_signals_of_the_host) {
    WorkerPool pool("test", 1, {});
    sigset_t mask;
    pool.run({}, [&](Task&) { pthread_sigmask(SIG_SETMASK, nullptr, &mask); });
    EXPECT_TRUE(sigismember(&mask, SIGINT));
    EXPECT_TRUE(sigismember(&mask, SIGUSR1));
    EXPECT_FALSE(sigismember(&mask, SIGSEGV));
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    EXPECT_FALSE(sigismember(&mask, SIGUSR1));
}

// Starts work and returns: the frame is gone when it runs.
TaskRef start_counting(WorkerPool& pool, const std::shared_ptr<std::atomic<int>>& count,
                       const std::shared_ptr<std::atomic<bool>>& hold) {
    return pool.start([count, hold](Task&) {
        while (*hold) std::this_thread::yield();
        ++*count;
    });
}

TEST(WorkerPool, worker_task_outlives_the_frame_that_started_it) {
    const auto count = std::make_shared<std::atomic<int>>(0);
    const auto hold = std::make_shared<std::atomic<bool>>(true);
    WorkerPool pool("test", 2, {});
    TaskRef first = start_counting(pool, count, hold);
    for (int i = 0; i < 9; ++i) start_counting(pool, count, hold);  // nobody waits for these
    EXPECT_EQ(*count, 0);
    *hold = false;
    first->wait({});
    pool.stop();
    EXPECT_EQ(*count, 10);
    EXPECT_EQ(count.use_count(), 1) << "a task keeps its work after it has run";
    EXPECT_THROW(pool.start([](Task&) {}), Error);
}

TEST(WorkerPool, worker_task_serves_callbacks_on_the_thread_that_waits) {
    WorkerPool pool("test", 1, {});
    std::thread::id callback;
    const TaskRef task = pool.start([&](Task& self) {
        self.on_caller([&] { callback = std::this_thread::get_id(); });
        throw std::runtime_error("at the end");
    });
    std::this_thread::yield();
    EXPECT_THROW(task->wait({}), std::runtime_error);
    EXPECT_EQ(callback, std::this_thread::get_id());
}

TEST(WorkerPool, worker_survives_a_thread_that_exits_in_its_callback) {
    WorkerPool pool("test", 1, {});
    bool failed = false;
    std::thread leaver([&] {
        pool.run({}, [&](Task& task) {
            try {
                task.on_caller([] { pthread_exit(nullptr); });
            } catch (const Error& failure) {
                failed = failure.status() == Status::kCallback;
            }
        });
    });
    leaver.join();
    EXPECT_TRUE(failed);
    bool ran = false;
    pool.run({}, [&](Task&) { ran = true; });
    EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace rpt::capi
