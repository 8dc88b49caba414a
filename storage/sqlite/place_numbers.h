// Numbers for places: between those of their neighbours, so that an edit changes few rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/sqlite/segment_table.h"

namespace rpt::storage {

// New numbers for places [first, first + numbers.size()) of a document.
struct PlaceNumbers {
    size_t first = 0;
    std::vector<uint64_t> numbers;
};
// `places` [first, first + n_fresh) have no numbers yet, the others have theirs, ascending. Mostly
// the fresh ones alone get numbers. Where there is no room between the neighbours, or a leaf of the
// sums would hold too many places, those around are spread too: as few as will do.
PlaceNumbers number_places(std::span<const Place> places, size_t first, size_t n_fresh);

// Places that a leaf may hold.
inline constexpr size_t kMostInLeaf = 128;

}  // namespace rpt::storage
