// Walking a graph towards what is most similar: shared by building and searching.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "storage/index/hnsw_graph.h"

namespace rpt::storage {

// Nodes met by one walk. Open addressing: a walk meets thousands of nodes out of millions, and a
// bit for each of these would have to be cleared. One thread at a time.
class MetNodes {
  public:
    explicit MetNodes(size_t expected) {
        while ((size_t(1) << bits_) < expected * 2) ++bits_;
        clear();
    }
    void clear() {
        slots_.assign(size_t(1) << bits_, HnswGraph::kNoLink);
        n_ = 0;
    }
    // False if it was met before.
    bool add(uint32_t node) {
        if (2 * n_ >= slots_.size()) grow();
        if (!place(node)) return false;
        ++n_;
        return true;
    }

  private:
    bool place(uint32_t node) {
        size_t at = (node * 0x9E3779B1u) >> (32 - bits_);
        for (; slots_[at] != HnswGraph::kNoLink; at = (at + 1) & (slots_.size() - 1))
            if (slots_[at] == node) return false;
        slots_[at] = node;
        return true;
    }
    void grow() {
        ++bits_;
        const std::vector<uint32_t> old = std::move(slots_);
        slots_.assign(size_t(1) << bits_, HnswGraph::kNoLink);
        for (const uint32_t node : old)
            if (node != HnswGraph::kNoLink) place(node);
    }

    uint32_t bits_ = 10;
    size_t n_ = 0;
    std::vector<uint32_t> slots_;
};

struct Step {
    float score = 0;
    uint32_t node = 0;
};

// Ties go to the lower node, so that a walk is the same wherever its arrays lie.
inline constexpr auto closer = [](const Step& a, const Step& b) {
    return a.score > b.score || (a.score == b.score && a.node < b.node);
};
inline constexpr auto farther = [](const Step& a, const Step& b) { return closer(b, a); };

// Follows the most promising node until none can improve the best `ef` of those met; leaves
// them in `best`, a heap with the worst in front. `links(node, out)` gives a node's links, at most
// kGroundLinks, and their number; `score(nodes, n, out)` scores.
template <typename Links, typename Score>
void walk(uint32_t start, size_t ef, Links&& links, Score&& score, MetNodes& met,
          std::vector<Step>& next, std::vector<Step>& best) {
    next.clear();
    best.clear();
    met.clear();
    met.add(start);
    uint32_t near[HnswGraph::kGroundLinks] = {start}, around[HnswGraph::kGroundLinks];
    float scores[HnswGraph::kGroundLinks];
    for (size_t n_near = 1;;) {
        score(near, n_near, scores);
        for (size_t i = 0; i < n_near; ++i) {
            const Step found{scores[i], near[i]};
            if (best.size() == ef) {
                if (!closer(found, best.front())) continue;
                std::ranges::pop_heap(best, closer);
                best.back() = found;
            } else {
                best.push_back(found);
            }
            std::ranges::push_heap(best, closer);
            next.push_back(found);
            std::ranges::push_heap(next, farther);
        }
        if (next.empty() || (best.size() == ef && closer(best.front(), next.front()))) return;
        const uint32_t node = next.front().node;
        std::ranges::pop_heap(next, farther);
        next.pop_back();
        n_near = 0;
        for (size_t i = 0, n = links(node, around); i < n; ++i)
            if (met.add(around[i])) near[n_near++] = around[i];
    }
}

// Steps to ever better neighbours from `start`, which has the score in `best`, until there is none.
template <typename Links, typename Score>
Step descend_greedily(Step best, Links&& links, Score&& score) {
    uint32_t near[HnswGraph::kGroundLinks];
    float scores[HnswGraph::kGroundLinks];
    for (bool moved = true; moved;) {
        moved = false;
        const size_t n = links(best.node, near);
        score(near, n, scores);
        for (size_t i = 0; i < n; ++i) {
            const Step found{scores[i], near[i]};
            if (!closer(found, best)) continue;
            best = found;
            moved = true;
        }
    }
    return best;
}

}  // namespace rpt::storage
