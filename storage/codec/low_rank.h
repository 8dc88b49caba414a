// A matrix as a product of two thin ones in int8: the body of codec "low rank"
// (docs/format/states.md). No compression, no checks of sizes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rpt::storage {

// Bytes of [n, rank] times [rank, dim].
size_t low_rank_body(size_t n, size_t dim, size_t rank);

// The best approximation of `states` [n, dim] of this rank but for the rounding to int8; rank <=
// min(n, dim). Time n^2 (dim + n).
void write_low_rank(const float* states, size_t n, size_t dim, size_t rank, uint8_t* body);
// False if the bytes hold something that is not finite: no writer made them.
bool read_low_rank(const uint8_t* body, size_t n, size_t dim, size_t rank, float* states);

namespace plain {

// The slow twin, value by value.
bool read_low_rank(const uint8_t* body, size_t n, size_t dim, size_t rank, float* states);

}  // namespace plain
}  // namespace rpt::storage
