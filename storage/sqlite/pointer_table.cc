#include "storage/sqlite/pointer_table.h"

#include "base/error.h"
#include "storage/codec/blob_codec.h"
#include "storage/codec/pointer_codec.h"

namespace rpt::storage {
namespace {

int64_t sql(uint64_t value) {
    return static_cast<int64_t>(value);
}

}  // namespace

void write_pointers(Connection& connection, uint64_t chunk, std::string_view blob) {
    Query(connection, "INSERT INTO pointers(chunk_id, seal, body) VALUES(?, ?, ?)")
        .bind(sql(chunk))
        .bind(seal_pointers(chunk, blob))
        .bind_blob(blob)
        .run();
}

void erase_pointers(Connection& connection, uint64_t chunk) {
    Query(connection, "DELETE FROM pointers WHERE chunk_id = ?").bind(sql(chunk)).run();
}

PointerRows read_pointers(Connection& connection, const ChunkRow& chunk, uint32_t width) {
    Query query(connection, "SELECT seal, body FROM pointers WHERE chunk_id = ?");
    query.bind(sql(chunk.id));
    if (!query.step()) fail_chunk(connection, chunk, "its pointer keys are missing");
    const std::string_view body = query.blob(1);
    if (seal_pointers(chunk.id, body) != query.count(0))
        fail_chunk(connection, chunk, "checksum of its pointer keys differs");
    PointerRows rows;
    rows.chunk = chunk.id;
    if (!unpack_pointers(body, chunk.n_tokens, width, rows))
        fail_chunk(connection, chunk, "its pointer keys do not fit its tokens");
    return rows;
}

std::vector<VisibleChunk> list_visible_chunks(Connection& connection, const SpaceRow& space) {
    std::vector<VisibleChunk> chunks;
    Query query(connection,
                "SELECT id, segment_id, key_seal FROM chunks INDEXED BY chunks_by_space WHERE "
                "space_id = ?1 AND segment_id NOT IN (SELECT id FROM segments WHERE space_id = ?1 "
                "AND standing < 2) ORDER BY id");
    query.bind(sql(space.id));
    while (query.step()) chunks.push_back({query.count(0), query.count(1), query.count32(2)});
    uint64_t digest = 0;
    for (const VisibleChunk& chunk : chunks) digest += digest_part(chunk.chunk, chunk.key_seal);
    if (digest != space.digest)
        throw Error(Status::kCorrupt, "rpt",
                    "store \"" + connection.label() + "\": the chunks of space " +
                        std::to_string(space.id) + " do not match its digest; restore a backup");
    return chunks;
}

}  // namespace rpt::storage
