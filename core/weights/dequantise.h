// Numbers of any stored type as fp32.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "core/weights/tensor_source.h"

namespace rpt::weights {

// Whole blocks of `dtype`, which holds floating-point numbers; `out` has one place for each number.
// Nothing is checked: a block with an infinite scale gives infinite numbers.
void dequantise(DType dtype, std::span<const std::byte> blocks, std::span<float> out);

// All numbers of a tensor, row-major; `out` is as long as they are. The file is read in portions.
// Throws what TensorSource::read() throws; kCorrupt, naming the tensor, if there is none of this
// name or it holds integers.
void read_floats(const TensorSource& source, const std::string& name, std::span<float> out);

}  // namespace rpt::weights
