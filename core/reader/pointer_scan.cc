#include "core/reader/pointer_scan.h"

#include <algorithm>
#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rpt::reader {

namespace {

constexpr size_t kBlock = 64;         // bytes of a row that the widest path takes at once
constexpr float kMostNumber = 32639;  // 127 * 256 + 127

inline float score_of(int32_t sum, float scale, const PointerQuery& query) {
    return scale * (query.scale() * static_cast<float>(sum - query.offset()));
}

// Bytes [begin, row_bytes) of one row.
inline int32_t sum_of(const uint8_t* row, size_t begin, const PointerQuery& query) {
    int32_t sum = 0;
    for (size_t c = begin; c < query.row_bytes(); ++c) {
        const int32_t low = row[c] & 15, high = row[c] >> 4;
        sum += low * (256 * query.low_coarse()[c] + query.low_fine()[c]) +
               high * (256 * query.high_coarse()[c] + query.high_fine()[c]);
    }
    return sum;
}

// Which rows a scan takes: all, or those of a list.
struct Every {
    size_t operator()(size_t i) const { return i; }
};
struct Listed {
    const uint32_t* which;
    size_t operator()(size_t i) const { return which[i]; }
};

template <class Rows>
void scan_plainly(const Rows& row_of, const uint8_t* rows, const float* scales, size_t begin,
                  size_t n, const PointerQuery& query, float* out) {
    for (size_t i = begin; i < n; ++i) {
        const size_t row = row_of(i);
        out[i] = score_of(sum_of(rows + row * query.row_bytes(), 0, query), scales[row], query);
    }
}

}  // namespace

PointerQuery::PointerQuery(std::span<const float> numbers)
    : row_bytes_((numbers.size() + 1) / 2),
      padded_((row_bytes_ + kBlock - 1) / kBlock * kBlock),
      planes_(4 * padded_) {
    float largest = 0;
    for (const float number : numbers)
        if (!(std::abs(number) <= largest)) largest = std::abs(number);
    if (!std::ranges::all_of(numbers, [](float number) { return std::isfinite(number); })) return;
    if (!(largest >= 0x1p-60f && largest <= 0x1p60f)) return;  // no direction: every score is 0
    scale_ = largest / kMostNumber;
    for (size_t i = 0; i < numbers.size(); ++i) {
        const auto whole = static_cast<int32_t>(std::nearbyint(numbers[i] / scale_));
        const int32_t coarse = (whole + 128) >> 8;
        int8_t* fine = planes_.data() + (i % 2 == 0 ? 0 : 2 * padded_);
        fine[i / 2] = static_cast<int8_t>(whole - 256 * coarse);
        fine[padded_ + i / 2] = static_cast<int8_t>(coarse);
        offset_ += 8 * whole;
    }
}

namespace plain {

void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out) {
    scan_plainly(Every{}, rows, scales, 0, n, query, out);
}

void scan_some_pointers(const uint8_t* rows, const float* scales, const uint32_t* which, size_t n,
                        const PointerQuery& query, float* out) {
    scan_plainly(Listed{which}, rows, scales, 0, n, query, out);
}

}  // namespace plain

#if defined(__x86_64__)
namespace avx2 {
namespace {

__attribute__((target("avx2"))) inline __m256i load(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

// Sums of the row's first whole blocks of 32 bytes, in eight parts.
__attribute__((target("avx2"))) inline __m256i sum_blocks(const uint8_t* row, size_t end,
                                                          const PointerQuery& query) {
    const __m256i mask = _mm256_set1_epi8(15), one = _mm256_set1_epi16(1),
                  many = _mm256_set1_epi16(256);
    __m256i sum = _mm256_setzero_si256();
    for (size_t c = 0; c < end; c += 32) {
        const __m256i bytes = load(row + c), low = _mm256_and_si256(bytes, mask),
                      high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
        // at most 4 * 15 * 128 in 16 bits
        const __m256i fine =
            _mm256_add_epi16(_mm256_maddubs_epi16(low, load(query.low_fine() + c)),
                             _mm256_maddubs_epi16(high, load(query.high_fine() + c)));
        const __m256i coarse =
            _mm256_add_epi16(_mm256_maddubs_epi16(low, load(query.low_coarse() + c)),
                             _mm256_maddubs_epi16(high, load(query.high_coarse() + c)));
        sum = _mm256_add_epi32(
            sum, _mm256_add_epi32(_mm256_madd_epi16(fine, one), _mm256_madd_epi16(coarse, many)));
    }
    return sum;
}

template <class Rows>
__attribute__((target("avx2"))) void scan(const Rows& row_of, const uint8_t* rows,
                                          const float* scales, size_t n, const PointerQuery& query,
                                          float* out) {
    const size_t row_bytes = query.row_bytes(), end = row_bytes / 32 * 32;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint8_t* row[4];
        for (size_t k = 0; k < 4; ++k) row[k] = rows + row_of(i + k) * row_bytes;
        const __m256i two =
            _mm256_hadd_epi32(sum_blocks(row[0], end, query), sum_blocks(row[1], end, query));
        const __m256i other =
            _mm256_hadd_epi32(sum_blocks(row[2], end, query), sum_blocks(row[3], end, query));
        const __m256i all = _mm256_hadd_epi32(two, other);
        alignas(16) int32_t sums[4];
        _mm_store_si128(
            reinterpret_cast<__m128i*>(sums),
            _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
        for (size_t k = 0; k < 4; ++k)
            out[i + k] =
                score_of(sums[k] + sum_of(row[k], end, query), scales[row_of(i + k)], query);
    }
    scan_plainly(row_of, rows, scales, i, n, query, out);
}

}  // namespace

bool supported() {
    return __builtin_cpu_supports("avx2");
}

void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out) {
    scan(Every{}, rows, scales, n, query, out);
}

void scan_some_pointers(const uint8_t* rows, const float* scales, const uint32_t* which, size_t n,
                        const PointerQuery& query, float* out) {
    scan(Listed{which}, rows, scales, n, query, out);
}

}  // namespace avx2

namespace avx512 {
namespace {

// Sums of a row in sixteen parts. The last block is masked. Zero-masked intrinsics with full masks
// are the plain ones without GCC 12's false "uninitialized" warnings.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2"))) inline __m512i sum_row(
    const uint8_t* row, const PointerQuery& query) {
    const __m512i mask = _mm512_set1_epi8(15);
    const size_t row_bytes = query.row_bytes();
    __m512i fine = _mm512_setzero_si512(), coarse = _mm512_setzero_si512();
    for (size_t c = 0; c < row_bytes; c += kBlock) {
        const size_t left = row_bytes - c;
        const __mmask64 there = left >= kBlock ? ~__mmask64(0) : (__mmask64(1) << left) - 1;
        const __m512i bytes = _mm512_maskz_loadu_epi8(there, row + c);
        const __m512i low = _mm512_and_si512(bytes, mask),
                      high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask);
        fine = _mm512_dpbusd_epi32(fine, low, _mm512_loadu_si512(query.low_fine() + c));
        coarse = _mm512_dpbusd_epi32(coarse, low, _mm512_loadu_si512(query.low_coarse() + c));
        fine = _mm512_dpbusd_epi32(fine, high, _mm512_loadu_si512(query.high_fine() + c));
        coarse = _mm512_dpbusd_epi32(coarse, high, _mm512_loadu_si512(query.high_coarse() + c));
    }
    return _mm512_add_epi32(fine, _mm512_maskz_slli_epi32(__mmask16(0xFFFF), coarse, 8));
}

// Parts of a and b, half as many of each, side by side in every 64 bits.
__attribute__((target("avx512f"))) inline __m512i fold(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_maskz_unpacklo_epi32(0xFFFF, a, b),
                            _mm512_maskz_unpackhi_epi32(0xFFFF, a, b));
}

template <class Rows>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2"))) void scan(
    const Rows& row_of, const uint8_t* rows, const float* scales, size_t n,
    const PointerQuery& query, float* out) {
    const size_t row_bytes = query.row_bytes();
    const __m128i offset = _mm_set1_epi32(query.offset());
    const __m128 scale = _mm_set1_ps(query.scale());
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const size_t at[4] = {row_of(i), row_of(i + 1), row_of(i + 2), row_of(i + 3)};
        const __m512i two = fold(sum_row(rows + at[0] * row_bytes, query),
                                 sum_row(rows + at[1] * row_bytes, query));
        const __m512i other = fold(sum_row(rows + at[2] * row_bytes, query),
                                   sum_row(rows + at[3] * row_bytes, query));
        // Sums of the four rows in every 128 bits, four times.
        const __m512i all = _mm512_add_epi32(_mm512_maskz_unpacklo_epi64(0xFF, two, other),
                                             _mm512_maskz_unpackhi_epi64(0xFF, two, other));
        const __m256i half = _mm256_add_epi32(_mm512_maskz_extracti64x4_epi64(0xFF, all, 0),
                                              _mm512_maskz_extracti64x4_epi64(0xFF, all, 1));
        const __m128i sums =
            _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
        const __m128 apart = _mm_cvtepi32_ps(_mm_sub_epi32(sums, offset));
        const __m128 of_rows =
            _mm_setr_ps(scales[at[0]], scales[at[1]], scales[at[2]], scales[at[3]]);
        _mm_storeu_ps(out + i, _mm_mul_ps(of_rows, _mm_mul_ps(scale, apart)));
    }
    scan_plainly(row_of, rows, scales, i, n, query, out);
}

}  // namespace

bool supported() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
           avx2::supported();
}

void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out) {
    scan(Every{}, rows, scales, n, query, out);
}

void scan_some_pointers(const uint8_t* rows, const float* scales, const uint32_t* which, size_t n,
                        const PointerQuery& query, float* out) {
    scan(Listed{which}, rows, scales, n, query, out);
}

}  // namespace avx512
#endif

namespace {

struct Chosen {
    decltype(&plain::scan_pointers) every = plain::scan_pointers;
    decltype(&plain::scan_some_pointers) some = plain::scan_some_pointers;
};

Chosen choose() {
#if defined(__x86_64__)
    if (avx512::supported()) return {avx512::scan_pointers, avx512::scan_some_pointers};
    if (avx2::supported()) return {avx2::scan_pointers, avx2::scan_some_pointers};
#endif
    return {};
}

const Chosen& chosen() {
    static const Chosen chosen = choose();
    return chosen;
}

}  // namespace

void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out) {
    chosen().every(rows, scales, n, query, out);
}

void scan_some_pointers(const uint8_t* rows, const float* scales, const uint32_t* which, size_t n,
                        const PointerQuery& query, float* out) {
    chosen().some(rows, scales, which, n, query, out);
}

}  // namespace rpt::reader
