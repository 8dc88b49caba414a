// Pointer keys: a unit vector for each stored token, as a scan reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace rpt::storage {

// Of a key: sums over a row in whole numbers stay within 32 bits.
inline constexpr uint32_t kMostPointerWidth = 2048;

// Bytes of one row of `width` numbers in four bits each.
constexpr size_t pointer_row_bytes(uint32_t width) {
    return (size_t(width) + 1) / 2;
}

// Bytes of one row's signs: a bit for each number.
constexpr size_t sign_bytes(uint32_t width) {
    return (pointer_row_bytes(width) + 3) / 4;
}

// Of the tokens of one chunk. Number 2 i of a row is the low half of its byte i, number 2 i + 1 the
// high half; a half of h stands for scale * (h - 8).
struct PointerRows {
    uint64_t chunk = 0;            // unique in the store, never reused
    std::vector<int32_t> tokens;   // [n]
    std::vector<float> scales;     // [n]
    std::vector<uint8_t> nibbles;  // [n, pointer_row_bytes(width)]
};

// The same, borrowed.
struct PointerSlice {
    uint64_t chunk;
    std::span<const int32_t> tokens;
    std::span<const float> scales;
    std::span<const uint8_t> nibbles;

    PointerSlice(uint64_t number, std::span<const int32_t> t, std::span<const float> s,
                 std::span<const uint8_t> n)
        : chunk(number), tokens(t), scales(s), nibbles(n) {}
    PointerSlice(const PointerRows& rows)
        : PointerSlice(rows.chunk, rows.tokens, rows.scales, rows.nibbles) {}
};

// Rows of neighbouring chunks, one behind the other: a scan reads memory in one stream. Immutable.
class PointerPage {
  public:
    // Chunks whose numbers have the same quotient share a page: about a megabyte of chunks of 64
    // tokens. So what stands in a page depends on the numbers alone, not on the order of changes.
    static constexpr uint64_t kChunks = 256;

    static constexpr size_t kBlock = 64;          // rows of a block of signs
    static constexpr uint64_t kSampleOneIn = 32;  // rows

    // `slices` ascend by chunk.
    explicit PointerPage(std::span<const PointerSlice> slices);

    size_t chunks() const { return chunks_.size(); }
    uint64_t chunk(size_t i) const { return chunks_[i]; }
    size_t begin(size_t i) const { return begins_[i]; }  // first row of chunk i; rows() at the end
    size_t rows() const { return tokens_.size(); }
    PointerSlice slice(size_t i) const;
    const uint8_t* nibbles() const { return nibbles_.data(); }
    const float* scales() const { return scales_.data(); }
    // For a first look at many rows: the signs of their numbers. Bit k of byte [b, p, r] is set
    // where number 8 p + k of row r of block b is above 0. For 0 it is either; 0 behind the last
    // row.
    std::span<const uint8_t> signs() const { return signs_; }  // [blocks, sign_bytes(width), 64]
    size_t blocks() const { return (rows() + kBlock - 1) / kBlock; }
    // About one row in kSampleOneIn, once more: side by side, so that a scan need not jump. What is
    // taken depends on the row and on its place in its chunk alone.
    struct Sample {
        std::vector<uint32_t> rows;    // which, ascending
        std::vector<float> scales;     // [rows]
        std::vector<uint8_t> nibbles;  // [rows, pointer_row_bytes(width)]
    };
    const Sample& sample() const { return sample_; }
    uint64_t memory_bytes() const;

  private:
    void look_at_rows();

    size_t row_bytes_ = 0;
    std::vector<uint64_t> chunks_;
    std::vector<uint32_t> begins_;
    std::vector<int32_t> tokens_;
    std::vector<float> scales_;
    std::vector<uint8_t> nibbles_, signs_;
    Sample sample_;
};

// All that a search of one space may see, at one moment. Immutable, shared by threads.
struct PointerSnapshot {
    struct Part {  // a chunk
        const PointerPage* page;
        uint32_t index;     // in the page
        int32_t next = -1;  // token that follows the last row's, -1: none

        PointerSlice rows() const { return page->slice(index); }
        uint64_t chunk() const { return page->chunk(index); }
    };
    uint64_t generation = 0;  // of the space when this was true
    uint32_t width = 0;       // numbers of a row; 0: the store's model has no pointers
    uint64_t tokens = 0;      // rows of all parts
    uint64_t memory_bytes = 0;
    std::vector<std::shared_ptr<const PointerPage>> pages;  // ascending by chunk
    std::vector<Part> parts;                                // of all pages, in order

    // Behind the others.
    void add(std::shared_ptr<const PointerPage> page);
};

}  // namespace rpt::storage
