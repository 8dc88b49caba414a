// One vector for a chunk whose tokens have pointer keys.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace rpt::engine {

// The mean of pointer keys [n, width], divided by its length: key and query of a chunk where
// retrieval is pointer. Empty for no keys; zeros where the mean is zero.
std::vector<float> pooled_pointer(std::span<const float> keys, size_t width);

}  // namespace rpt::engine
