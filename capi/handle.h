// What every handle of rpt.h carries, and how an entry point takes hold of one.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace rpt::capi {

// Number of this process; differs in a forked child.
int64_t process_number();

// Base of all handles. Const after construction; shared by threads.
struct Handle {
    const int64_t process = process_number();
    bool foreign() const { return process != process_number(); }
};

[[noreturn]] void throw_null(const char* name);
[[noreturn]] void throw_forked(const char* name);
[[noreturn]] void throw_in_use(const char* name);

// The object behind a handle, or kArgument / kForked naming the parameter.
template <class T>
T& require(T* handle, const char* name) {
    if (!handle) throw_null(name);
    if (handle->foreign()) throw_forked(name);
    return *handle;
}

// Base of handles that one thread at a time may use. `refs` counts the owner and the call in
// progress, so that freeing an object from within a callback of its own call takes effect when that
// call has left it.
struct OwnedHandle : Handle {
    std::atomic<uint32_t> refs{1};
    std::atomic<bool> busy{false};
};

// Holds an owned object for the duration of one call; kBusy if another call has it. T offers static
// destroy(T*).
template <class T>
class Use {
  public:
    Use(T* handle, const char* name) : object_(&require(handle, name)) {
        if (object_->busy.exchange(true, std::memory_order_acquire)) throw_in_use(name);
        object_->refs.fetch_add(1, std::memory_order_relaxed);
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
        object_->busy.store(false, std::memory_order_release);
        release(object_);
    }
    T* operator->() const { return object_; }

    // Gives up one reference; the last one destroys.
    static void release(T* object) {
        if (object->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) T::destroy(object);
    }

  private:
    T* object_;
};

}  // namespace rpt::capi
