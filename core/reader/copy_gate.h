// How much of a prediction comes from copying: a number for each token and each source of places.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace rpt::reader {

// What a pass over one source's places tells of a token (docs/reading.md). s_j: cosine of the
// token's query with the key of place j; c: the copy distribution,
// c_v = sum over places j that v follows of softmax_j(T s_j).
struct CopyEvidence {
    uint64_t places = 0;     // N
    uint64_t near = 0;       // places with s_j above the threshold
    double log_sum = 0;      // log sum_j exp(T s_j)
    double best_cosine = 0;  // max_j s_j
    double best_mass = 0;    // max_v c_v
    double entropy = 0;      // of c, nats
};

// Numbers of one kind of source: the session's own past, or a space.
struct CopyNumbers {
    static constexpr size_t kInputs = 5;
    static constexpr size_t kCount = 3 + 3 * kInputs;

    // Of an untrained model: sigmoid(-4.6 + 5.5 max_j s_j), which gives a hundredth to a place at a
    // right angle and seven tenths to one at a cosine of 1. Chosen, not fitted.
    bool fitted = false;
    double temperature = 20;  // T, above 0 and at most 40
    double threshold = 0.6;
    double bias = 0;
    std::array<double, kInputs> weight{}, shift{}, scale{};

    // In this order: T, threshold, bias, weights, shifts, scales. kArgument for another count, T
    // out of range or numbers that are not finite.
    static CopyNumbers read(std::span<const float> numbers);
};

// Numbers of both kinds, as a package's tensor `memory.copy` has them one behind the other; empty:
// untrained.
struct CopySettings {
    CopyNumbers own, spaces;
    static CopySettings read(std::span<const float> numbers);
};

// lambda = sigmoid(bias + sum_k weight_k (x_k - shift_k) / scale_k) of the inputs
//   x_1 = logit of best_mass, from 1e-6 to 1 - 1e-6;
//   x_2 = entropy;
//   x_3 = log_sum - log N;
//   x_4 = entropy of the model's own prediction, nats;
//   x_5 = log(1 + near).
// 0 where there is no place.
double copy_share(const CopyNumbers& numbers, const CopyEvidence& evidence, double model_entropy);

}  // namespace rpt::reader
