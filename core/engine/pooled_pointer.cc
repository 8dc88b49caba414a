#include "core/engine/pooled_pointer.h"

#include <cmath>

#include "base/error.h"

namespace rpt::engine {

std::vector<float> pooled_pointer(std::span<const float> keys, size_t width) {
    RPT_CHECK(width > 0 && keys.size() % width == 0);
    if (keys.empty()) return {};
    std::vector<double> sum(width);
    for (size_t i = 0; i < keys.size(); ++i) sum[i % width] += static_cast<double>(keys[i]);
    double square = 0;
    for (const double value : sum) square += value * value;
    const double scale = square > 0 ? 1.0 / std::sqrt(square) : 0.0;
    std::vector<float> out;
    out.reserve(width);
    for (const double value : sum) out.push_back(static_cast<float>(value * scale));
    return out;
}

}  // namespace rpt::engine
