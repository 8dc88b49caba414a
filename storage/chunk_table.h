// Rows of chunks and their states. One connection, one thread; inside the caller's transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/blob_codec.h"
#include "storage/key_rows.h"
#include "storage/sqlite_connection.h"
#include "storage/store.h"

namespace rpt::storage {

// A chunk's row without its blobs.
struct ChunkRow {
    uint64_t id = 0;
    ChunkPlace place;
    uint32_t n_tokens = 0;
    uint32_t key_seal = 0;
};

// What insert_chunk() made of a record.
struct InsertedChunk {
    RowFacts facts;
    std::string key;  // blob
    uint64_t state_bytes = 0;
};

InsertedChunk insert_chunk(Connection& connection, const ChunkPlace& place, uint64_t key_hash,
                           const ChunkRecord& record, uint32_t dim, int compression_level);
// Removes a row with its states; the bytes of the latter.
uint64_t erase_chunk(Connection& connection, uint64_t id);

std::optional<ChunkRow> find_chunk(Connection& connection, uint64_t space, uint64_t document,
                                   uint64_t ordinal);
std::optional<ChunkRow> read_chunk_row(Connection& connection, uint64_t id);
std::vector<ChunkRow> list_chunks(Connection& connection, uint64_t space, uint64_t document,
                                  uint64_t from_ordinal);
// End of the last chunk's bytes, 0 without chunks.
uint64_t last_chunk_end(Connection& connection, uint64_t space, uint64_t document);

// kCorrupt naming chunk and document.
std::vector<float> read_states(Connection& connection, const ChunkRow& chunk, uint32_t dim);
ChunkRecord read_chunk_record(Connection& connection, const ChunkRow& chunk, uint32_t dim);

// Keys of visible chunks, checksums proven: all of a space after a chunk id, all of a document, or
// some by number (sorted; absent ones are left out).
std::shared_ptr<const KeyRows> load_space_rows(Connection& connection, uint64_t space,
                                               uint64_t after, uint32_t dim);
std::shared_ptr<const KeyRows> load_document_rows(Connection& connection, uint64_t space,
                                                  uint64_t document, uint32_t dim);
std::shared_ptr<const KeyRows> load_some_rows(Connection& connection, uint64_t space,
                                              std::span<const uint64_t> chunks, uint32_t dim);
// Numbers and seals of the visible chunks of a space, ascending; reads an index alone.
struct ChunkSeal {
    uint64_t chunk = 0;
    uint32_t seal = 0;
};
std::vector<ChunkSeal> list_chunk_seals(Connection& connection, uint64_t space);

}  // namespace rpt::storage
