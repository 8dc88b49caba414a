// Which tokens a training step reads: pieces of documents, mixed by weight, in an order that the
// seed alone decides.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lab/train/quote_past.h"
#include "lab/train/shard.h"

namespace rpt::train {

struct WeightedShard {
    std::shared_ptr<const Shard> shard;
    double weight = 1.0;
    bool across_documents = false;
    double fim = 0;  // share of the documents of a sample that are read with a gap
};

// At most L consecutive tokens of one document; of a source that goes across documents: of one
// collection, whose documents follow each other in the order of the epoch.
struct Piece {
    size_t source = 0;
    size_t document = 0;  // or the number of the collection, by first appearance in the shard
    uint64_t begin = 0;
    uint64_t count = 0;
    uint64_t epoch = 0;   // of the source
    uint64_t number = 0;  // of the sample, from 0: what the draws of its gaps depend on
};

// Every document is cut into whole pieces of L tokens, from an offset drawn anew each epoch; a
// source's pieces are shuffled each epoch. Across documents, a collection is cut so: its documents
// in an order drawn anew each epoch, each with its end token and every one but the first opened by
// the beginning-of-text token. One thread at a time.
class SampleSource {
  public:
    // Documents below `min_fill * length` tokens are left out. Throws kArgument if a source has no
    // document left, or if gaps are wanted of a shard that does not know the tokens around them.
    SampleSource(std::vector<WeightedShard> shards, int64_t length, double min_fill, uint64_t seed,
                 QuoteRule quotes = {});

    Piece next();
    // As `n` calls of next(): where a resumed run goes on.
    void skip(uint64_t n);
    // The tokens of a sample, with passages of its past in it as the rule wants. With gaps, what is
    // read of each document may be rearranged (fill_in_middle.h); where the added tokens would make
    // the sample longer than L, as many are missing at its end.
    std::vector<int32_t> read(const Piece& piece) const;
    // The document that the piece begins in.
    const std::string& document_id(const Piece& piece) const;
    // Pieces of all sources in one epoch of each.
    size_t pieces() const;

  private:
    struct Source {
        WeightedShard shard;
        std::vector<Piece> order;  // of the current epoch
        size_t at = 0;
        uint64_t epoch = 0;
        // Documents of each collection, in the shard's order; empty unless across documents.
        std::vector<std::vector<size_t>> collections;
    };
    // What a piece takes of one document.
    struct Part {
        size_t document = 0;
        uint64_t begin = 0;
        uint64_t count = 0;
        bool opened = false;  // the beginning-of-text token comes before it
    };
    void fill(size_t source);
    std::vector<Part> parts(const Piece& piece) const;
    std::vector<int32_t> read_parts(const Piece& piece) const;
    void append_part(const Piece& piece, size_t number, const Part& part,
                     std::vector<int32_t>& text) const;

    std::vector<Source> sources_;
    uint64_t length_;
    uint64_t min_tokens_;
    uint64_t seed_;
    QuoteRule quotes_;
    uint64_t drawn_ = 0;
    double total_weight_ = 0;
};

}  // namespace rpt::train
