// The types in which numbers of tensors are stored.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace rpt::weights {

// From kQ4_0 on numbers stand in blocks of some bits each with common scales
// (docs/format/package.md).
enum class DType {
    kF32,
    kF16,
    kBf16,
    kI8,
    kI64,
    kQ4_0,
    kQ4_1,
    kQ5_0,
    kQ5_1,
    kQ8_0,
    kQ4K,
    kQ5K,
    kQ6K
};

// Numbers of a block, and the bytes that it takes; plain types have blocks of one number. A row of
// a tensor is whole blocks.
size_t block_numbers(DType dtype);
size_t block_bytes(DType dtype);
inline bool is_quantised(DType dtype) {
    return block_numbers(dtype) > 1;
}
// Bytes on a multiple of which a tensor begins.
size_t dtype_alignment(DType dtype);
// Holds numbers of a floating type, quantised or not.
bool is_floating(DType dtype);

// As the headers of safetensors files spell it; blocks as GGUF files call them.
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_of(std::string_view name);

}  // namespace rpt::weights
