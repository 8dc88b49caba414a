// Keys of many chunks side by side, with what a search must know of each: the rows that are
// scanned.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace rpt::storage {

struct RowFacts {
    uint64_t chunk = 0;
    uint64_t document = 0;
    uint64_t key_hash = 0;  // of the document's key, see hash_key()
    ByteSpan bytes;
    uint32_t seal = 0;  // of the key blob
};

// First 64 bits of SHA-256: nobody can choose a key that hides another document.
uint64_t hash_key(std::string_view document_key);

// Sorted by chunk id. Filled by one thread, then immutable.
class KeyRows {
  public:
    explicit KeyRows(uint32_t dim);

    // In ascending order of chunk ids. `blob` is the key as stored: [dim] fp16.
    void push(const RowFacts& facts, std::string_view blob);
    void push_from(const KeyRows& other, size_t row);
    void reserve(size_t n);

    uint32_t dim() const { return dim_; }
    size_t columns() const { return columns_; }  // dim padded with zeros for the kernels
    size_t size() const { return facts_.size(); }
    const RowFacts& facts(size_t row) const { return facts_[row]; }
    const uint16_t* key(size_t row) const { return keys_.data() + row * columns_; }
    // -1 if absent.
    int64_t find(uint64_t chunk) const;

  private:
    uint32_t dim_;
    size_t columns_;
    std::vector<RowFacts> facts_;
    std::vector<uint16_t> keys_;  // [size, columns]
};

}  // namespace rpt::storage
