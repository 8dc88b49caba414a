#include "core/reader/copy_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/reader/exp_weights.h"

// The compiler makes vectors of the loops over kAtOnce numbers. Sums stand in kLanes parts: their
// order is fixed, whatever the vectors.

namespace rpt::reader {
namespace {

constexpr size_t kAtOnce = 256, kLanes = 8;

// log(x) of a normal x > 0, error below 2e-7 (1 + |log x|): the exponent's bits, and
// 2 atanh((m - 1) / (m + 1)) of a mantissa m between sqrt(1/2) and sqrt(2).
inline float log_of(float x) {
    constexpr int32_t kRootHalf = 0x3f3504f3;  // bits of sqrt(1/2)
    constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
    const auto bits = std::bit_cast<int32_t>(x);
    const int32_t e = (bits - kRootHalf) >> 23;
    const float m = std::bit_cast<float>(bits - (e << 23)), n = static_cast<float>(e);
    const float z = (m - 1.0f) / (m + 1.0f), square = z * z;
    float p = 2.0f / 9;
    p = p * square + 2.0f / 7;
    p = p * square + 2.0f / 5;
    p = p * square + 2.0f / 3;
    return n * kLn2High + (n * kLn2Low + (p * square * z + 2.0f * z));
}

// Of n numbers the largest, or `least`.
float largest_of(const float* numbers, size_t n, float least) {
    float parts[kLanes];
    std::fill_n(parts, kLanes, least);
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (size_t l = 0; l < kLanes; ++l) parts[l] = std::max(parts[l], numbers[i + l]);
    for (; i < n; ++i) parts[0] = std::max(parts[0], numbers[i]);
    return *std::max_element(parts, parts + kLanes);
}

double sum_of(const float* numbers, size_t n) {
    double parts[kLanes] = {}, sum = 0;
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (size_t l = 0; l < kLanes; ++l) parts[l] += static_cast<double>(numbers[i + l]);
    for (; i < n; ++i) parts[0] += static_cast<double>(numbers[i]);
    for (const double part : parts) sum += part;
    return sum;
}

}  // namespace

WeighedPlaces weigh_places(float* scores, const int32_t* slots, size_t n, float temperature,
                           float threshold, float* weights) {
    for (size_t i = 0; i < n; ++i) scores[i] = slots[i] < 0 ? kNoPlace : scores[i];
    weigh_scores(scores, n, temperature, weights);
    uint32_t near = 0;
    for (size_t i = 0; i < n; ++i) near += scores[i] > threshold ? 1u : 0u;
    return {near, largest_of(scores, n, kNoPlace)};
}

double masses_entropy(std::span<const double> masses, double total) {
    double entropy = 0;
    float parts[kAtOnce];
    const double inverse = 1 / total;
    for (size_t begin = 0; begin < masses.size(); begin += kAtOnce) {
        const size_t n = std::min(kAtOnce, masses.size() - begin);
        for (size_t i = 0; i < n; ++i) {
            // c log c ends at 1e-30: nothing of it is seen in a sum
            const float c = std::max(static_cast<float>(masses[begin + i] * inverse), 1e-30f);
            parts[i] = c * log_of(c);
        }
        entropy -= sum_of(parts, n);
    }
    return entropy;
}

LogitFacts facts_of(std::span<const float> logits) {
    const float most = largest_of(logits.data(), logits.size(), -INFINITY);
    double sum = 0, weighed = 0;
    float weights[kAtOnce], products[kAtOnce];
    for (size_t begin = 0; begin < logits.size(); begin += kAtOnce) {
        const size_t n = std::min(kAtOnce, logits.size() - begin);
        for (size_t i = 0; i < n; ++i) {
            const float apart = std::max(logits[begin + i] - most, -87.0f);
            weights[i] = exp_of(apart);
            products[i] = weights[i] * apart;
        }
        sum += sum_of(weights, n);
        weighed += sum_of(products, n);
    }
    const double log_sum = std::log(sum);
    return {static_cast<double>(most) + log_sum, log_sum - weighed / sum};
}

void mix_into_logits(std::span<float> logits, std::span<const double> added, double keep,
                     double log_sum) {
    const auto part = static_cast<float>(keep),
               kept = static_cast<float>(std::log(std::max(keep, 1e-37))),
               sum = static_cast<float>(log_sum);
    for (size_t v = 0; v < logits.size(); ++v) {
        const auto more = static_cast<float>(added[v]);
        const float p = part * exp_of(std::min(logits[v] - sum, 0.0f)) + more;
        const float mixed = log_of(std::max(p, 1e-37f)) + sum, alone = logits[v] + kept;
        logits[v] = more > 0.0f ? mixed : alone;
    }
}

}  // namespace rpt::reader
