// Approximate search over many keys: a navigable small-world graph (HNSW; Malkov and Yashunin,
// arXiv:1603.09320) whose nodes are rows of KeyRows.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "storage/index/key_rows.h"

namespace rpt::storage {

// Immutable once built; shared by threads. Holds links only, no keys: every call is given the rows
// it was built over.
class HnswGraph {
  public:
    // On disk, never change without a new version of the index file.
    static constexpr uint32_t kUpperLinks = 16;                // of a node, on each upper level
    static constexpr uint32_t kGroundLinks = 2 * kUpperLinks;  // of every row
    static constexpr uint32_t kNoLink = UINT32_MAX;            // fills up a list, at its end

    // The graph as arrays, which the index file holds as they are. Every row is on the ground
    // level; the few that are on upper levels too have numbers of their own, so that the others
    // pay nothing for them.
    struct Links {
        std::span<const uint32_t> ground;       // [rows, kGroundLinks], rows
        std::span<const uint32_t> upper_rows;   // [nodes], the row of each upper node, ascending
        std::span<const uint32_t> upper_lists;  // [nodes + 1], first list of each; [0] is 0
        std::span<const uint32_t> upper;        // [lists, kUpperLinks], upper nodes; level 1 first
        uint32_t entry = 0;                     // an upper node of the highest level; 0 without any
    };
    struct Arrays {  // the same, owned
        std::vector<uint32_t> ground, upper_rows, upper_lists, upper;
        uint32_t entry = 0;
    };
    struct Candidate {
        float score = 0;  // <query, key>
        uint32_t row = 0;
    };

    // Null if `stop` became true meanwhile. `threads` 1 gives the same graph every time.
    static std::unique_ptr<const HnswGraph> build(const KeyRows& rows, unsigned threads,
                                                  const std::atomic<bool>& stop);
    // A graph over arrays that `owner` keeps alive. Null unless every link leads to a node which
    // has the link's level: what is believed can be searched without harm.
    static std::unique_ptr<const HnswGraph> view(const Links& links, size_t rows,
                                                 std::shared_ptr<const void> owner);

    const Links& links() const { return links_; }
    // About the best n rows in no order; fewer only if there are fewer rows or some cannot be
    // reached. query: [columns], padded. `ef`: how many rows are kept while searching, 0 for
    // the usual number; more find more and take longer.
    std::vector<Candidate> search(const KeyRows& rows, const float* query, size_t n,
                                  size_t ef = 0) const;
    size_t memory_bytes() const;

  private:
    HnswGraph(const Links& links, std::shared_ptr<const void> owner);
    static std::unique_ptr<const HnswGraph> adopt(Arrays arrays);

    Links links_;
    std::shared_ptr<const void> owner_;
};

}  // namespace rpt::storage
