#include "core/weights/dtype.h"

#include "base/error.h"

namespace rpt::weights {
namespace {

struct Facts {
    DType dtype;
    std::string_view name;
    size_t numbers, bytes;  // of a block
    size_t alignment;
};

// Names are on disk, never rename.
constexpr Facts kTypes[] = {
    {DType::kF32, "F32", 1, 4, 4},      {DType::kF16, "F16", 1, 2, 2},
    {DType::kBf16, "BF16", 1, 2, 2},    {DType::kI8, "I8", 1, 1, 1},
    {DType::kI64, "I64", 1, 8, 8},      {DType::kQ4_0, "Q4_0", 32, 18, 2},
    {DType::kQ4_1, "Q4_1", 32, 20, 2},  {DType::kQ5_0, "Q5_0", 32, 22, 2},
    {DType::kQ5_1, "Q5_1", 32, 24, 2},  {DType::kQ8_0, "Q8_0", 32, 34, 2},
    {DType::kQ4K, "Q4_K", 256, 144, 2}, {DType::kQ5K, "Q5_K", 256, 176, 2},
    {DType::kQ6K, "Q6_K", 256, 210, 2},
};

const Facts& facts_of(DType dtype) {
    const auto index = static_cast<size_t>(dtype);
    RPT_CHECK(index < std::size(kTypes) && kTypes[index].dtype == dtype);
    return kTypes[index];
}

}  // namespace

size_t block_numbers(DType dtype) {
    return facts_of(dtype).numbers;
}

size_t block_bytes(DType dtype) {
    return facts_of(dtype).bytes;
}

size_t dtype_alignment(DType dtype) {
    return facts_of(dtype).alignment;
}

bool is_floating(DType dtype) {
    return dtype != DType::kI8 && dtype != DType::kI64;
}

std::string_view dtype_name(DType dtype) {
    return facts_of(dtype).name;
}

std::optional<DType> dtype_of(std::string_view name) {
    for (const Facts& facts : kTypes)
        if (facts.name == name) return facts.dtype;
    return std::nullopt;
}

}  // namespace rpt::weights
