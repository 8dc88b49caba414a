#include "lab/engine/step_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

// One body, one copy for each instruction set: always_inline bodies take the target of the function
// around them.
#if defined(__x86_64__) && defined(__GNUC__)
#define RPT_STEP_X86 1
#endif
#define RPT_STEP_INLINE inline __attribute__((always_inline))

namespace rpt::engine {
namespace {

RPT_STEP_INLINE float dot_body(const float* a, const float* b, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

RPT_STEP_INLINE void rows_body(const float* matrix, const float* x, int64_t columns, int64_t begin,
                               int64_t end, bool add, float* out) {
    int64_t r = begin;
    // four rows at a time: x is loaded once, and four streams of weights keep the memory busy
    for (; r + 4 <= end; r += 4) {
        const float* m0 = matrix + r * columns;
        const float* m1 = m0 + columns;
        const float* m2 = m1 + columns;
        const float* m3 = m2 + columns;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
        for (int64_t c = 0; c < columns; ++c) {
            s0 += m0[c] * x[c];
            s1 += m1[c] * x[c];
            s2 += m2[c] * x[c];
            s3 += m3[c] * x[c];
        }
        out[r] = add ? out[r] + s0 : s0;
        out[r + 1] = add ? out[r + 1] + s1 : s1;
        out[r + 2] = add ? out[r + 2] + s2 : s2;
        out[r + 3] = add ? out[r + 3] + s3 : s3;
    }
    for (; r < end; ++r) {
        const float s = dot_body(matrix + r * columns, x, columns);
        out[r] = add ? out[r] + s : s;
    }
}

RPT_STEP_INLINE void attend_body(const AttendRow& a, float* scores, float* out) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(a.d));
    const int64_t extra = a.null_k != nullptr ? 1 : 0;
    if (extra != 0) scores[0] = scale * dot_body(a.q, a.null_k, a.d);
    for (int64_t i = 0; i < a.n_far; ++i)
        scores[extra + i] = scale * dot_body(a.q, a.far_k + i * a.step, a.d);
    const int64_t front = extra + a.n_far;
    for (int64_t i = 0; i < a.n; ++i) {
        const float s = scale * dot_body(a.q, a.k + i * a.step, a.d);
        scores[front + i] = a.mask != nullptr ? s + a.mask[i] : s;
    }
    const int64_t total = front + a.n;
    const float top = *std::max_element(scores, scores + total);
    float sum = 0;
    for (int64_t i = 0; i < total; ++i) {
        scores[i] = std::exp(scores[i] - top);
        sum += scores[i];
    }
    if (!a.add) std::memset(out, 0, static_cast<size_t>(a.d) * sizeof(float));
    for (int64_t i = 0; i < total; ++i) {
        const float p = a.weight * scores[i] / sum;
        const float* v = i < extra   ? a.null_v
                         : i < front ? a.far_v + (i - extra) * a.step
                                     : a.v + (i - front) * a.step;
#pragma omp simd
        for (int64_t c = 0; c < a.d; ++c) out[c] += p * v[c];
    }
}

using RowsFunction = void (*)(const float*, const float*, int64_t, int64_t, int64_t, bool, float*);
using AttendFunction = void (*)(const AttendRow&, float*, float*);

void rows_plain(const float* m, const float* x, int64_t n, int64_t b, int64_t e, bool add,
                float* out) {
    rows_body(m, x, n, b, e, add, out);
}
void attend_plain(const AttendRow& a, float* scores, float* out) {
    attend_body(a, scores, out);
}

#ifdef RPT_STEP_X86
__attribute__((target("avx2,fma"))) void rows_avx2(const float* m, const float* x, int64_t n,
                                                   int64_t b, int64_t e, bool add, float* out) {
    rows_body(m, x, n, b, e, add, out);
}
__attribute__((target("avx2,fma"))) void attend_avx2(const AttendRow& a, float* scores,
                                                     float* out) {
    attend_body(a, scores, out);
}
__attribute__((target("avx512f,avx512vl,avx2,fma"))) void rows_avx512(const float* m,
                                                                      const float* x, int64_t n,
                                                                      int64_t b, int64_t e,
                                                                      bool add, float* out) {
    rows_body(m, x, n, b, e, add, out);
}
__attribute__((target("avx512f,avx512vl,avx2,fma"))) void attend_avx512(const AttendRow& a,
                                                                        float* scores, float* out) {
    attend_body(a, scores, out);
}
#endif

struct Kernels {
    RowsFunction rows = rows_plain;
    AttendFunction attend = attend_plain;
};

Kernels pick_kernels() {
    Kernels k;
#ifdef RPT_STEP_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
        k = {rows_avx512, attend_avx512};
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        k = {rows_avx2, attend_avx2};
    }
#endif
    return k;
}

const Kernels& kernels() {
    static const Kernels picked = pick_kernels();
    return picked;
}

}  // namespace

void multiply_rows(const float* matrix, const float* x, int64_t columns, int64_t begin, int64_t end,
                   bool add, float* out) {
    kernels().rows(matrix, x, columns, begin, end, add, out);
}

void attend_row(const AttendRow& a, float* scores, float* out) {
    kernels().attend(a, scores, out);
}

void norm_row(const float* x, const float* gain, int64_t n, double eps, float* out) {
    if (gain == nullptr) {
        std::memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
        return;
    }
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
    const float scale = 1.0f / std::sqrt(sum / static_cast<float>(n) + static_cast<float>(eps));
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = x[i] * scale * gain[i];
}

void rotate_row(float* x, const float* factors, int64_t d, bool interleaved) {
    const int64_t half = d / 2;
    for (int64_t k = 0; k < half; ++k) {
        float& a = x[interleaved ? 2 * k : k];
        float& b = x[interleaved ? 2 * k + 1 : k + half];
        const float c = factors[2 * k], s = factors[2 * k + 1];
        const float turned = a * c - b * s;
        b = a * s + b * c;
        a = turned;
    }
}

void gelu_row(float* x, int64_t n) {
    constexpr float kRoot = 0.7978845608028654f;  // sqrt(2 / pi)
    for (int64_t i = 0; i < n; ++i) {
        const float inner = kRoot * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
        x[i] = 0.5f * x[i] * (1.0f + std::tanh(inner));
    }
}

void swiglu_row(float* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i) x[i] = x[i] / (1.0f + std::exp(-x[i])) * x[n + i];
}

}  // namespace rpt::engine
