// Threads of an environment. Work runs on them - large stack, signals blocked, one OpenMP team -
// while the thread that called the library waits and runs the callbacks.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/cancel.h"

namespace rpt::capi {

class WorkerPool;

class Task;
using TaskRef = std::shared_ptr<Task>;
using Work = std::function<void(Task&)>;

// One piece of work and how far it is. On the heap, held by the queue or the worker and by whoever
// waits for it: the frame that started it may be gone before it ends, if the work borrows nothing
// from there.
class Task {
  public:
    Task(WorkerPool& pool, Work work) : pool_(pool), work_(std::move(work)) {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

    // Until it is done, on the thread that is to run the callbacks; one thread alone waits. Throws
    // what the work threw. While it is still queued, kCancelled and kTimeout take it back: it has
    // not run then and never will.
    void wait(const CallControl& control);

    // For the worker: runs `callback` on the waiting thread and returns when it has; passes on what
    // it threw.
    void on_caller(const std::function<void()>& callback);

  private:
    friend class WorkerPool;
    enum class State { kQueued, kRunning, kCallback, kDone };

    void execute();
    void run_callback(std::unique_lock<std::mutex>& lock);
    void abandon(std::unique_lock<std::mutex>& lock);

    WorkerPool& pool_;
    Work work_;         // dropped with what it holds when it has run
    std::mutex mutex_;  // guards everything below
    std::condition_variable changed_;
    State state_ = State::kQueued;
    const std::function<void()>* callback_ = nullptr;
    std::exception_ptr callback_failure_;
    std::exception_ptr failure_;
    bool abandoned_ = false;  // the waiting thread is being unwound and runs no more callbacks
};

// At most `width` tasks compute at once. A task that waits for a callback does not count, so a
// callback may start work of its own in the same pool; threads are added when that needs them.
// Shared by threads.
class WorkerPool {
  public:
    // `on_start` runs first on every thread.
    WorkerPool(const char* thread_name, unsigned width, std::function<void()> on_start);
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    ~WorkerPool();

    // Queues `work` and returns at once; the task that it is given serves its callbacks. A task
    // that nobody waits for runs all the same, and waits at its first callback. kState after
    // stop().
    TaskRef start(Work work);
    // start() and Task::wait(): `work` may borrow from the caller's frame.
    void run(const CallControl& control, Work work);
    // Refuses new work, waits for what runs and is queued, ends the threads. Twice is once.
    void stop();

  private:
    friend class Task;
    static void* thread_main(void* self);
    void loop();
    bool withdraw(const Task& task);  // false if a worker has it already
    void wake_locked();
    void spawn_locked();
    void enter_callback();
    void leave_callback();

    const char* const thread_name_;
    const unsigned width_;
    const std::function<void()> on_start_;
    std::mutex mutex_;  // guards everything below
    std::condition_variable work_there_;
    std::deque<TaskRef> queue_;
    std::vector<pthread_t> threads_;
    unsigned idle_ = 0, running_ = 0;
    bool stopping_ = false;
};

// True on a thread that is within a callback of the library.
bool inside_callback();

// Marks the current thread as running a callback of the host.
class CallbackScope {
  public:
    CallbackScope();
    ~CallbackScope();
    CallbackScope(const CallbackScope&) = delete;
    CallbackScope& operator=(const CallbackScope&) = delete;
};

}  // namespace rpt::capi
