// Approximate search over many keys: a navigable small-world graph (Faiss' HNSW) whose nodes are
// rows of KeyRows.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/key_rows.h"

namespace rpt::storage {

// Immutable once built; shared by threads. Holds links only, no keys: every call is given the rows
// it was built over.
class HnswGraph {
  public:
    struct Candidate {
        float score = 0;  // <query, key>
        uint32_t row = 0;
    };

    // Null if `stop` became true meanwhile. `threads` 1 gives the same graph every time.
    static std::unique_ptr<const HnswGraph> build(const KeyRows& rows, unsigned threads,
                                                  const std::atomic<bool>& stop);
    // Links as bytes (docs/format/index.md), and back: null unless every link points at one of
    // `rows` rows.
    std::string serialise() const;
    static std::unique_ptr<const HnswGraph> parse(std::string_view bytes, size_t rows);

    ~HnswGraph();
    // About the best n rows in no order; fewer only if there are fewer rows. query: [columns],
    // padded.
    std::vector<Candidate> search(const KeyRows& rows, const float* query, size_t n) const;
    size_t memory_bytes() const;

  private:
    struct Impl;
    explicit HnswGraph(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace rpt::storage
