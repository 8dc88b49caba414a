// Ways to compare a question with the chunks of a memory, and one answer of several.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/model/config.h"
#include "storage/records.h"

namespace rpt::reader {

// Numbers of legs; bit i of a set of legs is leg i.
enum Leg : size_t {
    kLegKeys = 0,         // the model's keys: trained ones, or the mean of pointer keys
    kLegWords = 1,        // words and identifiers, BM25
    kLegGrams = 2,        // four-character pieces of words, BM25
    kLegDefinitions = 3,  // chunks that define the names in the question
    kLegStates = 4,       // states of tokens, among the best of the other legs (state_mass.h)
    kLegs = 5,
};
inline constexpr uint32_t kAllLegs = (1u << kLegs) - 1;

// Where a leg has a chunk.
struct LegPlace {
    uint32_t rank = 0;  // from 1; 0: not among its best
    float score = 0;    // as the leg counts
};
using LegPlaces = std::array<LegPlace, kLegs>;

struct FusedHit {
    uint64_t chunk = 0;
    float score = 0;  // 0 to 1; 1: first in every leg that was asked
    LegPlaces legs{};
};

// Legs that models of this configuration have.
uint32_t legs_of(const model::ModelConfig& config);

// One order of several by reciprocal ranks: a chunk's score is the sum of w / (1 + rank) over the
// legs that have it, divided by what a chunk that is first in all of them gets. `hits[i]` are leg
// i's, best first; legs that were not asked are empty. Best first, ties to the lower chunk.
// Formula: Cormack, Clarke, Buettcher, "Reciprocal rank fusion", SIGIR 2009.
using LegHits = std::array<std::vector<storage::Hit>, kLegs>;
std::vector<FusedHit> fuse(const LegHits& hits, uint32_t legs);

}  // namespace rpt::reader
