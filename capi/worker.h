// Threads of an environment. Work runs on them - large stack, signals blocked, one OpenMP team -
// while the thread that called the library waits and runs the callbacks.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

#include "base/cancel.h"

namespace rpt::capi {

class WorkerPool;

// One piece of work, on the stack of the thread that waits for it.
class Task {
  public:
    Task(WorkerPool& pool, const std::function<void()>& work) : pool_(pool), work_(work) {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

    // For the worker: runs `callback` on the waiting thread and returns when it has; passes on what
    // it threw.
    void on_caller(const std::function<void()>& callback);

  private:
    friend class WorkerPool;
    enum class State { kQueued, kRunning, kCallback, kDone };

    void execute();                         // worker
    void wait(const CallControl& control);  // caller: until done; throws what the work threw
    void run_callback(std::unique_lock<std::mutex>& lock);
    void abandon(std::unique_lock<std::mutex>& lock);

    WorkerPool& pool_;
    const std::function<void()>& work_;
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

    // Runs `work` on a worker; `task` given to `started` serves its callbacks. Throws what the work
    // throws, kState after stop(), kCancelled or kTimeout while still queued.
    void run(const CallControl& control, const std::function<void(Task&)>& work);
    // Refuses new work, waits for what runs and is queued, ends the threads. Twice is once.
    void stop();

  private:
    friend class Task;
    static void* thread_main(void* self);
    void loop();
    void submit(Task& task);
    bool withdraw(Task& task);  // false if a worker has it already
    void wake_locked();
    void spawn_locked();
    void enter_callback();
    void leave_callback();

    const char* const thread_name_;
    const unsigned width_;
    const std::function<void()> on_start_;
    std::mutex mutex_;  // guards everything below
    std::condition_variable work_there_;
    std::deque<Task*> queue_;
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
