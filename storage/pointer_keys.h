// Pointer keys: a unit vector for each stored token, as a scan reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace rpt::storage {

// Of a key: sums over a row in whole numbers stay within 32 bits.
inline constexpr uint32_t kMostPointerWidth = 2048;

// Bytes of one row of `width` numbers in four bits each.
constexpr size_t pointer_row_bytes(uint32_t width) {
    return (size_t(width) + 1) / 2;
}

// Of the tokens of one chunk. Number 2 i of a row is the low half of its byte i, number 2 i + 1 the
// high half; a half of h stands for scale * (h - 8). Immutable once shared.
struct PointerRows {
    uint64_t chunk = 0;            // unique in the store, never reused
    std::vector<int32_t> tokens;   // [n]
    std::vector<float> scales;     // [n]
    std::vector<uint8_t> nibbles;  // [n, pointer_row_bytes(width)]

    size_t memory_bytes() const { return sizeof(PointerRows) + tokens.size() * 8 + nibbles.size(); }
};

// All that a search of one space may see, at one moment. Immutable, shared by threads.
struct PointerSnapshot {
    struct Part {
        std::shared_ptr<const PointerRows> rows;
        int32_t next = -1;  // token that follows the last row's, -1: none
    };
    uint64_t generation = 0;  // of the space when this was true
    uint32_t width = 0;       // numbers of a row; 0: the store's model has no pointers
    uint64_t tokens = 0;      // rows of all parts
    uint64_t memory_bytes = 0;
    std::vector<Part> parts;  // ascending by chunk
};

}  // namespace rpt::storage
