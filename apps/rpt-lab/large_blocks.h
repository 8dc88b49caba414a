// What the C library does with memory that a model has freed.
#pragma once

#include <malloc.h>

#include <cstddef>

namespace rpt::lab {

// A model takes and frees the same large tensors again and again. By default glibc hands each back
// to the kernel, and faulting the pages in again costs more than many of the operations on them.
inline void keep_large_blocks() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, -1);
    mallopt(M_TOP_PAD, 64 << 20);
}

// Between texts of different sizes: blocks kept of one fall to pieces among those of the next, and
// what is held grows with every text. Giving all back costs a tenth of a text's time.
inline void give_back_many_free_blocks() {
    constexpr size_t kMany = size_t{4} << 30;
    if (mallinfo2().fordblks > kMany) malloc_trim(0);
}

}  // namespace rpt::lab
