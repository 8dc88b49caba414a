#pragma once

#include <malloc.h>

namespace rpt::lab {

// For commands that take and free the same large tensors every step. By default glibc hands each
// back to the kernel, and faulting the pages in again costs more than many of the operations on
// them. Where sizes vary, as in an evaluation, what is kept falls to pieces and grows instead.
inline void keep_large_blocks() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, -1);
    mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace rpt::lab
