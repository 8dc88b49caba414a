// Long inputs in slices, where no backward pass needs what a layer makes on the way: a book is read
// whole in the memory that its hidden states take, not in that of its attention scores.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rpt::model {

// Whether in_slices() makes more than one call.
inline bool sliced(int64_t rows, int64_t at_once) {
    return rows > at_once && !at::GradMode::is_enabled();
}

// Rows [begin, begin + count); all of them are `x` itself, which costs a backward pass nothing.
inline at::Tensor rows_of(const at::Tensor& x, int64_t begin, int64_t count) {
    return !x.defined() || count == x.size(0) ? x : x.narrow(0, begin, count);
}

// f(begin, count) for rows [0, rows), joined along the first axis: in one call where gradients are
// kept or `at_once` rows are enough, otherwise in slices of `at_once`. Rows must not depend on one
// another.
template <typename F>
at::Tensor in_slices(int64_t rows, int64_t at_once, F f) {
    if (!sliced(rows, at_once)) return f(int64_t{0}, rows);
    std::vector<at::Tensor> parts;
    for (int64_t begin = 0; begin < rows; begin += at_once)
        parts.push_back(f(begin, std::min(at_once, rows - begin)));
    return at::cat(parts);
}

// Chunks whose neighbours are augmented, projected and read at once.
inline constexpr int64_t kMemorySlice = 512;

}  // namespace rpt::model
