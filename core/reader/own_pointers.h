// Pointer keys of the tokens a session has read, in memory for this session alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rpt::reader {

// Rows by input position, from 0 without gaps; kept as fp16, an error of 2^-11 relative. Four bits
// would turn differences of 1e-6 between two ways of reading a text into whole steps. One thread at
// a time.
class OwnPointers {
  public:
    explicit OwnPointers(size_t width);

    size_t width() const { return width_; }
    size_t columns() const { return columns_; }  // width padded with zeros for the kernel
    size_t size() const { return rows_.size() / columns_; }
    // Of the positions from size() on: [n, width].
    void append(std::span<const float> keys);
    // Forgets position n and all later ones.
    void truncate(size_t n);
    // [size - position, columns] from there on.
    const uint16_t* rows(size_t position) const { return rows_.data() + position * columns_; }

  private:
    size_t width_, columns_;
    std::vector<uint16_t> rows_;
};

}  // namespace rpt::reader
