// The copy distribution of a token over one source of places, and the mixture of several with the
// model's own prediction.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/reader/copy_gate.h"
#include "core/reader/copy_places.h"

namespace rpt::reader {

// Of one token over one source. `mass` [slots] sums to 1, if there is a place; borrowed for the
// call that gives it.
struct CopyBelief {
    CopyEvidence evidence;
    std::span<const double> mass;
    double total = 0;  // sum over places of exp(T (s - 1))
};

// One pass over all places for several tokens at once: `sink` gets each query's belief, in order.
void scan_places(const CopyPlaces& places, const CopyNumbers& numbers,
                 std::span<const CopyQuery> queries,
                 const std::function<void(size_t query, const CopyBelief&)>& sink);

// What each part holds of the belief in the token of `slot`: `sink` gets its number and its share
// of c, where that is above 0.
void trace_places(const CopyPlaces& places, const CopyNumbers& numbers, const CopyQuery& query,
                  int32_t slot, double total,
                  const std::function<void(size_t part, double mass)>& sink);

// Entropy in nats of softmax(logits), and log sum exp of them.
struct LogitFacts {
    double log_sum = 0, entropy = 0;
};
LogitFacts facts_of(std::span<const float> logits);

namespace plain {

// The slow twin: one source after the other over all of the vocabulary, p <- (1 - lambda) p +
// lambda c, every place by itself. A source is a list of (cosine, token that follows).
struct Source {
    CopyNumbers numbers;
    std::vector<std::pair<double, int32_t>> places;
};
// [vocab], sums to 1. `shares` gets the lambdas unless it is null.
std::vector<double> mix(std::span<const float> logits, std::span<const Source> sources,
                        std::vector<double>* shares = nullptr);

}  // namespace plain
}  // namespace rpt::reader
