// The pointer keys of chunks. One connection, one thread; inside the caller's transaction.
#pragma once

#include <string_view>

#include "storage/pointer_keys.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/chunk_table.h"

namespace rpt::storage {

void write_pointers(Connection& connection, uint64_t chunk, std::string_view blob);
void erase_pointers(Connection& connection, uint64_t chunk);
// With the chunk's number; the tokens are left out. kCorrupt naming the chunk.
PointerRows read_pointers(Connection& connection, const ChunkRow& chunk, uint32_t width);

// Chunks of a space that searches see, ascending; reads an index alone.
struct VisibleChunk {
    uint64_t chunk = 0, segment = 0;
    uint32_t key_seal = 0;
};
// kCorrupt unless they match the digest of the space.
std::vector<VisibleChunk> list_visible_chunks(Connection& connection, const SpaceRow& space);

}  // namespace rpt::storage
