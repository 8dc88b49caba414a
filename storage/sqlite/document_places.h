// Where things stand in a document: places by number, by byte and by chunk, without reading all of
// them. One connection, one thread; inside the caller's transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/place_sums.h"
#include "storage/sqlite/segment_table.h"

namespace rpt::storage {

// A place, and what stands before it.
struct FoundPlace {
    Place place;
    uint64_t byte_begin = 0, first_chunk = 0;

    uint64_t byte_end() const { return byte_begin + place.bytes; }
};

// A look reads the highest level of sums, a path down from there and one leaf of places, all proven
// against the document's digest: kCorrupt if they contradict each other.
class DocumentPlaces {
  public:
    // `row` outlives it.
    DocumentPlaces(Connection& connection, const DocumentRow& row)
        : connection_(connection), row_(row) {}

    std::optional<FoundPlace> at(uint64_t place);
    // kCorrupt if it is not there.
    FoundPlace require(uint64_t place);
    // The one that holds this byte, or chunk, of the document; nothing behind its end.
    std::optional<FoundPlace> at_byte(uint64_t byte);
    std::optional<FoundPlace> at_chunk(uint64_t ordinal);
    // The one before which `number` others stand.
    std::optional<FoundPlace> at_number(uint64_t number);
    std::optional<FoundPlace> next(const FoundPlace& found);
    std::optional<FoundPlace> previous(const FoundPlace& found);

  private:
    // Of a node or a place with number `at`, after the sum `before`: it is the one, or leads to it.
    using Choice = std::function<bool(const PlaceSum& before, const PlaceSum& own, uint64_t first,
                                      uint64_t last)>;
    std::optional<FoundPlace> find(const Choice& is_there);
    void load_leaf(uint64_t begin, uint64_t end, const PlaceSum& before, const PlaceSum& expected);
    // The number of the nearest place on one side, 0 if there is none.
    uint64_t neighbour(uint64_t place, bool after);
    const FoundPlace* in_leaf(uint64_t place) const;
    [[noreturn]] void fail() const;

    Connection& connection_;
    const DocumentRow& row_;
    std::vector<FoundPlace> leaf_;  // the last one that was read
};

// Where a segment stands first: in the first document (by number) that searches see, at its first
// place there; nothing if none holds it.
struct Occurrence {
    DocumentRow document;
    FoundPlace at;
};
std::optional<Occurrence> first_occurrence(Connection& connection, uint64_t segment,
                                           const SearchFilter& filter = {});

}  // namespace rpt::storage
