// The chunks a session has read, kept in memory for this session alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/span.h"
#include "core/engine/engine.h"

namespace rpt::reader {

// Chunk numbers run from 0 without gaps. One thread at a time.
class OwnPast {
  public:
    struct Scored {
        uint64_t chunk;
        float score;  // <query, key> / sqrt(dim)
    };

    // Keys have `dim` numbers, those of a query count by their idf (base/feature_idf.h) if the
    // model counts features.
    explicit OwnPast(size_t dim, bool weigh_by_idf = false)
        : dim_(dim), weigh_by_idf_(weigh_by_idf) {}

    uint64_t size() const { return entries_.size(); }
    // `chunk.index` must be size(). A chunk without a key is found by no search.
    void append(const engine::EncodedChunk& chunk, ByteSpan bytes);
    // Forgets chunk n and all later ones.
    void truncate(uint64_t n);
    // Best k of the chunks 0 .. last (none if negative): score descending, ties to the lower
    // number. Scores that are not finite do not count.
    std::vector<Scored> search(std::span<const float> query, int64_t last, size_t k) const;
    ByteSpan bytes(uint64_t chunk) const { return entries_[chunk].bytes; }
    // [m, d], through fp16: half the memory, an error of 2^-11 relative.
    std::vector<float> states(uint64_t chunk) const;

  private:
    struct Entry {
        ByteSpan bytes;
        std::vector<uint16_t> states;
    };
    // The query weighed by what the first n keys hold.
    std::vector<float> weighed(std::span<const float> query, uint64_t n) const;

    size_t dim_;
    bool weigh_by_idf_;
    std::vector<float> keys_;  // [size, dim]
    // Of the first `summed_` keys: they grow with the text, a search after the other.
    mutable std::vector<double> sums_;
    mutable uint64_t summed_ = 0;
    std::vector<Entry> entries_;
};

}  // namespace rpt::reader
