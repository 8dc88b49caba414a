#include "storage/sqlite/document_places.h"

#include <algorithm>

#include "base/error.h"
#include "storage/document_filter.h"

namespace rpt::storage {
namespace {

constexpr uint64_t kEndOfNumbers = uint64_t(1) << 63;

}  // namespace

void DocumentPlaces::fail() const {
    throw Error(Status::kCorrupt, "rpt",
                "store \"" + connection_.label() + "\": the segments of document " +
                    std::to_string(row_.info.id) +
                    " do not match its digest; restore a backup or delete and read it again");
}

void DocumentPlaces::load_leaf(uint64_t begin, uint64_t end, const PlaceSum& before,
                               const PlaceSum& expected) {
    std::vector<FoundPlace> leaf;
    PlaceSum sum;
    for (const Place& place : list_places_between(connection_, row_.info.id, begin, end)) {
        leaf.push_back({place, before.bytes + sum.bytes, before.chunks + sum.chunks});
        sum += sum_of(place);
    }
    // The document's row does not count its places: the digest does.
    if (sum.bytes != expected.bytes || sum.chunks != expected.chunks ||
        sum.digest != expected.digest)
        fail();
    leaf_ = std::move(leaf);
}

std::optional<FoundPlace> DocumentPlaces::find(const Choice& is_there) {
    uint64_t begin = 0, end = kEndOfNumbers;
    PlaceSum before, expected{0, row_.info.bytes, row_.info.chunks, row_.places};
    for (uint32_t level = row_.levels; level > 0; --level) {
        const uint64_t span = place_span(level);
        PlaceSum sum, chosen_before;
        const PlaceNode* chosen = nullptr;
        const std::vector<PlaceNode> nodes =
            list_place_nodes(connection_, row_.info.id, level, begin / span, end / span);
        for (const PlaceNode& node : nodes) {
            PlaceSum until = before;
            until += sum;
            if (chosen == nullptr &&
                is_there(until, node.sum, node.node * span, (node.node + 1) * span - 1)) {
                chosen = &node;
                chosen_before = until;
            }
            sum += node.sum;
        }
        if (sum.bytes != expected.bytes || sum.chunks != expected.chunks ||
            sum.digest != expected.digest)
            fail();
        if (chosen == nullptr) return std::nullopt;
        begin = chosen->node * span;
        end = begin + span;
        before = chosen_before;
        expected = chosen->sum;
    }
    load_leaf(begin, end, before, expected);
    for (size_t i = 0; i < leaf_.size(); ++i) {
        const FoundPlace& found = leaf_[i];
        const PlaceSum until{before.places + i, found.byte_begin, found.first_chunk, 0};
        if (is_there(until, sum_of(found.place), found.place.place, found.place.place))
            return found;
    }
    return std::nullopt;
}

const FoundPlace* DocumentPlaces::in_leaf(uint64_t place) const {
    const auto found = std::ranges::lower_bound(
        leaf_, place, {}, [](const FoundPlace& one) { return one.place.place; });
    return found != leaf_.end() && found->place.place == place ? &*found : nullptr;
}

std::optional<FoundPlace> DocumentPlaces::at(uint64_t place) {
    if (const FoundPlace* found = in_leaf(place)) return *found;
    return find([&](const PlaceSum&, const PlaceSum&, uint64_t first, uint64_t last) {
        return first <= place && place <= last;
    });
}

FoundPlace DocumentPlaces::require(uint64_t place) {
    const auto found = at(place);
    if (!found) fail();
    return *found;
}

std::optional<FoundPlace> DocumentPlaces::at_byte(uint64_t byte) {
    return find([&](const PlaceSum& before, const PlaceSum& own, uint64_t, uint64_t) {
        return byte < before.bytes + own.bytes;
    });
}

std::optional<FoundPlace> DocumentPlaces::at_chunk(uint64_t ordinal) {
    return find([&](const PlaceSum& before, const PlaceSum& own, uint64_t, uint64_t) {
        return ordinal < before.chunks + own.chunks;
    });
}

std::optional<FoundPlace> DocumentPlaces::at_number(uint64_t number) {
    return find([&](const PlaceSum& before, const PlaceSum& own, uint64_t, uint64_t) {
        return number < before.places + own.places;
    });
}

uint64_t DocumentPlaces::neighbour(uint64_t place, bool after) {
    Query query(connection_,
                after ? "SELECT place FROM places WHERE document_id = ? AND place > ? ORDER BY "
                        "place LIMIT 1"
                      : "SELECT place FROM places WHERE document_id = ? AND place < ? ORDER BY "
                        "place DESC LIMIT 1");
    query.bind(static_cast<int64_t>(row_.info.id)).bind(static_cast<int64_t>(place));
    return query.step() ? query.count(0) : 0;
}

// What lies between two places would be missing from the sums before the second.
std::optional<FoundPlace> DocumentPlaces::next(const FoundPlace& found) {
    const uint64_t place = neighbour(found.place.place, true);
    if (place == 0) {
        if (found.byte_end() != row_.info.bytes) fail();
        return std::nullopt;
    }
    auto next = at(place);
    if (!next || next->byte_begin != found.byte_end()) fail();
    return next;
}

std::optional<FoundPlace> DocumentPlaces::previous(const FoundPlace& found) {
    const uint64_t place = neighbour(found.place.place, false);
    if (place == 0) {
        if (found.byte_begin != 0) fail();
        return std::nullopt;
    }
    auto previous = at(place);
    if (!previous || previous->byte_end() != found.byte_begin) fail();
    return previous;
}

std::optional<Occurrence> first_occurrence(Connection& connection, uint64_t segment,
                                           const SearchFilter& filter) {
    uint64_t document = 0, place = 0;
    {
        Query query(connection,
                    "SELECT p.document_id, p.place, d.key, d.timestamp_ms FROM places p JOIN "
                    "documents d ON d.id = p.document_id WHERE p.segment_id = ? AND d.pending = 0 "
                    "ORDER BY p.document_id, p.place");
        query.bind(static_cast<int64_t>(segment));
        bool found = false, passes = false;
        while (!passes && query.step()) {
            passes = query.blob(2) != filter.exclude_key &&
                     passes_document(filter, query.blob(2), query.number(3));
            if (found && !passes) continue;
            found = true;
            document = query.count(0);
            place = query.count(1);
        }
        if (!found) return std::nullopt;
    }
    auto row = read_document_row(connection, document);
    if (!row) return std::nullopt;
    const FoundPlace found = DocumentPlaces(connection, *row).require(place);
    return Occurrence{std::move(*row), found};
}

}  // namespace rpt::storage
