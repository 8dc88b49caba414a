// What one pass over a source's places gathers of a query.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/reader/copy_gate.h"
#include "core/reader/copy_places.h"

namespace rpt::reader {

// Weights exp(T (s - 1)) of the places that count by themselves.
struct ReadPlaces {
    bool every = true;            // of places 0, 1, 2, ...; otherwise of `which`
    std::vector<uint32_t> which;  // ascending
    std::vector<float> weights;
};

struct CopySums {
    std::vector<double> mass;  // by slot + 1; the first is of places that do not count
    uint64_t near = 0;
    float best = -2;
    ReadPlaces read;

    void begin(size_t slots);
    // n places with their weights, each `times`.
    void add(const int32_t* slots, const float* weights, size_t n, double times);
};

// Each query compared with every place.
void add_every_place(const CopyPlaces& places, const CopyNumbers& numbers,
                     std::span<const CopyQuery> queries, std::span<CopySums> sums);
// In two stages, of places that stand in pages: those whose signs agree best with the query, and a
// sample that stands for the others (docs/reading.md).
void add_best_places(const CopyPlaces& places, const CopyNumbers& numbers,
                     std::span<const CopyQuery> queries, std::span<CopySums> sums);

}  // namespace rpt::reader
