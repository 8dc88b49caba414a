// The types in which numbers of tensors are stored.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace rpt::weights {

enum class DType { kF32, kF16, kBf16, kI8, kI64 };

size_t dtype_size(DType dtype);
// As the headers of safetensors files spell it.
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_of(std::string_view name);

}  // namespace rpt::weights
