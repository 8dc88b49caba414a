// The gate of copying for models that nobody fitted one for.
#pragma once

#include <array>

namespace rpt::calibration {

// As reader::CopyNumbers reads them: the factor of cosines, the cosine above which a place is near,
// the bias; five weights; five shifts; five scales. They are those that rpt-lab memory fit finds
// for SmolLM2-135M, rounded. The inputs are logits, nats and cosines, which mean the same in every
// model. The bias is half a unit lower, so that a model whose cosines tell less copies less.
// clang-format off
inline constexpr std::array<float, 18> kUntrainedGate = {
    30, 0.6f, -3,
    0.6f, -1.2f, 0.6f, 0.7f, 0.8f,
    0, 2.1f, 15, 2.4f, 4.6f,
    2, 1.2f, 2.4f, 1.7f, 1.3f};
// clang-format on
// Of spaces, in place of the third: a space may hold foreign texts, which should cost little.
inline constexpr float kUntrainedSpaceBias = -4.2f;

}  // namespace rpt::calibration
