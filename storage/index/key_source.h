// What the index of a space reads from the database: keys of visible chunks, and what proves them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/index/key_rows.h"

namespace rpt::storage {

// Which state of a space: two equal marks are of equal chunks.
struct SpaceMark {
    uint64_t generation = 0;  // the store's generation when the space last changed
    uint64_t digest = 0;      // sum of digest_part() over its visible chunks
};

// Number and key checksum of a chunk.
struct ChunkSeal {
    uint64_t chunk = 0;
    uint32_t seal = 0;
};

// One space at one moment; one thread, inside the caller's read transaction. Keys come with their
// checksums proven (kCorrupt).
class KeySource {
  public:
    virtual ~KeySource() = default;
    virtual std::shared_ptr<const KeyRows> rows_after(uint64_t chunk) = 0;
    // Sorted numbers; absent ones are left out.
    virtual std::shared_ptr<const KeyRows> rows_of(std::span<const uint64_t> chunks) = 0;
    // Of all visible chunks, ascending.
    virtual std::vector<ChunkSeal> seals() = 0;
    // Of the store, for error texts.
    virtual const std::string& label() const = 0;
};

}  // namespace rpt::storage
