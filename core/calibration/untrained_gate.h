// The gate of copying for models that nobody fitted one for.
#pragma once

#include <array>

namespace rpt::calibration {

// Factor of cosines, the cosine above which a place is near, bias, five weights, five shifts, five
// scales, as reader::CopyNumbers reads them.
inline constexpr std::array<float, 18> kUntrainedGate = {20, 0.6f, -3, 1, 0, 0, 0, 0, 0,
                                                         0,  0,    0,  0, 1, 1, 1, 1, 1};

}  // namespace rpt::calibration
