// Loops of the copy distribution over many numbers: weights of places, entropies, logarithms of a
// mixture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rpt::reader {

// Of a place that does not count, in place of its cosine.
inline constexpr float kNoPlace = -2;

// weights[i] = exp(T (s - 1)) of cosines `scores` [n]; those above 1 count as 1: keys are unit
// vectors but for their rounding. Where slots[i] is negative the score becomes kNoPlace. T <= 40.
struct WeighedPlaces {
    uint64_t near = 0;      // places with s above the threshold
    float best = kNoPlace;  // largest s
};
WeighedPlaces weigh_places(float* scores, const int32_t* slots, size_t n, float temperature,
                           float threshold, float* weights);

// -sum c log c, nats, of c = masses / total.
double masses_entropy(std::span<const double> masses, double total);

// Entropy in nats of softmax(logits), and log sum exp of them.
struct LogitFacts {
    double log_sum = 0, entropy = 0;
};
LogitFacts facts_of(std::span<const float> logits);

// logits[v] <- log(keep exp(logits[v] - log_sum) + added[v]) + log_sum, where added[v] is 0 without
// the detour. keep in (0, 1].
void mix_into_logits(std::span<float> logits, std::span<const double> added, double keep,
                     double log_sum);

}  // namespace rpt::reader
