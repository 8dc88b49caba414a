// Rows of chunks and their states. One connection, one thread; inside the caller's transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/codec/blob_codec.h"
#include "storage/index/key_source.h"
#include "storage/sqlite/sqlite_connection.h"
#include "storage/store.h"

namespace rpt::storage {

// A chunk's row without its blobs.
struct ChunkRow {
    uint64_t id = 0;
    ChunkPlace place;
    uint32_t n_tokens = 0;
    uint32_t key_seal = 0, tokens_seal = 0;
    uint64_t state_disk = 0;  // bytes of the encoded states; 0: dropped
};

// A record as it goes to the disk, made before the transaction begins.
struct EncodedRecord {
    ByteSpan bytes;
    bool provisional = false;
    uint32_t n_tokens = 0;
    std::string key, tokens, states;
    std::string pointers;  // empty if the model has none

    uint64_t size() const { return key.size() + tokens.size() + states.size() + pointers.size(); }
};
EncodedRecord encode_record(const ChunkRecord& record, uint32_t dim, const Packing& packing);

// `used`: when its states were last wanted, as a generation of the store. With empty states they
// count as dropped.
ChunkRow insert_chunk(Connection& connection, const ChunkPlace& place, const EncodedRecord& record,
                      uint64_t used);
// Removes a row with its states and pointer keys.
void erase_chunk(Connection& connection, uint64_t id);

// Names a document that holds the chunk, for the message; `what` is wrong with it.
[[noreturn]] void fail_chunk(Connection& connection, const ChunkRow& chunk, const char* what);

std::optional<ChunkRow> find_chunk(Connection& connection, uint64_t segment, uint64_t ordinal);
std::optional<ChunkRow> read_chunk_row(Connection& connection, uint64_t id);
std::vector<ChunkRow> list_chunks(Connection& connection, uint64_t segment);

// nullopt if they were dropped; kCorrupt naming the chunk.
std::optional<std::vector<float>> read_states(Connection& connection, const ChunkRow& chunk,
                                              uint32_t dim);
std::vector<int32_t> read_tokens(Connection& connection, const ChunkRow& chunk);
// Bytes counted in the segment; no states if they were dropped.
ChunkRecord read_chunk_record(Connection& connection, const ChunkRow& chunk,
                              const ModelBinding& model);

void write_states(Connection& connection, uint64_t chunk, std::string_view body, uint64_t used);
void drop_states(Connection& connection, uint64_t chunk);
void mark_used(Connection& connection, uint64_t chunk, uint64_t used);
// States of a space that went unused for longest.
struct StoredStates {
    uint64_t used = 0, chunk = 0, disk = 0;
};
std::vector<StoredStates> list_by_use(Connection& connection, uint64_t space, size_t limit);

// Keys of visible chunks, checksums proven: all of a space after a chunk id, all of a segment, or
// some by number (sorted; absent ones are left out).
std::shared_ptr<const KeyRows> load_space_rows(Connection& connection, uint64_t space,
                                               uint64_t after, uint32_t key_dim);
void load_segment_rows(Connection& connection, uint64_t segment,
                       std::vector<std::pair<RowFacts, std::string>>& out, uint32_t key_dim);
std::shared_ptr<const KeyRows> load_some_rows(Connection& connection, uint64_t space,
                                              std::span<const uint64_t> chunks, uint32_t key_dim);
// Numbers and seals of the visible chunks of a space, ascending; reads an index alone.
std::vector<ChunkSeal> list_chunk_seals(Connection& connection, uint64_t space);
// Of all chunks of a segment, visible or not, in no order; reads indexes alone, so that a long
// document goes without a look at the pages of its chunks.
std::vector<ChunkSeal> list_segment_seals(Connection& connection, uint64_t space, uint64_t segment);

}  // namespace rpt::storage
