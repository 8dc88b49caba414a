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
    for (size_t i = 0; i < n; ++i)
        out[i] = score_of(sum_of(rows + i * query.row_bytes(), 0, query), scales[i], query);
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

}  // namespace

bool supported() {
    return __builtin_cpu_supports("avx2");
}

__attribute__((target("avx2"))) void scan_pointers(const uint8_t* rows, const float* scales,
                                                   size_t n, const PointerQuery& query,
                                                   float* out) {
    const size_t row_bytes = query.row_bytes(), end = row_bytes / 32 * 32;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint8_t* row = rows + i * row_bytes;
        const __m256i two =
            _mm256_hadd_epi32(sum_blocks(row, end, query), sum_blocks(row + row_bytes, end, query));
        const __m256i other = _mm256_hadd_epi32(sum_blocks(row + 2 * row_bytes, end, query),
                                                sum_blocks(row + 3 * row_bytes, end, query));
        const __m256i all = _mm256_hadd_epi32(two, other);
        alignas(16) int32_t sums[4];
        _mm_store_si128(
            reinterpret_cast<__m128i*>(sums),
            _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
        for (size_t k = 0; k < 4; ++k)
            out[i + k] =
                score_of(sums[k] + sum_of(row + k * row_bytes, end, query), scales[i + k], query);
    }
    plain::scan_pointers(rows + i * row_bytes, scales + i, n - i, query, out + i);
}

}  // namespace avx2

namespace avx512 {
namespace {

// Sums of a row in eight parts. The last block is masked. Zero-masked intrinsics with full masks
// are the plain ones without GCC 12's false "uninitialized" warnings.
__attribute__((target("avx512f,avx512bw,avx2"))) inline __m256i sum_row(const uint8_t* row,
                                                                        const PointerQuery& query) {
    const __m512i mask = _mm512_set1_epi8(15), one = _mm512_set1_epi16(1),
                  many = _mm512_set1_epi16(256);
    const size_t row_bytes = query.row_bytes();
    __m512i sum = _mm512_setzero_si512();
    for (size_t c = 0; c < row_bytes; c += kBlock) {
        const size_t left = row_bytes - c;
        const __mmask64 there = left >= kBlock ? ~__mmask64(0) : (__mmask64(1) << left) - 1;
        const __m512i bytes = _mm512_maskz_loadu_epi8(there, row + c);
        const __m512i low = _mm512_and_si512(bytes, mask),
                      high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask);
        const __m512i fine =
            _mm512_add_epi16(_mm512_maddubs_epi16(low, _mm512_loadu_si512(query.low_fine() + c)),
                             _mm512_maddubs_epi16(high, _mm512_loadu_si512(query.high_fine() + c)));
        const __m512i coarse = _mm512_add_epi16(
            _mm512_maddubs_epi16(low, _mm512_loadu_si512(query.low_coarse() + c)),
            _mm512_maddubs_epi16(high, _mm512_loadu_si512(query.high_coarse() + c)));
        sum = _mm512_add_epi32(
            sum, _mm512_add_epi32(_mm512_madd_epi16(fine, one), _mm512_madd_epi16(coarse, many)));
    }
    return _mm256_add_epi32(_mm512_maskz_extracti64x4_epi64(0xFF, sum, 0),
                            _mm512_maskz_extracti64x4_epi64(0xFF, sum, 1));
}

}  // namespace

bool supported() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           avx2::supported();
}

__attribute__((target("avx512f,avx512bw,avx2"))) void scan_pointers(const uint8_t* rows,
                                                                    const float* scales, size_t n,
                                                                    const PointerQuery& query,
                                                                    float* out) {
    const size_t row_bytes = query.row_bytes();
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint8_t* row = rows + i * row_bytes;
        const __m256i two = _mm256_hadd_epi32(sum_row(row, query), sum_row(row + row_bytes, query));
        const __m256i other = _mm256_hadd_epi32(sum_row(row + 2 * row_bytes, query),
                                                sum_row(row + 3 * row_bytes, query));
        const __m256i all = _mm256_hadd_epi32(two, other);
        alignas(16) int32_t sums[4];
        _mm_store_si128(
            reinterpret_cast<__m128i*>(sums),
            _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
        for (size_t k = 0; k < 4; ++k) out[i + k] = score_of(sums[k], scales[i + k], query);
    }
    plain::scan_pointers(rows + i * row_bytes, scales + i, n - i, query, out + i);
}

}  // namespace avx512
#endif

namespace {

decltype(&plain::scan_pointers) choose() {
#if defined(__x86_64__)
    if (avx512::supported()) return avx512::scan_pointers;
    if (avx2::supported()) return avx2::scan_pointers;
#endif
    return plain::scan_pointers;
}

}  // namespace

void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out) {
    static const auto chosen = choose();
    chosen(rows, scales, n, query, out);
}

}  // namespace rpt::reader
