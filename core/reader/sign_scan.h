// The first look at pointer keys: how well the signs of a row agree with a query. One bit a number
// says which rows are worth an exact comparison (docs/reading.md).
//
// Sums are of whole numbers: the plain twin, AVX2 and AVX-512 agree to the bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/pointer_keys.h"

namespace rpt::reader {

// A query made ready for the signs of rows of its width. Immutable.
//
// The sum over numbers of +-q_j falls into groups of four; each has a table of its 16 possible
// sums, in steps of a 63rd of the largest group's range.
class SignQuery {
  public:
    explicit SignQuery(std::span<const float> numbers);  // as for PointerQuery

    size_t sign_bytes() const { return tables_.size() / 32; }  // of a row
    // Of the group of a row's sign byte p: its low half, its high half, 16 entries each.
    const uint8_t* tables(size_t p) const { return tables_.data() + 32 * p; }
    uint32_t centre() const { return centre_; }  // sum of a row at a right angle
    // What is above the centre is halved so often that the most a row can have fits a byte.
    uint32_t halvings() const { return halvings_; }

  private:
    std::vector<uint8_t> tables_;
    uint32_t centre_ = 0, halvings_ = 0;
};

// out[i] = how far the sum of row i is above the centre, halved, from 0 to 255. signs: [n_blocks,
// query.sign_bytes(), 64] as in storage::PointerPage; out: [n_blocks, 64].
void scan_signs(const uint8_t* signs, size_t n_blocks, const SignQuery& query, uint8_t* out);
// The least level from 1 to 255 that at most `most` of the numbers reach; 255 if there is none.
uint8_t level_of(std::span<const uint8_t> numbers, size_t most);
// A bit for each of 64 numbers, the first lowest: whether it is at least `level`, which is not 0.
uint64_t reach(const uint8_t* numbers, uint8_t level);

namespace plain {
void scan_signs(const uint8_t* signs, size_t n_blocks, const SignQuery& query, uint8_t* out);
uint64_t reach(const uint8_t* numbers, uint8_t level);
}  // namespace plain

#if defined(__x86_64__)
// For tests; the caller has asked for the CPU's features (pointer_scan.h).
namespace avx2 {
void scan_signs(const uint8_t* signs, size_t n_blocks, const SignQuery& query, uint8_t* out);
}  // namespace avx2
namespace avx512 {
void scan_signs(const uint8_t* signs, size_t n_blocks, const SignQuery& query, uint8_t* out);
}  // namespace avx512
#endif

}  // namespace rpt::reader
