#include "storage/sqlite/place_numbers.h"

#include <algorithm>

#include "storage/sqlite/place_sums.h"

namespace rpt::storage {
namespace {

// Appended places fill a leaf with 32. Places that are spread over more leaves lie thinner in each:
// so a leaf takes a number of further ones before anything around it must be spread again.
constexpr size_t kMostSpread[kMostLevels + 1] = {0, 96, 32 * 80, 32 * 32 * 64};

uint64_t number_of(std::span<const Place> places, size_t i) {
    return places[i].place;
}

// Places with numbers in [begin, end) among the two stretches around the fresh ones.
struct Stretch {
    size_t first = 0, end = 0;
};
Stretch stretch_within(std::span<const Place> places, size_t first, size_t n_fresh, uint64_t begin,
                       uint64_t end) {
    Stretch stretch{first, first + n_fresh};
    while (stretch.first > 0 && number_of(places, stretch.first - 1) >= begin) --stretch.first;
    while (stretch.end < places.size() && number_of(places, stretch.end) < end) ++stretch.end;
    return stretch;
}

// Places that some leaf may hold once the fresh ones lie `gap` apart after `before`.
size_t most_in_leaf(std::span<const Place> places, size_t first, size_t n_fresh, uint64_t before,
                    uint64_t gap) {
    const uint64_t span = place_span(1);
    const size_t next = first + n_fresh;
    const uint64_t own = before / span, other = number_of(places, next) / span;
    const Stretch around = stretch_within(places, first, n_fresh, own * span, (other + 1) * span);
    return first - around.first + around.end - next + std::min<size_t>(n_fresh, span / gap + 1);
}

}  // namespace

PlaceNumbers number_places(std::span<const Place> places, size_t first, size_t n_fresh) {
    PlaceNumbers made{first, {}};
    if (n_fresh == 0) return made;
    const uint64_t before = first > 0 ? number_of(places, first - 1) : 0;
    const bool at_end = first + n_fresh == places.size();
    const uint64_t gap =
        at_end ? kPlaceStep : (number_of(places, first + n_fresh) - before) / (n_fresh + 1);
    for (size_t i = 0; i < n_fresh; ++i) made.numbers.push_back(before + (i + 1) * gap);
    if (at_end || (gap > 0 && most_in_leaf(places, first, n_fresh, before, gap) <= kMostInLeaf))
        return made;
    for (uint32_t level = 1; level <= kMostLevels; ++level) {
        const uint64_t span = place_span(level), begin = before / span * span;
        const Stretch stretch = stretch_within(places, first, n_fresh, begin, begin + span);
        const size_t n = stretch.end - stretch.first;
        if (n > kMostSpread[level]) continue;
        made = {stretch.first, {}};
        for (size_t i = 0; i < n; ++i) made.numbers.push_back(begin + (i + 1) * (span / (n + 1)));
        return made;
    }
    made = {0, {}};
    for (size_t i = 0; i < places.size(); ++i) made.numbers.push_back((i + 1) * kPlaceStep);
    return made;
}

}  // namespace rpt::storage
