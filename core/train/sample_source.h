// Which tokens a training step reads: pieces of documents, mixed by weight, in an order that the
// seed alone decides.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/train/shard.h"

namespace rpt::train {

struct WeightedShard {
    std::shared_ptr<const Shard> shard;
    double weight = 1.0;
};

// At most L consecutive tokens of one document.
struct Piece {
    size_t source = 0;
    size_t document = 0;
    uint64_t begin = 0;
    uint64_t count = 0;
};

// Every document is cut into whole pieces of L tokens, from an offset drawn anew each epoch; a
// source's pieces are shuffled each epoch. One thread at a time.
class SampleSource {
  public:
    // Documents below `min_fill * length` tokens are left out. Throws kArgument if a source has no
    // document left.
    SampleSource(std::vector<WeightedShard> shards, int64_t length, double min_fill, uint64_t seed);

    Piece next();
    // As `n` calls of next(): where a resumed run goes on.
    void skip(uint64_t n);
    std::vector<int32_t> read(const Piece& piece) const;
    // Pieces of all sources in one epoch of each.
    size_t pieces() const;

  private:
    struct Source {
        WeightedShard shard;
        std::vector<Piece> order;  // of the current epoch
        size_t at = 0;
        uint64_t epoch = 0;
    };
    void fill(size_t source);

    std::vector<Source> sources_;
    uint64_t length_;
    uint64_t min_tokens_;
    uint64_t seed_;
    uint64_t drawn_ = 0;
    double total_weight_ = 0;
};

}  // namespace rpt::train
