#include "capi/worker.h"

#include <cxxabi.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"

namespace rpt::capi {

namespace {

constexpr size_t kStackBytes = size_t{16} << 20;
// How often a call that still waits for a free worker looks at its token and deadline.
constexpr std::chrono::milliseconds kQueuePoll{5};

thread_local int callback_depth = 0;

// A thread of the host that is cancelled (pthread_cancel) must not unwind through a wait: the
// worker uses its stack.
class NoThreadCancel {
  public:
    NoThreadCancel() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    ~NoThreadCancel() { pthread_setcancelstate(before_, nullptr); }
    NoThreadCancel(const NoThreadCancel&) = delete;
    NoThreadCancel& operator=(const NoThreadCancel&) = delete;

  private:
    int before_ = 0;
};

// Everything but the faults that a thread causes itself: blocking those would hide crashes from the
// host's reporter.
sigset_t signals_for_others() {
    sigset_t set;
    sigfillset(&set);
    for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS})
        sigdelset(&set, own);
    return set;
}

}  // namespace

bool inside_callback() {
    return callback_depth > 0;
}
CallbackScope::CallbackScope() {
    ++callback_depth;
}
CallbackScope::~CallbackScope() {
    --callback_depth;
}

void Task::on_caller(const std::function<void()>& callback) {
    pool_.enter_callback();
    std::exception_ptr failure;
    {
        std::unique_lock lock(mutex_);
        if (abandoned_) {
            failure = std::make_exception_ptr(
                Error(Status::kCallback, "rpt", "the calling thread ended within a callback"));
        } else {
            callback_ = &callback;
            callback_failure_ = nullptr;
            state_ = State::kCallback;
            changed_.notify_all();
            changed_.wait(lock, [&] { return state_ == State::kRunning; });
            failure = std::exchange(callback_failure_, nullptr);
        }
    }
    pool_.leave_callback();
    if (failure) std::rethrow_exception(failure);
}

void Task::execute() {
    std::exception_ptr failure;
    try {
        work_(*this);
    } catch (abi::__forced_unwind&) {
        throw;
    } catch (...) {
        failure = std::current_exception();
    }
    work_ = {};
    std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
    state_ = State::kDone;
    changed_.notify_all();
}

void Task::run_callback(std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    std::exception_ptr failure;
    try {
        (*callback_)();
    } catch (abi::__forced_unwind&) {
        lock.lock();
        abandon(lock);
        throw;
    } catch (...) {
        failure = std::current_exception();
    }
    lock.lock();
    callback_failure_ = std::move(failure);
    state_ = State::kRunning;
    changed_.notify_all();
}

void Task::abandon(std::unique_lock<std::mutex>& lock) {
    abandoned_ = true;
    callback_failure_ = std::make_exception_ptr(
        Error(Status::kCallback, "rpt", "the calling thread ended within a callback"));
    state_ = State::kRunning;
    changed_.notify_all();
    changed_.wait(lock, [&] { return state_ == State::kDone; });
}

void Task::wait(const CallControl& control) {
    const NoThreadCancel no_cancel;
    std::unique_lock lock(mutex_);
    while (state_ != State::kDone) {
        if (state_ == State::kQueued) {
            changed_.wait_for(lock, kQueuePoll);
            if (state_ != State::kQueued) continue;
            lock.unlock();
            try {
                control.check();
            } catch (...) {
                if (pool_.withdraw(*this)) throw;
            }
            lock.lock();
        } else if (state_ == State::kCallback) {
            run_callback(lock);
        } else {
            changed_.wait(lock, [&] { return state_ != State::kRunning; });
        }
    }
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

WorkerPool::WorkerPool(const char* thread_name, unsigned width, std::function<void()> on_start)
    : thread_name_(thread_name), width_(width), on_start_(std::move(on_start)) {}

WorkerPool::~WorkerPool() {
    stop();
}

TaskRef WorkerPool::start(Work work) {
    TaskRef task = std::make_shared<Task>(*this, std::move(work));
    std::lock_guard lock(mutex_);
    if (stopping_) {
        throw Error(Status::kState, "rpt",
                    "the environment of this object is closed; open a new one");
    }
    queue_.push_back(task);
    try {
        wake_locked();
    } catch (...) {
        queue_.pop_back();
        throw;
    }
    return task;
}

void WorkerPool::run(const CallControl& control, Work work) {
    control.check();
    start(std::move(work))->wait(control);
}

bool WorkerPool::withdraw(const Task& task) {
    std::lock_guard lock(mutex_);
    const auto at = std::ranges::find(queue_, &task, &TaskRef::get);
    if (at == queue_.end()) return false;
    queue_.erase(at);
    return true;
}

void WorkerPool::wake_locked() {
    if (queue_.empty() || running_ >= width_) return;
    if (idle_ > 0) {
        work_there_.notify_one();
    } else {
        spawn_locked();
    }
}

void WorkerPool::spawn_locked() {
    threads_.reserve(threads_.size() + 1);
    const sigset_t blocked = signals_for_others();
    sigset_t before;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);  // the new thread inherits the mask
    pthread_t thread;
    const int failure = pthread_create(&thread, &attributes, &WorkerPool::thread_main, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (failure) {
        throw Error(Status::kNoMemory, "os",
                    "a worker thread cannot be started; raise the limit of threads", -1, failure);
    }
    pthread_setname_np(thread, thread_name_);
    threads_.push_back(thread);
}

void* WorkerPool::thread_main(void* self) {
    static_cast<WorkerPool*>(self)->loop();
    return nullptr;
}

void WorkerPool::loop() {
    if (on_start_) on_start_();
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        work_there_.wait(lock, [&] {
            return (!queue_.empty() && running_ < width_) || (stopping_ && queue_.empty());
        });
        --idle_;
        if (queue_.empty()) return;
        TaskRef task = std::move(queue_.front());
        queue_.pop_front();
        ++running_;
        {
            std::lock_guard state(task->mutex_);
            task->state_ = Task::State::kRunning;
            task->changed_.notify_all();
        }
        try {
            wake_locked();
        } catch (const std::exception&) {
            // no further thread to be had: what is queued waits for this one
        }
        lock.unlock();
        task->execute();
        task.reset();
        lock.lock();
        --running_;
        if (stopping_) work_there_.notify_all();
    }
}

void WorkerPool::enter_callback() {
    std::lock_guard lock(mutex_);
    --running_;
    try {
        wake_locked();
    } catch (const std::exception&) {
        // as above
    }
}

void WorkerPool::leave_callback() {
    // May exceed the width for a moment: better than making a callback's end wait for a stranger's
    // work.
    std::lock_guard lock(mutex_);
    ++running_;
}

void WorkerPool::stop() {
    for (;;) {  // a queued task that enters a callback may still start a thread
        std::vector<pthread_t> threads;
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
            threads.swap(threads_);
            work_there_.notify_all();
        }
        if (threads.empty()) return;
        for (pthread_t thread : threads) pthread_join(thread, nullptr);
    }
}

}  // namespace rpt::capi
