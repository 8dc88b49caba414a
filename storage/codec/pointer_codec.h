// Pointer keys of one chunk as bytes (docs/format/store.md): a scale a row, four bits a number.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/pointer_keys.h"

namespace rpt::storage {

// Of n rows.
size_t pointer_blob_bytes(size_t n, uint32_t width);
// Of all blobs of so many chunks.
uint64_t pointer_bytes(uint64_t chunks, uint64_t tokens, uint32_t width);
// rows: [n, width], finite and below 65504 (kArgument otherwise). No rows give no bytes.
std::string encode_pointers(std::span<const float> rows, uint32_t width);
// Scales and halves of `n` rows; chunk and tokens are left alone. False if the bytes are damaged;
// kVersion for a codec that this build does not know.
bool unpack_pointers(std::string_view blob, size_t n, uint32_t width, PointerRows& rows);
// As numbers, [n, width].
std::vector<float> expand_pointers(const PointerSlice& rows, uint32_t width);

namespace plain {
// The slow twin of both, value by value. Empty if the bytes are damaged.
std::vector<float> decode_pointers(std::string_view blob, size_t n, uint32_t width);
}  // namespace plain

}  // namespace rpt::storage
