// Inner products over fp16 rows: the one loop of an exact search.
//
// Every path adds in the same order (16 running sums over columns l, l + 16, ..., then halves of
// the sums pairwise), with fused multiply-add, so the plain twin, AVX2 and AVX-512 agree to the bit
// and stores give the same answers everywhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rpt {

constexpr size_t kLanes = 16;
constexpr size_t padded_columns(size_t dim) {
    return (dim + kLanes - 1) / kLanes * kLanes;
}

// out[i] = <query, rows[i]>. `columns` is a multiple of kLanes; padding is zeros. rows: [n,
// columns], query: [columns].
void dot_rows(const uint16_t* rows, size_t n, size_t columns, const float* query, float* out);
// The same for rows that stand anywhere: out[i] = <query, rows[which[i]]>. Fetches ahead, since a
// row far away costs more to reach than to score.
void dot_some_rows(const uint16_t* rows, const uint32_t* which, size_t n, size_t columns,
                   const float* query, float* out);
// <a, b> of two rows.
float dot_pair(const uint16_t* a, const uint16_t* b, size_t columns);

namespace plain {
void dot_rows(const uint16_t* rows, size_t n, size_t columns, const float* query, float* out);
void dot_some_rows(const uint16_t* rows, const uint32_t* which, size_t n, size_t columns,
                   const float* query, float* out);
float dot_pair(const uint16_t* a, const uint16_t* b, size_t columns);
}  // namespace plain

#if defined(__x86_64__)
// For tests; the caller has asked for the CPU's features.
namespace avx2 {
bool supported();
void dot_rows(const uint16_t* rows, size_t n, size_t columns, const float* query, float* out);
void dot_some_rows(const uint16_t* rows, const uint32_t* which, size_t n, size_t columns,
                   const float* query, float* out);
float dot_pair(const uint16_t* a, const uint16_t* b, size_t columns);
}  // namespace avx2
namespace avx512 {
bool supported();
void dot_rows(const uint16_t* rows, size_t n, size_t columns, const float* query, float* out);
void dot_some_rows(const uint16_t* rows, const uint32_t* which, size_t n, size_t columns,
                   const float* query, float* out);
float dot_pair(const uint16_t* a, const uint16_t* b, size_t columns);
}  // namespace avx512
#endif

}  // namespace rpt
