// Rows of segments, and of the places where documents hold them. One connection, one thread; inside
// the caller's transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/sqlite/sqlite_connection.h"
#include "storage/store.h"

namespace rpt::storage {

// On disk, never renumber.
enum class Standing : uint8_t {
    kUnused = 0,   // no document holds it: it waits to be erased
    kHidden = 1,   // replacements that are not finished hold it
    kVisible = 2,  // a document that searches see holds it
};

struct SegmentRow {
    uint64_t id = 0, space = 0;
    Digest identity{};  // zeros: open
    Standing standing = Standing::kUnused;
    uint64_t bytes = 0, tokens = 0, chunks = 0;
    bool text_discarded = false;
    uint64_t text_disk = 0;  // of the blob

    bool is_open() const { return identity == Digest{}; }
};

std::optional<SegmentRow> find_segment(Connection& connection, uint64_t space,
                                       const Digest& identity);
std::optional<SegmentRow> read_segment(Connection& connection, uint64_t id);
// kCorrupt if it is not there.
SegmentRow require_segment(Connection& connection, uint64_t id);
// `text` as encode_text() made it, empty if it was discarded.
void insert_segment(Connection& connection, SegmentRow& row, std::string_view text);
void update_segment(Connection& connection, const SegmentRow& row, std::string_view text);
void set_standing(Connection& connection, uint64_t id, Standing standing);
void erase_segment_row(Connection& connection, uint64_t id);
// Original bytes. kUnsupported if they were discarded, kCorrupt.
std::string read_segment_text(Connection& connection, const SegmentRow& row);
// Unused ones of a space (0: of all), oldest first.
std::vector<SegmentRow> list_unused(Connection& connection, uint64_t space, size_t limit);

// A document is its places in order. Numbers leave gaps, so that an edit touches its own alone.
struct Place {
    uint64_t place = 0, segment = 0;
    uint64_t bytes = 0, chunks = 0;
};
inline constexpr uint64_t kPlaceStep = uint64_t(1) << 32;

// As they stand, unproven.
std::vector<Place> list_places(Connection& connection, uint64_t document);
// kCorrupt unless `digest`, documents.places, is theirs.
std::vector<Place> list_places(Connection& connection, uint64_t document, uint64_t digest);
// Those with numbers in [begin, end), as they stand.
std::vector<Place> list_places_between(Connection& connection, uint64_t document, uint64_t begin,
                                       uint64_t end);
void insert_place(Connection& connection, uint64_t document, const Place& place);
void erase_place(Connection& connection, uint64_t document, uint64_t place);
void erase_places(Connection& connection, uint64_t document);
// Its part of documents.places; the digest is the wrapping sum, so that places come and go.
uint64_t place_digest(const Place& place);
// What the documents that hold a segment make of it.
Standing standing_by_documents(Connection& connection, uint64_t segment);

}  // namespace rpt::storage
