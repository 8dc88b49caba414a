#include "storage/sqlite/catalogue.h"

#include <cstring>

#include "base/byte_order.h"
#include "base/crc32c.h"
#include "base/error.h"

namespace rpt::storage {
namespace {

#define SELECT_SPACE                                                                        \
    "SELECT id, owner, collection, generation, digest, budget, chunks, tokens, text_disk, " \
    "state_disk, "                                                                          \
    "seal FROM spaces"
#define SELECT_DOCUMENT                                                             \
    "SELECT id, space_id, key, pending, revision, uri, meta, timestamp_ms, bytes, " \
    "bytes_searchable, "                                                            \
    "tokens, chunks, flags, content_hash, places, levels, seal FROM documents"

// documents.flags; on disk, never renumber.
constexpr uint64_t kFinished = 1;
constexpr uint64_t kTextDiscarded = 2;

std::string_view as_bytes(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

uint64_t flags_of(const DocumentRow& row) {
    return (row.info.finished ? kFinished : 0) | (row.info.text_discarded ? kTextDiscarded : 0);
}

uint32_t seal_of(const SpaceRow& space) {
    ByteWriter bytes;
    bytes.u64(space.id).text(space.owner).text(space.collection);
    return crc32c(bytes.str().data(), bytes.str().size());
}

// `with_levels`: rows of formats 2 and 3 had none.
uint32_t seal_of(const DocumentRow& row, bool with_levels = true) {
    const DocumentInfo& info = row.info;
    ByteWriter bytes;
    bytes.u64(info.id)
        .u64(row.space)
        .text(info.key)
        .u8(row.pending)
        .u64(info.revision)
        .text(info.uri);
    bytes.text(info.meta_json).u64(static_cast<uint64_t>(info.timestamp_ms)).u64(info.bytes);
    bytes.u64(info.bytes_searchable).u64(info.tokens).u64(info.chunks).u64(flags_of(row));
    bytes.raw(info.content_hash.data(), info.content_hash.size()).u64(row.places);
    if (with_levels) bytes.u64(row.levels);
    return crc32c(bytes.str().data(), bytes.str().size());
}

SpaceRow space_of(const Connection& connection, const Query& query) {
    SpaceRow space{query.count(0),
                   std::string(query.blob(1)),
                   std::string(query.blob(2)),
                   query.count(3),
                   query.count(4),
                   query.count(5),
                   query.count(6),
                   query.count(7),
                   query.count(8),
                   query.count(9)};
    if (seal_of(space) != query.count(10))
        throw Error(Status::kCorrupt, "rpt",
                    "store \"" + connection.label() + "\": checksum of space " +
                        std::to_string(space.id) + " differs; restore a backup");
    return space;
}

DocumentRow document_of(const Connection& connection, const Query& query, bool with_levels = true) {
    DocumentRow row;
    DocumentInfo& info = row.info;
    info.id = query.count(0);
    row.space = query.count(1);
    info.key = query.blob(2);
    row.pending = query.flag(3);
    info.revision = query.count(4);
    info.uri = query.blob(5);
    info.meta_json = query.blob(6);
    info.timestamp_ms = query.number(7);
    info.bytes = query.count(8);
    info.bytes_searchable = query.count(9);
    info.tokens = query.count(10);
    info.chunks = query.count(11);
    info.finished = (query.count(12) & kFinished) != 0;
    row.info.text_discarded = (query.count(12) & kTextDiscarded) != 0;
    if (query.blob(13).size() == info.content_hash.size())
        std::memcpy(info.content_hash.data(), query.blob(13).data(), info.content_hash.size());
    row.places = query.count(14);
    row.levels = query.count32(15);
    if (seal_of(row, with_levels) != query.count(16))
        throw Error(Status::kCorrupt, "rpt",
                    "store \"" + connection.label() + "\": checksum of document \"" + info.key +
                        "\" (" + std::to_string(info.id) +
                        ") differs; restore a backup or delete and read it again");
    return row;
}

void bind_document(Query& query, const DocumentRow& row) {
    const DocumentInfo& info = row.info;
    query.bind(static_cast<int64_t>(row.space)).bind_text(info.key).bind(row.pending);
    query.bind(static_cast<int64_t>(info.revision)).bind_text(info.uri).bind_text(info.meta_json);
    query.bind(info.timestamp_ms).bind(static_cast<int64_t>(info.bytes));
    query.bind(static_cast<int64_t>(info.bytes_searchable)).bind(static_cast<int64_t>(info.tokens));
    query.bind(static_cast<int64_t>(info.chunks)).bind(static_cast<int64_t>(flags_of(row)));
    query.bind_blob(as_bytes(info.content_hash)).bind(static_cast<int64_t>(row.places));
    query.bind(row.levels).bind(seal_of(row));
}

}  // namespace

std::optional<SpaceRow> find_space(Connection& connection, std::string_view owner,
                                   std::string_view collection) {
    Query query(connection, SELECT_SPACE " WHERE owner = ? AND collection = ?");
    query.bind_text(owner).bind_text(collection);
    if (!query.step()) return std::nullopt;
    return space_of(connection, query);
}

std::optional<SpaceRow> read_space(Connection& connection, uint64_t id) {
    Query query(connection, SELECT_SPACE " WHERE id = ?");
    query.bind(static_cast<int64_t>(id));
    if (!query.step()) return std::nullopt;
    return space_of(connection, query);
}

void list_space_rows(Connection& connection, const std::function<bool(const SpaceRow&)>& visit) {
    Query query(connection, SELECT_SPACE " ORDER BY owner, collection");
    while (query.step())
        if (!visit(space_of(connection, query))) return;
}

SpaceRow insert_space(Connection& connection, std::string_view owner, std::string_view collection) {
    SpaceRow space;
    space.owner = owner;
    space.collection = collection;
    Query(connection,
          "INSERT INTO spaces(owner, collection, generation, digest, budget, chunks, tokens, "
          "text_disk, "
          "state_disk, seal) VALUES(?, ?, 0, 0, 0, 0, 0, 0, 0, 0)")
        .bind_text(owner)
        .bind_text(collection)
        .run();
    space.id = static_cast<uint64_t>(connection.last_row_id());
    // The seal covers the number, which is known only now.
    Query(connection, "UPDATE spaces SET seal = ? WHERE id = ?")
        .bind(seal_of(space))
        .bind(static_cast<int64_t>(space.id))
        .run();
    touch_space(connection, space);
    return space;
}

bool touch_space(Connection& connection, SpaceRow& space) {
    Query(connection, "UPDATE store SET generation = generation + 1").run();
    space.generation =
        static_cast<uint64_t>(connection.read_number("SELECT generation FROM store"));
    Query(connection,
          "UPDATE spaces SET generation = ?, digest = ?, budget = ?, chunks = ?, tokens = ?, "
          "text_disk = "
          "?, state_disk = ? WHERE id = ?")
        .bind(static_cast<int64_t>(space.generation))
        .bind(static_cast<int64_t>(space.digest))
        .bind(static_cast<int64_t>(space.budget))
        .bind(static_cast<int64_t>(space.chunks))
        .bind(static_cast<int64_t>(space.tokens))
        .bind(static_cast<int64_t>(space.text_disk))
        .bind(static_cast<int64_t>(space.state_disk))
        .bind(static_cast<int64_t>(space.id))
        .run();
    return connection.changed_rows() == 1;
}

std::optional<DocumentRow> find_document_row(Connection& connection, uint64_t space,
                                             std::string_view key, bool pending) {
    Query query(connection, SELECT_DOCUMENT " WHERE space_id = ? AND key = ? AND pending = ?");
    query.bind(static_cast<int64_t>(space)).bind_text(key).bind(pending);
    if (!query.step()) return std::nullopt;
    return document_of(connection, query);
}

std::optional<DocumentRow> read_document_row(Connection& connection, uint64_t id) {
    Query query(connection, SELECT_DOCUMENT " WHERE id = ?");
    query.bind(static_cast<int64_t>(id));
    if (!query.step()) return std::nullopt;
    return document_of(connection, query);
}

DocumentRow read_older_document_row(Connection& connection, uint64_t id) {
    Query query(connection,
                "SELECT id, space_id, key, pending, revision, uri, meta, timestamp_ms, bytes, "
                "bytes_searchable, tokens, chunks, flags, content_hash, places, 0, seal FROM "
                "documents WHERE id = ?");
    query.bind(static_cast<int64_t>(id));
    if (!query.step())
        throw Error(Status::kCorrupt, "rpt",
                    "store \"" + connection.label() + "\": document " + std::to_string(id) +
                        " is missing; restore a backup");
    return document_of(connection, query, false);
}

void list_document_rows(Connection& connection, uint64_t space, std::string_view after_key,
                        const std::function<bool(const DocumentRow&)>& visit) {
    Query query(connection,
                SELECT_DOCUMENT " WHERE space_id = ? AND key > ? AND pending = 0 ORDER BY key");
    query.bind(static_cast<int64_t>(space)).bind_text(after_key);
    while (query.step())
        if (!visit(document_of(connection, query))) return;
}

void insert_document(Connection& connection, DocumentRow& row) {
    {
        Query query(
            connection,
            "INSERT INTO documents(space_id, key, pending, revision, uri, meta, timestamp_ms, "
            "bytes, "
            "bytes_searchable, tokens, chunks, flags, content_hash, places, levels, seal) "
            "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        bind_document(query, row);
        query.run();
    }
    row.info.id = static_cast<uint64_t>(connection.last_row_id());
    update_document(connection, row);  // the seal covers the number
}

bool update_document(Connection& connection, const DocumentRow& row) {
    Query query(
        connection,
        "UPDATE documents SET space_id = ?, key = ?, pending = ?, revision = ?, uri = ?, meta = ?, "
        "timestamp_ms = ?, bytes = ?, bytes_searchable = ?, tokens = ?, chunks = ?, flags = ?, "
        "content_hash = ?, places = ?, levels = ?, seal = ? WHERE id = ?");
    bind_document(query, row);
    query.bind(static_cast<int64_t>(row.info.id)).run();
    return connection.changed_rows() == 1;
}

void erase_document_row(Connection& connection, uint64_t id) {
    Query(connection, "DELETE FROM documents WHERE id = ?").bind(static_cast<int64_t>(id)).run();
}

}  // namespace rpt::storage
