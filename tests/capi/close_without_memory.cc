// Memory that runs out while a store is closed: the call says so or the store is closed, and its
// lock is free either way. In C++ for operator new alone, which the library shares with its host.
#include <atomic>
#include <cstdlib>
#include <new>

extern "C" {
#include "expect.h"
}

namespace {

// The allocation that fails, counted down by all threads; 0: none.
std::atomic<long> to_failure{0};

void* allocate(std::size_t size) {
    if (to_failure.load() > 0 && to_failure.fetch_sub(1) == 1) throw std::bad_alloc();
    if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) {
    return allocate(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    int failed = 0;
    for (long n = 1; n < 60; ++n) {
        // A fresh environment has no thread yet: closing is what starts the first one.
        rpt_env* env = nullptr;
        rpt_store* store = nullptr;
        rpt_store_options options = RPT_STORE_OPTIONS_INIT;
        EXPECT_OK(rpt_env_open(nullptr, &env, &err));
        options.flags = RPT_STORE_CREATE;
        options.model = p.model;
        EXPECT_OK(rpt_store_open(env, place_path(&p, "store"), &options, &store, &err));
        to_failure = n;
        const rpt_status status = rpt_store_close(store, &err);
        failed += status != RPT_OK;
        to_failure = 0;
        EXPECT(status == RPT_OK || status == RPT_ERR_NO_MEMORY || status == RPT_ERR_IO);
        // BUSY if the store were still open.
        EXPECT_OK(rpt_store_open(env, place_path(&p, "store"), &options, &store, &err));
        EXPECT_OK(rpt_store_close(store, &err));
        rpt_env_close(env);
    }
    EXPECT(failed < 59);
    place_close(&p);
    return 0;
}
