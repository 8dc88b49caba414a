#include "base/dot_rows.h"

#include <algorithm>
#include <cmath>

#include "base/cpu_features.h"
#include "base/half.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rpt {
namespace plain {
namespace {

float fold(float* sums) {
    for (size_t width = kLanes / 2; width > 0; width /= 2)
        for (size_t l = 0; l < width; ++l) sums[l] += sums[l + width];
    return sums[0];
}

}  // namespace

void dot_rows(const uint16_t* rows, size_t n, size_t columns, const float* query, float* out) {
    for (size_t i = 0; i < n; ++i) {
        float sums[kLanes] = {};
        for (size_t c = 0; c < columns; ++c)
            sums[c % kLanes] =
                std::fma(from_half(rows[i * columns + c]), query[c], sums[c % kLanes]);
        out[i] = fold(sums);
    }
}

void dot_some_rows(const uint16_t* rows, const uint32_t* which, size_t n, size_t columns,
                   const float* query, float* out) {
    for (size_t i = 0; i < n; ++i)
        plain::dot_rows(rows + which[i] * columns, 1, columns, query, out + i);
}

float dot_pair(const uint16_t* a, const uint16_t* b, size_t columns) {
    float sums[kLanes] = {};
    for (size_t c = 0; c < columns; ++c)
        sums[c % kLanes] = std::fma(from_half(a[c]), from_half(b[c]), sums[c % kLanes]);
    return fold(sums);
}

}  // namespace plain

#if defined(__x86_64__)
namespace {

// Asks for the cache lines of up to four of `which` from i on.
inline void fetch_rows(const uint16_t* rows, const uint32_t* which, size_t i, size_t n,
                       size_t columns) {
    for (const size_t end = std::min(i + 4, n); i < end; ++i)
        for (size_t c = 0; c < columns; c += 32) __builtin_prefetch(rows + which[i] * columns + c);
}

}  // namespace

namespace avx2 {
namespace {

__attribute__((target("avx2,fma,f16c"))) inline __m256 widen(const uint16_t* halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
}

// low holds sums 0..7, high 8..15
__attribute__((target("avx2,fma,f16c"))) inline float fold(__m256 low, __m256 high) {
    const __m256 eight = _mm256_add_ps(low, high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

// Four rows at once hide the latency of the sums.
__attribute__((target("avx2,fma,f16c"))) inline void dot_four(const uint16_t* const* four,
                                                              size_t columns, const float* query,
                                                              float* out) {
    __m256 low[4], high[4];
    for (int k = 0; k < 4; ++k) low[k] = high[k] = _mm256_setzero_ps();
    for (size_t c = 0; c < columns; c += kLanes) {
        const __m256 q_low = _mm256_loadu_ps(query + c), q_high = _mm256_loadu_ps(query + c + 8);
        for (int k = 0; k < 4; ++k) {
            low[k] = _mm256_fmadd_ps(widen(four[k] + c), q_low, low[k]);
            high[k] = _mm256_fmadd_ps(widen(four[k] + c + 8), q_high, high[k]);
        }
    }
    for (int k = 0; k < 4; ++k) out[k] = fold(low[k], high[k]);
}

__attribute__((target("avx2,fma,f16c"))) inline float dot_one(const uint16_t* row, size_t columns,
                                                              const float* query) {
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (size_t c = 0; c < columns; c += kLanes) {
        low = _mm256_fmadd_ps(widen(row + c), _mm256_loadu_ps(query + c), low);
        high = _mm256_fmadd_ps(widen(row + c + 8), _mm256_loadu_ps(query + c + 8), high);
    }
    return fold(low, high);
}

}  // namespace

bool supported() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

__attribute__((target("avx2,fma,f16c"))) void dot_rows(const uint16_t* rows, size_t n,
                                                       size_t columns, const float* query,
                                                       float* out) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint16_t* first = rows + i * columns;
        const uint16_t* const four[4] = {first, first + columns, first + 2 * columns,
                                         first + 3 * columns};
        dot_four(four, columns, query, out + i);
    }
    for (; i < n; ++i) out[i] = dot_one(rows + i * columns, columns, query);
}

__attribute__((target("avx2,fma,f16c"))) void dot_some_rows(const uint16_t* rows,
                                                            const uint32_t* which, size_t n,
                                                            size_t columns, const float* query,
                                                            float* out) {
    fetch_rows(rows, which, 0, n, columns);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        fetch_rows(rows, which, i + 4, n, columns);
        const uint16_t* const four[4] = {rows + which[i] * columns, rows + which[i + 1] * columns,
                                         rows + which[i + 2] * columns,
                                         rows + which[i + 3] * columns};
        dot_four(four, columns, query, out + i);
    }
    for (; i < n; ++i) out[i] = dot_one(rows + which[i] * columns, columns, query);
}

__attribute__((target("avx2,fma,f16c"))) float dot_pair(const uint16_t* a, const uint16_t* b,
                                                        size_t columns) {
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (size_t c = 0; c < columns; c += kLanes) {
        low = _mm256_fmadd_ps(widen(a + c), widen(b + c), low);
        high = _mm256_fmadd_ps(widen(a + c + 8), widen(b + c + 8), high);
    }
    return fold(low, high);
}
}  // namespace avx2

namespace avx512 {
namespace {

// The zero-masked intrinsics with full masks are the plain ones without GCC 12's false
// "uninitialized" warnings.
__attribute__((target("avx512f,avx2,fma,f16c"))) inline __m512 widen(const uint16_t* halves) {
    return _mm512_maskz_cvtph_ps(0xFFFF,
                                 _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
}

__attribute__((target("avx512f,avx2,fma,f16c"))) inline float fold(__m512 sums) {
    const __m256 low =
        _mm256_castpd_ps(_mm512_maskz_extractf64x4_pd(0xFF, _mm512_castps_pd(sums), 0));
    const __m256 high =
        _mm256_castpd_ps(_mm512_maskz_extractf64x4_pd(0xFF, _mm512_castps_pd(sums), 1));
    const __m256 eight = _mm256_add_ps(low, high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

__attribute__((target("avx512f,avx2,fma,f16c"))) inline float dot_one(const uint16_t* row,
                                                                      size_t columns,
                                                                      const float* query) {
    __m512 sums = _mm512_setzero_ps();
    for (size_t c = 0; c < columns; c += kLanes)
        sums = _mm512_fmadd_ps(widen(row + c), _mm512_loadu_ps(query + c), sums);
    return fold(sums);
}

}  // namespace

bool supported() {
    return __builtin_cpu_supports("avx512f") && avx2::supported();
}

__attribute__((target("avx512f,avx2,fma,f16c"))) void dot_rows(const uint16_t* rows, size_t n,
                                                               size_t columns, const float* query,
                                                               float* out) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const uint16_t* first = rows + i * columns;
        __m512 sums[8];
        for (int k = 0; k < 8; ++k) sums[k] = _mm512_setzero_ps();
        for (size_t c = 0; c < columns; c += kLanes) {
            const __m512 q = _mm512_loadu_ps(query + c);
            for (size_t k = 0; k < 8; ++k)
                sums[k] = _mm512_fmadd_ps(widen(first + k * columns + c), q, sums[k]);
        }
        for (int k = 0; k < 8; ++k) out[i + k] = fold(sums[k]);
    }
    for (; i < n; ++i) out[i] = dot_one(rows + i * columns, columns, query);
}

__attribute__((target("avx512f,avx2,fma,f16c"))) void dot_some_rows(const uint16_t* rows,
                                                                    const uint32_t* which, size_t n,
                                                                    size_t columns,
                                                                    const float* query,
                                                                    float* out) {
    fetch_rows(rows, which, 0, n, columns);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        fetch_rows(rows, which, i + 4, n, columns);
        const uint16_t* four[4];
        __m512 sums[4];
        for (size_t k = 0; k < 4; ++k) {
            four[k] = rows + which[i + k] * columns;
            sums[k] = _mm512_setzero_ps();
        }
        for (size_t c = 0; c < columns; c += kLanes) {
            const __m512 q = _mm512_loadu_ps(query + c);
            for (size_t k = 0; k < 4; ++k)
                sums[k] = _mm512_fmadd_ps(widen(four[k] + c), q, sums[k]);
        }
        for (size_t k = 0; k < 4; ++k) out[i + k] = fold(sums[k]);
    }
    for (; i < n; ++i) out[i] = dot_one(rows + which[i] * columns, columns, query);
}

__attribute__((target("avx512f,avx2,fma,f16c"))) float dot_pair(const uint16_t* a,
                                                                const uint16_t* b, size_t columns) {
    __m512 sums = _mm512_setzero_ps();
    for (size_t c = 0; c < columns; c += kLanes)
        sums = _mm512_fmadd_ps(widen(a + c), widen(b + c), sums);
    return fold(sums);
}
}  // namespace avx512
#endif

namespace {

struct Kernels {
    decltype(&plain::dot_rows) rows = plain::dot_rows;
    decltype(&plain::dot_some_rows) some = plain::dot_some_rows;
    decltype(&plain::dot_pair) pair = plain::dot_pair;
};

Kernels choose() {
#if defined(__x86_64__)
    if (avx512::supported()) return {avx512::dot_rows, avx512::dot_some_rows, avx512::dot_pair};
    if (avx2::supported()) return {avx2::dot_rows, avx2::dot_some_rows, avx2::dot_pair};
#endif
    return {};
}

const Kernels& kernels() {
    static const Kernels chosen = choose();
    return chosen;
}

}  // namespace

void dot_rows(const uint16_t* rows, size_t n, size_t columns, const float* query, float* out) {
    kernels().rows(rows, n, columns, query, out);
}

void dot_some_rows(const uint16_t* rows, const uint32_t* which, size_t n, size_t columns,
                   const float* query, float* out) {
    kernels().some(rows, which, n, columns, query, out);
}

float dot_pair(const uint16_t* a, const uint16_t* b, size_t columns) {
    return kernels().pair(a, b, columns);
}

}  // namespace rpt
