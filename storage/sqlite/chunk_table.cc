#include "storage/sqlite/chunk_table.h"

#include <algorithm>

#include "base/error.h"
#include "base/half.h"
#include "storage/codec/pointer_codec.h"
#include "storage/codec/state_codec.h"
#include "storage/sqlite/pointer_table.h"

namespace rpt::storage {
namespace {

#define CHUNK_FACTS                                                                        \
    "c.id, c.space_id, c.segment_id, c.ordinal, c.byte_begin, c.byte_end, c.provisional, " \
    "c.n_tokens, c.key_seal, c.tokens_seal, c.state_disk"

int64_t sql(uint64_t value) {
    return static_cast<int64_t>(value);
}

ChunkRow row_of(const Query& query) {
    ChunkRow row;
    row.id = query.count(0);
    row.place = {query.count(1),
                 query.count(2),
                 query.count(3),
                 {query.count(4), query.count(5)},
                 query.flag(6)};
    row.n_tokens = query.count32(7);
    row.key_seal = query.count32(8);
    row.tokens_seal = query.count32(9);
    row.state_disk = query.count(10);
    return row;
}

RowFacts facts_of(const ChunkRow& row) {
    return {row.id, row.place.segment, row.key_seal};
}

// The key blob of column 11.
std::string_view checked_key(Connection& connection, const ChunkRow& row, const Query& query,
                             uint32_t key_dim) {
    const std::string_view blob = query.blob(11);
    if (blob.size() != size_t(key_dim) * 2 || seal_key(row.place, blob) != row.key_seal)
        fail_chunk(connection, row, "checksum of its key differs");
    return blob;
}

void push_row(Connection& connection, const Query& query, KeyRows& rows) {
    const ChunkRow row = row_of(query);
    rows.push(facts_of(row), checked_key(connection, row, query, rows.dim()));
}

}  // namespace

void fail_chunk(Connection& connection, const ChunkRow& chunk, const char* what) {
    std::string name = "segment " + std::to_string(chunk.place.segment);
    try {
        Query query(connection,
                    "SELECT d.key FROM places p JOIN documents d ON d.id = p.document_id WHERE "
                    "p.segment_id = ? ORDER BY d.id LIMIT 1");
        query.bind(sql(chunk.place.segment));
        if (query.step()) name = "\"" + std::string(query.blob(0)) + "\"";
    } catch (const Error&) {  // the places are damaged too: the number must do
    }
    throw Error(Status::kCorrupt, "rpt",
                "chunk " + std::to_string(chunk.id) + " of " + name + ": " + what +
                    "; restore a backup or delete the document and read it again");
}

EncodedRecord encode_record(const ChunkRecord& record, uint32_t dim, const Packing& packing) {
    EncodedRecord encoded;
    encoded.bytes = record.bytes;
    encoded.provisional = record.provisional;
    encoded.n_tokens = static_cast<uint32_t>(record.tokens.size());
    encoded.key = encode_key(record.key);
    encoded.tokens = encode_tokens(record.tokens);
    encoded.states = encode_states(record.states, dim, packing.codec, packing.level);
    if (!record.pointers.empty() && !record.tokens.empty())
        encoded.pointers = encode_pointers(
            record.pointers, static_cast<uint32_t>(record.pointers.size() / record.tokens.size()));
    return encoded;
}

ChunkRow insert_chunk(Connection& connection, const ChunkPlace& place, const EncodedRecord& record,
                      uint64_t used) {
    ChunkRow row;
    row.place = place;
    row.n_tokens = record.n_tokens;
    row.key_seal = seal_key(place, record.key);
    row.tokens_seal = seal_tokens(place, record.tokens);
    Query(connection,
          "INSERT INTO chunks(space_id, segment_id, ordinal, byte_begin, byte_end, provisional, "
          "n_tokens, used, state_disk, key_seal, tokens_seal, key, tokens) VALUES(?, ?, ?, ?, ?, "
          "?, ?, "
          "?, 0, ?, ?, ?, ?)")
        .bind(sql(place.space))
        .bind(sql(place.segment))
        .bind(sql(place.ordinal))
        .bind(sql(place.bytes.begin))
        .bind(sql(place.bytes.end))
        .bind(place.provisional)
        .bind(row.n_tokens)
        .bind(sql(used))
        .bind(row.key_seal)
        .bind(row.tokens_seal)
        .bind_blob(record.key)
        .bind_blob(record.tokens)
        .run();
    row.id = static_cast<uint64_t>(connection.last_row_id());
    if (!record.pointers.empty()) write_pointers(connection, row.id, record.pointers);
    if (record.states.empty()) return row;
    write_states(connection, row.id, record.states, used);
    row.state_disk = record.states.size();
    return row;
}

void erase_chunk(Connection& connection, uint64_t id) {
    Query(connection, "DELETE FROM states WHERE chunk_id = ?").bind(sql(id)).run();
    erase_pointers(connection, id);
    Query(connection, "DELETE FROM chunks WHERE id = ?").bind(sql(id)).run();
}

std::optional<ChunkRow> find_chunk(Connection& connection, uint64_t segment, uint64_t ordinal) {
    Query query(connection,
                "SELECT " CHUNK_FACTS " FROM chunks c WHERE segment_id = ? AND ordinal = ?");
    query.bind(sql(segment)).bind(sql(ordinal));
    return query.step() ? std::optional(row_of(query)) : std::nullopt;
}

std::optional<ChunkRow> read_chunk_row(Connection& connection, uint64_t id) {
    Query query(connection, "SELECT " CHUNK_FACTS " FROM chunks c WHERE id = ?");
    query.bind(sql(id));
    return query.step() ? std::optional(row_of(query)) : std::nullopt;
}

std::vector<ChunkRow> list_chunks(Connection& connection, uint64_t segment) {
    std::vector<ChunkRow> rows;
    Query query(connection,
                "SELECT " CHUNK_FACTS " FROM chunks c WHERE segment_id = ? ORDER BY ordinal");
    query.bind(sql(segment));
    while (query.step()) rows.push_back(row_of(query));
    return rows;
}

std::optional<std::vector<float>> read_states(Connection& connection, const ChunkRow& chunk,
                                              uint32_t dim) {
    Query query(connection, "SELECT seal, body FROM states WHERE chunk_id = ?");
    query.bind(sql(chunk.id));
    if (!query.step()) {
        if (chunk.state_disk == 0) return std::nullopt;
        fail_chunk(connection, chunk, "its states are missing");
    }
    const std::string_view body = query.blob(1);
    if (seal_states(chunk.id, body) != query.count(0))
        fail_chunk(connection, chunk, "checksum of its states differs");
    std::vector<float> states = decode_states(body, dim, chunk.n_tokens);
    if (states.size() != size_t(chunk.n_tokens) * dim)
        fail_chunk(connection, chunk, "its states do not fit its tokens");
    return states;
}

std::vector<int32_t> read_tokens(Connection& connection, const ChunkRow& chunk) {
    Query query(connection, "SELECT tokens FROM chunks WHERE id = ?");
    query.bind(sql(chunk.id));
    if (!query.step()) fail_chunk(connection, chunk, "its row is missing");
    auto tokens = decode_tokens(query.blob(0));
    if (seal_tokens(chunk.place, query.blob(0)) != chunk.tokens_seal || !tokens ||
        tokens->size() != chunk.n_tokens)
        fail_chunk(connection, chunk, "checksum of its tokens differs");
    return std::move(*tokens);
}

ChunkRecord read_chunk_record(Connection& connection, const ChunkRow& chunk,
                              const ModelBinding& model) {
    ChunkRecord record;
    record.bytes = chunk.place.bytes;
    record.provisional = chunk.place.provisional;
    {
        Query query(connection, "SELECT " CHUNK_FACTS ", key FROM chunks c WHERE id = ?");
        query.bind(sql(chunk.id));
        if (!query.step()) fail_chunk(connection, chunk, "its row is missing");
        KeyRows rows(model.key_width());
        push_row(connection, query, rows);
        record.key.resize(model.key_width());
        from_halves(rows.key(0), record.key.data(), model.key_width());
    }
    record.tokens = read_tokens(connection, chunk);
    if (auto states = read_states(connection, chunk, model.dim)) record.states = std::move(*states);
    if (model.pointer_dim > 0)
        record.pointers =
            expand_pointers(read_pointers(connection, chunk, model.pointer_dim), model.pointer_dim);
    return record;
}

void write_states(Connection& connection, uint64_t chunk, std::string_view body, uint64_t used) {
    Query(connection, "INSERT OR REPLACE INTO states(chunk_id, seal, body) VALUES(?, ?, ?)")
        .bind(sql(chunk))
        .bind(seal_states(chunk, body))
        .bind_blob(body)
        .run();
    Query(connection, "UPDATE chunks SET state_disk = ?, used = ? WHERE id = ?")
        .bind(sql(body.size()))
        .bind(sql(used))
        .bind(sql(chunk))
        .run();
}

void drop_states(Connection& connection, uint64_t chunk) {
    Query(connection, "DELETE FROM states WHERE chunk_id = ?").bind(sql(chunk)).run();
    Query(connection, "UPDATE chunks SET state_disk = 0 WHERE id = ?").bind(sql(chunk)).run();
}

void mark_used(Connection& connection, uint64_t chunk, uint64_t used) {
    Query(connection, "UPDATE chunks SET used = ? WHERE id = ?")
        .bind(sql(used))
        .bind(sql(chunk))
        .run();
}

std::vector<StoredStates> list_by_use(Connection& connection, uint64_t space, size_t limit) {
    std::vector<StoredStates> found;
    Query query(
        connection,
        "SELECT used, id, state_disk FROM chunks WHERE space_id = ? AND state_disk > 0 ORDER BY "
        "used, id LIMIT ?");
    query.bind(sql(space)).bind(sql(limit));
    while (query.step()) found.push_back({query.count(0), query.count(1), query.count(2)});
    return found;
}

std::shared_ptr<const KeyRows> load_space_rows(Connection& connection, uint64_t space,
                                               uint64_t after, uint32_t key_dim) {
    auto rows = std::make_shared<KeyRows>(key_dim);
    Query query(connection, "SELECT " CHUNK_FACTS
                            ", c.key FROM chunks c JOIN segments s ON s.id = c.segment_id WHERE "
                            "c.space_id = ? AND c.id > ? AND s.standing = 2 ORDER BY c.id");
    query.bind(sql(space)).bind(sql(after));
    while (query.step()) push_row(connection, query, *rows);
    return rows;
}

void load_segment_rows(Connection& connection, uint64_t segment,
                       std::vector<std::pair<RowFacts, std::string>>& out, uint32_t key_dim) {
    Query query(connection,
                "SELECT " CHUNK_FACTS ", key FROM chunks c WHERE segment_id = ? ORDER BY ordinal");
    query.bind(sql(segment));
    while (query.step()) {
        const ChunkRow row = row_of(query);
        out.emplace_back(facts_of(row), std::string(checked_key(connection, row, query, key_dim)));
    }
}

std::shared_ptr<const KeyRows> load_some_rows(Connection& connection, uint64_t space,
                                              std::span<const uint64_t> chunks, uint32_t key_dim) {
    auto rows = std::make_shared<KeyRows>(key_dim);
    Query query(connection, "SELECT " CHUNK_FACTS
                            ", c.key FROM chunks c JOIN segments s ON s.id = c.segment_id WHERE "
                            "c.space_id = ? AND c.id = ? AND s.standing = 2");
    for (const uint64_t chunk : chunks) {
        query.bind(sql(space)).bind(sql(chunk));
        if (query.step()) push_row(connection, query, *rows);
        query.reset();
    }
    return rows;
}

std::vector<ChunkSeal> list_segment_seals(Connection& connection, uint64_t space,
                                          uint64_t segment) {
    std::vector<ChunkSeal> seals;
    Query query(
        connection,
        "SELECT s.id, s.key_seal FROM chunks p INDEXED BY chunks_by_place CROSS JOIN chunks s "
        "INDEXED BY chunks_by_space ON s.space_id = ? AND s.id = p.id WHERE p.segment_id = ?");
    query.bind(sql(space)).bind(sql(segment));
    while (query.step()) seals.push_back({query.count(0), query.count32(1)});
    return seals;
}

std::vector<ChunkSeal> list_chunk_seals(Connection& connection, uint64_t space) {
    std::vector<ChunkSeal> seals;
    Query query(
        connection,
        "SELECT id, key_seal FROM chunks WHERE space_id = ?1 AND segment_id NOT IN (SELECT id "
        "FROM segments WHERE space_id = ?1 AND standing < 2) ORDER BY id");
    query.bind(sql(space));
    while (query.step()) seals.push_back({query.count(0), query.count32(1)});
    return seals;
}

}  // namespace rpt::storage
