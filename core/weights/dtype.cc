#include "core/weights/dtype.h"

#include "base/error.h"

namespace rpt::weights {
namespace {

struct Facts {
    DType dtype;
    std::string_view name;
    size_t size;
};

constexpr Facts kTypes[] = {{DType::kF32, "F32", 4},
                            {DType::kF16, "F16", 2},
                            {DType::kBf16, "BF16", 2},
                            {DType::kI8, "I8", 1},
                            {DType::kI64, "I64", 8}};

const Facts& facts_of(DType dtype) {
    const auto index = static_cast<size_t>(dtype);
    RPT_CHECK(index < std::size(kTypes) && kTypes[index].dtype == dtype);
    return kTypes[index];
}

}  // namespace

size_t dtype_size(DType dtype) {
    return facts_of(dtype).size;
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
