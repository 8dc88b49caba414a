// Inner products of a query with pointer keys in four bits: the loop that copying spends its time
// in.
//
// The query is rounded to 16 bits, and sums are of whole numbers. So the plain twin, AVX2 and
// AVX-512 with VNNI agree to the bit, and the rounding costs less than a tenth of what four bits of
// the keys do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rpt::reader {

// A query made ready for rows of its width. Immutable.
class PointerQuery {
  public:
    // `numbers` [w], finite, w <= storage::kMostPointerWidth.
    explicit PointerQuery(std::span<const float> numbers);

    size_t row_bytes() const { return row_bytes_; }
    // <query, row> = row's scale * (scale() * (sum - offset())), `sum` that of half times number.
    float scale() const { return scale_; }
    int32_t offset() const { return offset_; }
    // Number i is 256 coarse + fine. Those of the low halves of a row's bytes and of the high ones,
    // each [row_bytes] and zeros up to a multiple of 64.
    const int8_t* low_fine() const { return planes_.data(); }
    const int8_t* low_coarse() const { return planes_.data() + padded_; }
    const int8_t* high_fine() const { return planes_.data() + 2 * padded_; }
    const int8_t* high_coarse() const { return planes_.data() + 3 * padded_; }

  private:
    size_t row_bytes_, padded_;
    float scale_ = 0;
    int32_t offset_ = 0;
    std::vector<int8_t> planes_;
};

// out[i] = <query, row i>. rows: [n, query.row_bytes()], scales: [n] (storage/pointer_keys.h).
void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out);
// out[i] = <query, row which[i]>.
void scan_some_pointers(const uint8_t* rows, const float* scales, const uint32_t* which, size_t n,
                        const PointerQuery& query, float* out);

namespace plain {
void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out);
void scan_some_pointers(const uint8_t* rows, const float* scales, const uint32_t* which, size_t n,
                        const PointerQuery& query, float* out);
}  // namespace plain

#if defined(__x86_64__)
// For tests; the caller has asked for the CPU's features.
namespace avx2 {
bool supported();
void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out);
void scan_some_pointers(const uint8_t* rows, const float* scales, const uint32_t* which, size_t n,
                        const PointerQuery& query, float* out);
}  // namespace avx2
namespace avx512 {
bool supported();
void scan_pointers(const uint8_t* rows, const float* scales, size_t n, const PointerQuery& query,
                   float* out);
void scan_some_pointers(const uint8_t* rows, const float* scales, const uint32_t* which, size_t n,
                        const PointerQuery& query, float* out);
}  // namespace avx512
#endif

}  // namespace rpt::reader
