#include "core/reader/sign_scan.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/reader/pointer_scan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rpt::reader {
namespace {

constexpr size_t kRows = storage::PointerPage::kBlock;
constexpr size_t kGroup = 4;      // numbers of a table
constexpr float kMostEntry = 63;  // four entries fit a byte
static_assert(kRows == 64, "a block is one vector of bytes");

}  // namespace

SignQuery::SignQuery(std::span<const float> numbers)
    : tables_(32 * storage::sign_bytes(static_cast<uint32_t>(numbers.size()))) {
    if (!std::ranges::all_of(numbers, [](float x) { return std::abs(x) <= 0x1p60f; })) return;
    const size_t groups = tables_.size() / 16;
    std::vector<float> reach(groups);  // of a group: its sums lie within +-reach
    for (size_t j = 0; j < numbers.size(); ++j) reach[j / kGroup] += std::abs(numbers[j]);
    const float largest = *std::ranges::max_element(reach);
    if (!(largest >= 0x1p-60f)) return;  // no direction: all rows are alike
    const float step = 2 * largest / kMostEntry;
    double centre = 0;
    for (size_t g = 0; g < groups; ++g) {
        centre += static_cast<double>(reach[g] / step);
        for (size_t bits = 0; bits < 16; ++bits) {
            float sum = reach[g];
            for (size_t k = 0; k < kGroup && kGroup * g + k < numbers.size(); ++k)
                sum += (bits >> k & 1) != 0 ? numbers[kGroup * g + k] : -numbers[kGroup * g + k];
            tables_[16 * g + bits] =
                static_cast<uint8_t>(std::clamp(std::nearbyint(sum / step), 0.0f, kMostEntry));
        }
    }
    centre_ = static_cast<uint32_t>(std::nearbyint(centre));
    while (centre_ >> halvings_ > 255) ++halvings_;
}

namespace plain {

void scan_signs(const uint8_t* signs, size_t n_blocks, const SignQuery& query, uint8_t* out) {
    const size_t sign_bytes = query.sign_bytes();
    for (size_t b = 0; b < n_blocks; ++b)
        for (size_t r = 0; r < kRows; ++r) {
            uint32_t sum = 0;
            for (size_t p = 0; p < sign_bytes; ++p) {
                const uint8_t byte = signs[(b * sign_bytes + p) * kRows + r];
                sum += query.tables(p)[byte & 15] + query.tables(p)[16 + (byte >> 4)];
            }
            out[b * kRows + r] = static_cast<uint8_t>(
                std::min((sum - std::min(sum, query.centre())) >> query.halvings(), uint32_t{255}));
        }
}

uint64_t reach(const uint8_t* numbers, uint8_t level) {
    uint64_t bits = 0;
    for (size_t i = 0; i < kRows; ++i) bits |= uint64_t{numbers[i] >= level} << i;
    return bits;
}

}  // namespace plain

#if defined(__x86_64__)
namespace avx2 {

// Two registers of 32 rows. Entries of up to two bytes of signs are added as bytes, then the sums
// of even and odd rows in 16 bits.
__attribute__((target("avx2"))) void scan_signs(const uint8_t* signs, size_t n_blocks,
                                                const SignQuery& query, uint8_t* out) {
    const size_t sign_bytes = query.sign_bytes();
    const __m128i halvings = _mm_cvtsi32_si128(static_cast<int>(query.halvings()));
    const __m256i half = _mm256_set1_epi8(15), low_byte = _mm256_set1_epi16(255),
                  centre = _mm256_set1_epi16(static_cast<int16_t>(query.centre()));
    for (size_t i = 0; i < 2 * n_blocks; ++i) {
        const uint8_t* block = signs + (i / 2) * sign_bytes * kRows + i % 2 * 32;
        __m256i even = _mm256_setzero_si256(), odd = even;
        for (size_t p = 0; p < sign_bytes; p += 2) {
            __m256i sum = _mm256_setzero_si256();
            for (size_t at = p; at < std::min(p + 2, sign_bytes); ++at) {
                const auto* tables = reinterpret_cast<const __m128i*>(query.tables(at));
                const __m256i bytes =
                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + at * kRows));
                const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables)),
                              high = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables + 1));
                sum = _mm256_add_epi8(
                    sum, _mm256_add_epi8(
                             _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, half)),
                             _mm256_shuffle_epi8(
                                 high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half))));
            }
            even = _mm256_add_epi16(even, _mm256_and_si256(sum, low_byte));
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16(sum, 8));
        }
        even = _mm256_srl_epi16(_mm256_subs_epu16(even, centre), halvings);
        odd = _mm256_srl_epi16(_mm256_subs_epu16(odd, centre), halvings);
        even = _mm256_min_epu16(even, low_byte);
        odd = _mm256_min_epu16(odd, low_byte);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 32 * i),
                            _mm256_or_si256(even, _mm256_slli_epi16(odd, 8)));
    }
}

}  // namespace avx2

namespace avx512 {
namespace {

// Entries of one byte of signs, both halves added.
__attribute__((target("avx512f,avx512bw"))) inline __m512i entries(const uint8_t* block,
                                                                   const uint8_t* tables) {
    const __m512i half = _mm512_set1_epi8(15), bytes = _mm512_loadu_si512(block);
    const auto* both = reinterpret_cast<const __m128i*>(tables);
    const __m512i low = _mm512_maskz_broadcast_i32x4(0xFFFF, _mm_loadu_si128(both)),
                  high = _mm512_maskz_broadcast_i32x4(0xFFFF, _mm_loadu_si128(both + 1));
    return _mm512_add_epi8(
        _mm512_shuffle_epi8(low, _mm512_and_si512(bytes, half)),
        _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half)));
}

}  // namespace

__attribute__((target("avx512f,avx512bw"))) void scan_signs(const uint8_t* signs, size_t n_blocks,
                                                            const SignQuery& query, uint8_t* out) {
    const size_t sign_bytes = query.sign_bytes();
    const __m128i halvings = _mm_cvtsi32_si128(static_cast<int>(query.halvings()));
    const __m512i low_byte = _mm512_set1_epi16(255),
                  centre = _mm512_set1_epi16(static_cast<int16_t>(query.centre()));
    for (size_t b = 0; b < n_blocks; ++b) {
        const uint8_t* block = signs + b * sign_bytes * kRows;
        __m512i even = _mm512_setzero_si512(), odd = even;
        for (size_t p = 0; p < sign_bytes; p += 2) {
            __m512i sum = entries(block + p * kRows, query.tables(p));
            if (p + 1 < sign_bytes)
                sum = _mm512_add_epi8(sum, entries(block + (p + 1) * kRows, query.tables(p + 1)));
            even = _mm512_add_epi16(even, _mm512_and_si512(sum, low_byte));
            odd = _mm512_add_epi16(odd, _mm512_srli_epi16(sum, 8));
        }
        even = _mm512_srl_epi16(_mm512_subs_epu16(even, centre), halvings);
        odd = _mm512_srl_epi16(_mm512_subs_epu16(odd, centre), halvings);
        even = _mm512_min_epu16(even, low_byte);
        odd = _mm512_min_epu16(odd, low_byte);
        _mm512_storeu_si512(out + b * kRows, _mm512_or_si512(even, _mm512_slli_epi16(odd, 8)));
    }
}

}  // namespace avx512
#endif

namespace {

decltype(&plain::scan_signs) choose() {
#if defined(__x86_64__)
    if (avx512::supported()) return avx512::scan_signs;
    if (avx2::supported()) return avx2::scan_signs;
#endif
    return plain::scan_signs;
}

// Of n numbers those that are at least `level`; the compiler makes vectors of the inner loop.
size_t count(const uint8_t* numbers, size_t n, uint8_t level) {
    size_t sum = 0;
    while (n > 0) {
        uint8_t here = 0;
        const size_t some = std::min<size_t>(n, 255);
        for (size_t i = 0; i < some; ++i) here = static_cast<uint8_t>(here + (numbers[i] >= level));
        sum += here;
        numbers += some;
        n -= some;
    }
    return sum;
}

}  // namespace

void scan_signs(const uint8_t* signs, size_t n_blocks, const SignQuery& query, uint8_t* out) {
    static const auto chosen = choose();
    chosen(signs, n_blocks, query, out);
}

uint8_t level_of(std::span<const uint8_t> numbers, size_t most) {
    uint32_t least = 1, enough = 255;  // the answer lies within
    while (least < enough) {
        const uint32_t level = (least + enough) / 2;
        if (count(numbers.data(), numbers.size(), static_cast<uint8_t>(level)) <= most)
            enough = level;
        else
            least = level + 1;
    }
    return static_cast<uint8_t>(least);
}

uint64_t reach(const uint8_t* numbers, uint8_t level) {
#if defined(__SSE2__)
    const __m128i least = _mm_set1_epi8(static_cast<char>(level));
    uint64_t bits = 0;
    for (int i = 3; i >= 0; --i) {
        const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(numbers) + i);
        bits = bits << 16 | static_cast<uint32_t>(
                                _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(some, least), some)));
    }
    return bits;
#else
    return plain::reach(numbers, level);
#endif
}

}  // namespace rpt::reader
