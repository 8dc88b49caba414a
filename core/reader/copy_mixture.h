// The copy distribution of a token over one source of places, and the mixture of several with the
// model's own prediction.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/reader/copy_gate.h"
#include "core/reader/copy_places.h"
#include "core/reader/copy_sums.h"
#include "core/reader/copy_weights.h"

namespace rpt::reader {

// Of one token over one source. `mass` [slots] sums to 1, if there is a place. It and `read` are
// borrowed for the call that gives them; `read` may be moved from.
struct CopyBelief {
    CopyEvidence evidence;
    std::span<const double> mass;
    double total = 0;  // sum over places of exp(T (s - 1))
    ReadPlaces* read = nullptr;
};

// One pass over the places for several tokens at once: `sink` gets each query's belief, in order.
void scan_places(const CopyPlaces& places, const CopyNumbers& numbers,
                 std::span<const CopyQuery> queries,
                 const std::function<void(size_t query, CopyBelief&)>& sink);

// What each chunk holds of the belief in the token of `slot`: `sink` gets its number and its share
// of c, where that is above 0. Places that stand for others are left out, and those of less than a
// ten-millionth.
void trace_places(const CopyPlaces& places, const ReadPlaces& read, int32_t slot, double total,
                  const std::function<void(uint64_t chunk, double mass)>& sink);

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
