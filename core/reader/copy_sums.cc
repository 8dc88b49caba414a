#include "core/reader/copy_sums.h"

#include <algorithm>

#include "core/reader/copy_weights.h"

namespace rpt::reader {

void CopySums::begin(size_t slots) {
    mass.assign(slots + 1, 0.0);
    near = 0;
    best = kNoPlace;
    read.which.clear();
    read.weights.clear();
}

void CopySums::add(const int32_t* slots, const float* weights, size_t n, double times) {
    for (size_t i = 0; i < n; ++i)
        mass[size_t(int64_t{slots[i]} + 1)] += times * double(weights[i]);
}

void add_every_place(const CopyPlaces& places, const CopyNumbers& numbers,
                     std::span<const CopyQuery> queries, std::span<CopySums> sums) {
    const std::span<const int32_t> slots = places.slots();
    for (CopySums& one : sums) {
        one.read.every = true;
        one.read.weights.resize(slots.size());
    }
    std::vector<float> scores(CopyPlaces::kMostRun);
    for (size_t begin = 0, run = 0; begin < slots.size(); ++run) {
        const size_t n = places.run_size(run);
        for (size_t q = 0; q < queries.size(); ++q) {
            float* weights = sums[q].read.weights.data() + begin;
            places.scores(run, queries[q], scores.data());
            const WeighedPlaces weighed = weigh_places(
                scores.data(), slots.data() + begin, n, static_cast<float>(numbers.temperature),
                static_cast<float>(numbers.threshold), weights);
            sums[q].near += weighed.near;
            sums[q].best = std::max(sums[q].best, weighed.best);
            sums[q].add(slots.data() + begin, weights, n, 1);
        }
        begin += n;
    }
}

}  // namespace rpt::reader
