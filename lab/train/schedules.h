// What changes with the step: learning rate, margin, weight of the retrieval loss, share of own
// neighbours (spec 2.5, 2.6, golden A.3).
#pragma once

#include <cstdint>

namespace rpt::train {

// Linear from 1e-7 to `peak` over `warmup` steps, then half a cosine down to `floor` at `total`.
double learning_rate(int64_t step, double peak, double floor, int64_t warmup, int64_t total);

// Linear from `from` to `to` over `n` steps, then constant: the margin tau and the weight alpha.
double linear_ramp(int64_t step, double from, double to, int64_t n);

// Chance that a chunk reads its own neighbours and not the teacher's: half a cosine from `start` to
// `end` over `n` steps.
double own_probability(int64_t step, double start, double end, int64_t n);

}  // namespace rpt::train
