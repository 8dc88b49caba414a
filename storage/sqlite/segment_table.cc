#include "storage/sqlite/segment_table.h"

#include <cstring>

#include "base/byte_order.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "storage/codec/blob_codec.h"

namespace rpt::storage {
namespace {

#define SELECT_SEGMENT                                                                  \
    "SELECT id, space_id, identity, standing, bytes, n_tokens, n_chunks, flags, seal, " \
    "length(text) FROM segments"

// segments.flags; on disk, never renumber.
constexpr uint64_t kTextDiscarded = 2;

int64_t sql(uint64_t value) {
    return static_cast<int64_t>(value);
}

std::string_view as_bytes(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

uint64_t flags_of(const SegmentRow& row) {
    return row.text_discarded ? kTextDiscarded : 0;
}

uint32_t seal_of(const SegmentRow& row) {
    ByteWriter bytes;
    bytes.u64(row.id).u64(row.space).raw(row.identity.data(), row.identity.size());
    bytes.u64(row.bytes).u64(row.tokens).u64(row.chunks).u64(flags_of(row));
    return crc32c(bytes.str().data(), bytes.str().size());
}

[[noreturn]] void fail_segment(Connection& connection, uint64_t id, const char* what) {
    throw Error(Status::kCorrupt, "rpt",
                "store \"" + connection.label() + "\": segment " + std::to_string(id) + ": " +
                    what + "; check the store, and restore a backup or read its documents again");
}

SegmentRow segment_of(Connection& connection, const Query& query) {
    SegmentRow row;
    row.id = query.count(0);
    row.space = query.count(1);
    if (!query.is_null(2)) {
        if (query.blob(2).size() != row.identity.size())
            fail_segment(connection, row.id, "its identity is cut");
        std::memcpy(row.identity.data(), query.blob(2).data(), row.identity.size());
    }
    row.standing = static_cast<Standing>(query.count32(3, static_cast<uint32_t>(Standing::kVisible)));
    row.bytes = query.count(4);
    row.tokens = query.count(5);
    row.chunks = query.count(6);
    row.text_discarded = (query.count(7) & kTextDiscarded) != 0;
    if (seal_of(row) != query.count(8)) fail_segment(connection, row.id, "its checksum differs");
    row.text_disk = query.count(9);
    return row;
}

}  // namespace

std::optional<SegmentRow> find_segment(Connection& connection, uint64_t space,
                                       const Digest& identity) {
    Query query(connection, SELECT_SEGMENT " WHERE space_id = ? AND identity = ?");
    query.bind(sql(space)).bind_blob(as_bytes(identity));
    if (!query.step()) return std::nullopt;
    return segment_of(connection, query);
}

std::optional<SegmentRow> read_segment(Connection& connection, uint64_t id) {
    Query query(connection, SELECT_SEGMENT " WHERE id = ?");
    query.bind(sql(id));
    if (!query.step()) return std::nullopt;
    return segment_of(connection, query);
}

SegmentRow require_segment(Connection& connection, uint64_t id) {
    auto row = read_segment(connection, id);
    if (!row) fail_segment(connection, id, "it is missing");
    return std::move(*row);
}

void insert_segment(Connection& connection, SegmentRow& row, std::string_view text) {
    Query(connection,
          "INSERT INTO segments(space_id, identity, standing, bytes, n_tokens, n_chunks, flags, "
          "seal, "
          "text_seal, text) VALUES(?, NULL, ?, 0, 0, 0, 0, 0, 0, x'')")
        .bind(sql(row.space))
        .bind(static_cast<int64_t>(row.standing))
        .run();
    row.id = static_cast<uint64_t>(connection.last_row_id());
    update_segment(connection, row, text);  // the seals cover the number
}

void update_segment(Connection& connection, const SegmentRow& row, std::string_view text) {
    Query query(
        connection,
        "UPDATE segments SET identity = ?, bytes = ?, n_tokens = ?, n_chunks = ?, flags = ?, "
        "seal = ?, text_seal = ?, text = ? WHERE id = ?");
    if (row.is_open()) {
        query.bind_null();
    } else {
        query.bind_blob(as_bytes(row.identity));
    }
    query.bind(sql(row.bytes)).bind(sql(row.tokens)).bind(sql(row.chunks));
    query.bind(sql(flags_of(row))).bind(seal_of(row)).bind(seal_text(row.id, text));
    query.bind_blob(text).bind(sql(row.id)).run();
}

void set_standing(Connection& connection, uint64_t id, Standing standing) {
    Query(connection, "UPDATE segments SET standing = ? WHERE id = ?")
        .bind(static_cast<int64_t>(standing))
        .bind(sql(id))
        .run();
}

void erase_segment_row(Connection& connection, uint64_t id) {
    Query(connection, "DELETE FROM segments WHERE id = ?").bind(sql(id)).run();
}

std::string read_segment_text(Connection& connection, const SegmentRow& row) {
    if (row.text_discarded)
        throw Error(Status::kUnsupported, "rpt",
                    "the text was not kept; read the document again without discarding it");
    Query query(connection, "SELECT text, text_seal FROM segments WHERE id = ?");
    query.bind(sql(row.id));
    if (!query.step()) fail_segment(connection, row.id, "it is missing");
    if (seal_text(row.id, query.blob(0)) != query.count(1))
        fail_segment(connection, row.id, "checksum of its text differs");
    auto text = decode_text(query.blob(0));
    if (!text || text->size() != row.bytes)
        fail_segment(connection, row.id, "its text does not unpack");
    return std::move(*text);
}

std::vector<SegmentRow> list_unused(Connection& connection, uint64_t space, size_t limit) {
    std::vector<SegmentRow> rows;
    if (space != 0) {
        Query query(connection, SELECT_SEGMENT
                    " WHERE standing < 2 AND standing = 0 AND space_id = ? ORDER BY id LIMIT ?");
        query.bind(sql(space)).bind(sql(limit));
        while (query.step()) rows.push_back(segment_of(connection, query));
    } else {
        Query query(connection, SELECT_SEGMENT " WHERE standing < 2 AND standing = 0 LIMIT ?");
        query.bind(sql(limit));
        while (query.step()) rows.push_back(segment_of(connection, query));
    }
    return rows;
}

std::vector<Place> list_places(Connection& connection, uint64_t document) {
    std::vector<Place> places;
    Query query(
        connection,
        "SELECT place, segment_id, bytes, n_chunks FROM places WHERE document_id = ? ORDER BY "
        "place");
    query.bind(sql(document));
    while (query.step())
        places.push_back({query.count(0), query.count(1), query.count(2), query.count(3)});
    return places;
}

std::vector<Place> list_places(Connection& connection, uint64_t document, uint64_t digest) {
    std::vector<Place> places = list_places(connection, document);
    uint64_t found = 0;
    for (const Place& place : places) found += place_digest(place);
    if (found != digest)
        throw Error(Status::kCorrupt, "rpt",
                    "store \"" + connection.label() + "\": the segments of document " +
                        std::to_string(document) +
                        " do not match its digest; restore a backup or delete and read it again");
    return places;
}

std::vector<Place> list_places_between(Connection& connection, uint64_t document, uint64_t begin,
                                       uint64_t end) {
    std::vector<Place> places;
    Query query(connection,
                "SELECT place, segment_id, bytes, n_chunks FROM places WHERE document_id = ? AND "
                "place >= ? AND place <= ? ORDER BY place");
    query.bind(sql(document)).bind(sql(begin)).bind(sql(end - 1));
    while (query.step())
        places.push_back({query.count(0), query.count(1), query.count(2), query.count(3)});
    return places;
}

void insert_place(Connection& connection, uint64_t document, const Place& place) {
    Query(
        connection,
        "INSERT INTO places(document_id, place, segment_id, bytes, n_chunks) VALUES(?, ?, ?, ?, ?)")
        .bind(sql(document))
        .bind(sql(place.place))
        .bind(sql(place.segment))
        .bind(sql(place.bytes))
        .bind(sql(place.chunks))
        .run();
}

void erase_place(Connection& connection, uint64_t document, uint64_t place) {
    Query(connection, "DELETE FROM places WHERE document_id = ? AND place = ?")
        .bind(sql(document))
        .bind(sql(place))
        .run();
}

void erase_places(Connection& connection, uint64_t document) {
    Query(connection, "DELETE FROM places WHERE document_id = ?").bind(sql(document)).run();
}

uint64_t place_digest(const Place& place) {
    return digest_part(digest_part(digest_part(place.place, 1) ^ place.segment, 2) ^ place.bytes,
                       static_cast<uint32_t>(place.chunks));
}

Standing standing_by_documents(Connection& connection, uint64_t segment) {
    Query query(
        connection,
        "SELECT min(d.pending) FROM places p JOIN documents d ON d.id = p.document_id WHERE "
        "p.segment_id = ?");
    query.bind(sql(segment));
    if (!query.step() || query.is_null(0)) return Standing::kUnused;
    return query.number(0) == 0 ? Standing::kVisible : Standing::kHidden;
}

}  // namespace rpt::storage
