#include "lab/train/schedules.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace rpt::train {
namespace {

constexpr double kFirstRate = 1e-7;

// 0 at step 0, 1 at step n and after.
double progress(int64_t step, int64_t n) {
    if (n <= 0) return 1.0;
    return std::clamp(static_cast<double>(step) / static_cast<double>(n), 0.0, 1.0);
}

double falling_cosine(double at) {
    return 0.5 * (1.0 + std::cos(std::numbers::pi * at));
}

}  // namespace

double learning_rate(int64_t step, double peak, double floor, int64_t warmup, int64_t total) {
    if (step < warmup) return kFirstRate + (peak - kFirstRate) * progress(step, warmup);
    return floor + (peak - floor) * falling_cosine(progress(step - warmup, total - warmup));
}

double linear_ramp(int64_t step, double from, double to, int64_t n) {
    return from + (to - from) * progress(step, n);
}

double own_probability(int64_t step, double start, double end, int64_t n) {
    return start + (end - start) * (1.0 - falling_cosine(progress(step, n)));
}

}  // namespace rpt::train
