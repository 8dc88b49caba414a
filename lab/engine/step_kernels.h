// Small dense kernels for one token on the CPU: plain loops, compiled for several instruction sets
// and picked at run time. Where LibTorch would spend its time on calls, not on numbers.
#pragma once

#include <cstdint>

namespace rpt::engine {

// out[r] (+)= sum_c matrix[r, c] x[c] for rows [begin, end); `matrix` row-major.
void multiply_rows(const float* matrix, const float* x, int64_t columns, int64_t begin, int64_t end,
                   bool add, float* out);

// RMSNorm of x [n]; a null gain copies.
void norm_row(const float* x, const float* gain, int64_t n, double eps, float* out);

// Attention of one query head over `n` keys: `k` and `v` are rows of d numbers, `step` apart.
// `mask` is additive or null; `null_k`, `null_v` are one more key in front, or null. `scores` is
// room for 1 + n_far + n numbers. With `add` the result times `weight` is added to `out`.
struct AttendRow {
    const float* q;
    const float* k;
    const float* v;
    int64_t n, d, step;
    const float* mask;
    const float* null_k;
    const float* null_v;
    float weight = 1;
    bool add = false;
    // `n_far` more rows, which stand before the others and are never masked; `step` apart too.
    const float* far_k = nullptr;
    const float* far_v = nullptr;
    int64_t n_far = 0;
};
void attend_row(const AttendRow& a, float* scores, float* out);

// In place, d numbers: pairs turned by (cos, sin) given as d / 2 pairs.
void rotate_row(float* x, const float* factors, int64_t d, bool interleaved);

// In place: gelu (tanh form) of n numbers; silu(x[i]) * x[n + i] into x[i].
void gelu_row(float* x, int64_t n);
void swiglu_row(float* x, int64_t n);

}  // namespace rpt::engine
