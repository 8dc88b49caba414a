// Sums over the places of long documents, level above level, so that a place is found without
// reading all of them (docs/format/store.md). One connection, one thread; inside the caller's
// transaction.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "storage/sqlite/segment_table.h"
#include "storage/sqlite/sqlite_connection.h"

namespace rpt::storage {

// On disk, never renumber: a node of level n stands for this many numbers of places.
inline constexpr uint64_t place_span(uint32_t level) {
    return kPlaceStep << (5 * level);
}
inline constexpr uint32_t kMostLevels = 3;

// Of the places of a node.
struct PlaceSum {
    uint64_t places = 0, bytes = 0, chunks = 0;
    uint64_t digest = 0;  // wrapping sum of place_digest()

    PlaceSum& operator+=(const PlaceSum& other);
    PlaceSum& operator-=(const PlaceSum& other);
    bool operator==(const PlaceSum&) const = default;
};
PlaceSum sum_of(const Place& place);

struct PlaceNode {
    uint64_t node = 0;
    PlaceSum sum;
};
// Of one level, the nodes [begin, end) that there are, ascending; checksums proven (kCorrupt).
std::vector<PlaceNode> list_place_nodes(Connection& connection, uint64_t document, uint32_t level,
                                        uint64_t begin, uint64_t end);

// Levels that keep every look at such a document short.
uint32_t levels_for(size_t places);
// Adds the levels (from, to] of a document's tree; `places` are all it has.
void build_place_sums(Connection& connection, uint64_t document, std::span<const Place> places,
                      uint32_t from, uint32_t to);
void erase_place_sums(Connection& connection, uint64_t document);

// What one transaction does to the places of a document, gathered and then written once.
class PlaceChanges {
  public:
    void add(const Place& place) { note(place, true); }
    void remove(const Place& place) { note(place, false); }
    void write(Connection& connection, uint64_t document, uint32_t levels) const;

  private:
    void note(const Place& place, bool added);
    // By level and node, as wrapping differences.
    std::map<std::pair<uint32_t, uint64_t>, PlaceSum> nodes_;
};

}  // namespace rpt::storage
