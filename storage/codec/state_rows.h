// Bodies of the codecs that keep every token by itself: fp16, int8, int4 (docs/format/states.md).
// No compression, no checks of sizes: `body` holds exactly body bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rpt::storage {

inline constexpr size_t kInt4Group = 32;  // values of one scale; on disk, never change

// Bytes of n tokens of `dim` values.
size_t fp16_body(size_t n, size_t dim);
size_t int8_body(size_t n, size_t dim);
size_t int4_body(size_t n, size_t dim);

// `states` [n, dim]: finite, of a magnitude that encode_states() lets pass.
void write_fp16(const float* states, size_t n, size_t dim, uint8_t* body);
void write_int8(const float* states, size_t n, size_t dim, uint8_t* body);
void write_int4(const float* states, size_t n, size_t dim, uint8_t* body);

// False if the bytes hold something that is not finite: no writer made them.
bool read_fp16(const uint8_t* body, size_t n, size_t dim, float* states);
bool read_int8(const uint8_t* body, size_t n, size_t dim, float* states);
bool read_int4(const uint8_t* body, size_t n, size_t dim, float* states);

namespace plain {

// The slow twins, value by value.
bool read_int8(const uint8_t* body, size_t n, size_t dim, float* states);
bool read_int4(const uint8_t* body, size_t n, size_t dim, float* states);

}  // namespace plain
}  // namespace rpt::storage
