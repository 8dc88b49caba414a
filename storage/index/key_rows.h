// Keys of many chunks side by side, with what a search must know of each: the rows that are
// scanned.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "storage/index/key_means.h"

namespace rpt::storage {

struct RowFacts {
    uint64_t chunk = 0;
    uint64_t segment = 0;
    uint32_t seal = 0;  // of the key blob
};

// Sorted by chunk id. Filled by one thread, then immutable. The keys are its own, or stand among
// a file's bytes.
class KeyRows {
  public:
    explicit KeyRows(uint32_t dim);
    // Keys that `owner` keeps alive: [facts.size(), columns] fp16, padded with zeros. Nothing can
    // be pushed.
    KeyRows(uint32_t dim, std::vector<RowFacts> facts, const uint16_t* keys,
            std::shared_ptr<const void> owner);
    KeyRows(const KeyRows&) = delete;
    KeyRows& operator=(const KeyRows&) = delete;

    // In ascending order of chunk ids. `blob` is the key as stored: [dim] fp16.
    void push(const RowFacts& facts, std::string_view blob);
    void push_from(const KeyRows& other, size_t row);
    void reserve(size_t n);

    uint32_t dim() const { return dim_; }
    size_t columns() const { return columns_; }  // dim padded with zeros for the kernels
    size_t size() const { return facts_.size(); }
    const RowFacts& facts(size_t row) const { return facts_[row]; }
    const uint16_t* key(size_t row) const { return keys_ + row * columns_; }
    // -1 if absent.
    int64_t find(uint64_t chunk) const;
    // The first row at or after `from` whose chunk is not before `chunk`; quick if it is near.
    size_t first_from(uint64_t chunk, size_t from) const;
    // Of all rows; not before the last one is pushed.
    const LazySums& sums() const { return sums_; }
    size_t memory_bytes() const { return size() * (sizeof(RowFacts) + columns_ * 2); }

  private:
    void grow(size_t n);

    struct Free {
        void operator()(uint16_t* keys) const;
    };

    uint32_t dim_;
    size_t columns_;
    std::vector<RowFacts> facts_;
    std::unique_ptr<uint16_t, Free> own_;  // [capacity_, columns]
    size_t capacity_ = 0;
    std::shared_ptr<const void> owner_;  // null: the keys are its own
    const uint16_t* keys_ = nullptr;     // [size, columns]
    LazySums sums_;
};

}  // namespace rpt::storage
