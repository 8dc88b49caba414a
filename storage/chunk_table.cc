#include "storage/chunk_table.h"

#include <algorithm>

#include "base/error.h"
#include "base/half.h"
#include "storage/catalogue.h"
#include "storage/state_codec.h"

namespace rpt::storage {
namespace {

int64_t sql(uint64_t value) {
    return static_cast<int64_t>(value);
}

[[noreturn]] void fail_chunk(Connection& connection, uint64_t chunk, uint64_t document,
                             const char* what) {
    std::string name = "document " + std::to_string(document);
    try {
        if (const auto row = read_document_row(connection, document))
            name = "\"" + row->info.key + "\"";
    } catch (const Error&) {  // the document is damaged too: its number must do
    }
    throw Error(Status::kCorrupt, "rpt",
                "chunk " + std::to_string(chunk) + " of " + name + ": " + what +
                    "; restore a backup or delete the document and read it again");
}

constexpr const char* kRowById =
    "SELECT id, space_id, document_id, ordinal, byte_begin, byte_end, provisional, n_tokens, "
    "key_seal FROM chunks "
    "WHERE id = ?";
constexpr const char* kRowByPlace =
    "SELECT id, space_id, document_id, ordinal, byte_begin, byte_end, provisional, n_tokens, "
    "key_seal FROM chunks "
    "WHERE space_id = ? AND document_id = ? AND ordinal = ?";
constexpr const char* kRowsFrom =
    "SELECT id, space_id, document_id, ordinal, byte_begin, byte_end, provisional, n_tokens, "
    "key_seal FROM chunks "
    "WHERE space_id = ? AND document_id = ? AND ordinal >= ? ORDER BY ordinal";
constexpr const char* kKeysOfSpace =
    "SELECT id, space_id, document_id, ordinal, byte_begin, byte_end, provisional, n_tokens, "
    "key_seal, key "
    "FROM chunks WHERE space_id = ? AND id > ? ORDER BY id";
constexpr const char* kKeysOfDocument =
    "SELECT id, space_id, document_id, ordinal, byte_begin, byte_end, provisional, n_tokens, "
    "key_seal, key "
    "FROM chunks WHERE space_id = ? AND document_id = ? ORDER BY id";
constexpr const char* kKeyOfChunk =
    "SELECT id, space_id, document_id, ordinal, byte_begin, byte_end, provisional, n_tokens, "
    "key_seal, key "
    "FROM chunks WHERE space_id = ? AND id = ?";

ChunkRow row_of(const Query& query) {
    ChunkRow row;
    row.id = query.count(0);
    row.place = {query.count(1),
                 query.count(2),
                 query.count(3),
                 {query.count(4), query.count(5)},
                 query.number(6) != 0};
    row.n_tokens = static_cast<uint32_t>(query.count(7));
    row.key_seal = static_cast<uint32_t>(query.count(8));
    return row;
}

// Collects keys and asks for each document's row once in a run.
class RowLoader {
  public:
    RowLoader(Connection& connection, uint32_t dim)
        : connection_(connection), dim_(dim), rows_(std::make_shared<KeyRows>(dim)) {}

    void add(const Query& query) {
        const ChunkRow row = row_of(query);
        const std::string_view blob = query.blob(9);
        if (row.place.document != document_) {
            const auto found = read_document_row(connection_, row.place.document);
            if (!found)
                fail_chunk(connection_, row.id, row.place.document, "its document is missing");
            document_ = row.place.document;
            pending_ = found->pending;
            key_hash_ = hash_key(found->info.key);
        }
        if (pending_) return;
        if (blob.size() != size_t(dim_) * 2 || seal_key(row.place, blob) != row.key_seal)
            fail_chunk(connection_, row.id, row.place.document, "checksum of its key differs");
        rows_->push({row.id, row.place.document, key_hash_, row.place.bytes, row.key_seal}, blob);
    }
    std::shared_ptr<const KeyRows> take() { return std::move(rows_); }

  private:
    Connection& connection_;
    uint32_t dim_;
    std::shared_ptr<KeyRows> rows_;
    uint64_t document_ = 0;
    bool pending_ = false;
    uint64_t key_hash_ = 0;
};

}  // namespace

InsertedChunk insert_chunk(Connection& connection, const ChunkPlace& place, uint64_t key_hash,
                           const ChunkRecord& record, uint32_t dim, int compression_level) {
    InsertedChunk inserted;
    inserted.key = encode_key(record.key);
    const std::string tokens = encode_tokens(record.tokens);
    const uint32_t key_seal = seal_key(place, inserted.key);
    Query(connection,
          "INSERT INTO chunks(space_id, document_id, ordinal, byte_begin, byte_end, provisional, "
          "n_tokens, key_seal, "
          "tokens_seal, key, tokens) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(sql(place.space))
        .bind(sql(place.document))
        .bind(sql(place.ordinal))
        .bind(sql(place.bytes.begin))
        .bind(sql(place.bytes.end))
        .bind(place.provisional)
        .bind(sql(record.tokens.size()))
        .bind(key_seal)
        .bind(seal_tokens(place, tokens))
        .bind_blob(inserted.key)
        .bind_blob(tokens)
        .run();
    const auto id = static_cast<uint64_t>(connection.last_row_id());
    const std::string states = encode_states(record.states, dim, compression_level);
    Query(connection, "INSERT INTO states(chunk_id, seal, body) VALUES(?, ?, ?)")
        .bind(sql(id))
        .bind(seal_states(id, states))
        .bind_blob(states)
        .run();
    inserted.state_bytes = states.size();
    inserted.facts = {id, place.document, key_hash, place.bytes, key_seal};
    return inserted;
}

uint64_t erase_chunk(Connection& connection, uint64_t id) {
    uint64_t bytes = 0;
    {
        Query query(connection, "SELECT length(body) FROM states WHERE chunk_id = ?");
        query.bind(sql(id));
        if (query.step()) bytes = query.count(0);
    }
    Query(connection, "DELETE FROM states WHERE chunk_id = ?").bind(sql(id)).run();
    Query(connection, "DELETE FROM chunks WHERE id = ?").bind(sql(id)).run();
    return bytes;
}

std::optional<ChunkRow> find_chunk(Connection& connection, uint64_t space, uint64_t document,
                                   uint64_t ordinal) {
    Query query(connection, kRowByPlace);
    query.bind(sql(space)).bind(sql(document)).bind(sql(ordinal));
    return query.step() ? std::optional(row_of(query)) : std::nullopt;
}

std::optional<ChunkRow> read_chunk_row(Connection& connection, uint64_t id) {
    Query query(connection, kRowById);
    query.bind(sql(id));
    return query.step() ? std::optional(row_of(query)) : std::nullopt;
}

std::vector<ChunkRow> list_chunks(Connection& connection, uint64_t space, uint64_t document,
                                  uint64_t from_ordinal) {
    std::vector<ChunkRow> rows;
    Query query(connection, kRowsFrom);
    query.bind(sql(space)).bind(sql(document)).bind(sql(from_ordinal));
    while (query.step()) rows.push_back(row_of(query));
    return rows;
}

uint64_t last_chunk_end(Connection& connection, uint64_t space, uint64_t document) {
    Query query(connection,
                "SELECT byte_end FROM chunks WHERE space_id = ? AND document_id = ? ORDER BY "
                "ordinal DESC LIMIT 1");
    query.bind(sql(space)).bind(sql(document));
    return query.step() ? query.count(0) : 0;
}

std::vector<float> read_states(Connection& connection, const ChunkRow& chunk, uint32_t dim) {
    Query query(connection, "SELECT seal, body FROM states WHERE chunk_id = ?");
    query.bind(sql(chunk.id));
    if (!query.step())
        fail_chunk(connection, chunk.id, chunk.place.document, "its states are missing");
    const std::string_view body = query.blob(1);
    if (seal_states(chunk.id, body) != query.count(0))
        fail_chunk(connection, chunk.id, chunk.place.document, "checksum of its states differs");
    std::vector<float> states = decode_states(body, dim, chunk.n_tokens);
    if (states.size() != size_t(chunk.n_tokens) * dim)
        fail_chunk(connection, chunk.id, chunk.place.document, "its states do not fit its tokens");
    return states;
}

ChunkRecord read_chunk_record(Connection& connection, const ChunkRow& chunk, uint32_t dim) {
    ChunkRecord record{chunk.place.ordinal, chunk.place.bytes, chunk.place.provisional, {}, {}, {}};
    Query query(connection, "SELECT key, tokens, tokens_seal FROM chunks WHERE id = ?");
    query.bind(sql(chunk.id));
    if (!query.step()) fail_chunk(connection, chunk.id, chunk.place.document, "its row is missing");
    const std::string_view key = query.blob(0);
    if (key.size() != size_t(dim) * 2 || seal_key(chunk.place, key) != chunk.key_seal)
        fail_chunk(connection, chunk.id, chunk.place.document, "checksum of its key differs");
    KeyRows rows(dim);
    RowFacts facts;
    facts.chunk = chunk.id;
    rows.push(facts, key);
    record.key.resize(dim);
    from_halves(rows.key(0), record.key.data(), dim);
    auto tokens = decode_tokens(query.blob(1));
    if (seal_tokens(chunk.place, query.blob(1)) != query.count(2) || !tokens ||
        tokens->size() != chunk.n_tokens)
        fail_chunk(connection, chunk.id, chunk.place.document, "checksum of its tokens differs");
    record.tokens = std::move(*tokens);
    record.states = read_states(connection, chunk, dim);
    return record;
}

std::shared_ptr<const KeyRows> load_space_rows(Connection& connection, uint64_t space,
                                               uint64_t after, uint32_t dim) {
    RowLoader loader(connection, dim);
    Query query(connection, kKeysOfSpace);
    query.bind(sql(space)).bind(sql(after));
    while (query.step()) loader.add(query);
    return loader.take();
}

std::shared_ptr<const KeyRows> load_document_rows(Connection& connection, uint64_t space,
                                                  uint64_t document, uint32_t dim) {
    RowLoader loader(connection, dim);
    Query query(connection, kKeysOfDocument);
    query.bind(sql(space)).bind(sql(document));
    while (query.step()) loader.add(query);
    return loader.take();
}

std::shared_ptr<const KeyRows> load_some_rows(Connection& connection, uint64_t space,
                                              std::span<const uint64_t> chunks, uint32_t dim) {
    RowLoader loader(connection, dim);
    Query query(connection, kKeyOfChunk);
    for (const uint64_t chunk : chunks) {
        query.bind(sql(space)).bind(sql(chunk));
        if (query.step()) loader.add(query);
        query.reset();
    }
    return loader.take();
}

std::vector<ChunkSeal> list_chunk_seals(Connection& connection, uint64_t space) {
    std::vector<ChunkSeal> seals;
    Query query(connection,
                "SELECT id, key_seal FROM chunks WHERE space_id = ?1 AND document_id NOT IN "
                "(SELECT id FROM documents WHERE space_id = ?1 AND pending = 1) ORDER BY id");
    query.bind(sql(space));
    while (query.step()) seals.push_back({query.count(0), static_cast<uint32_t>(query.count(1))});
    return seals;
}

}  // namespace rpt::storage
