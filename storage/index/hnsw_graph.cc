#include "storage/index/hnsw_graph.h"

#include <algorithm>
#include <cmath>

#include "base/dot_rows.h"
#include "storage/index/hnsw_walk.h"

namespace rpt::storage {
namespace {

// How many rows a search keeps. More rows have more that are nearly the best: with 1,024 of 1.6 M
// rows 99 of 100 are found, and a few hundred of fewer.
size_t usual_ef(size_t rows) {
    const double root = std::sqrt(static_cast<double>(rows));
    return std::clamp<size_t>(static_cast<size_t>(root), 256, 1024);
}

// A list without what fills it up.
size_t copy_links(std::span<const uint32_t> all, size_t list, size_t length, uint32_t* out) {
    const uint32_t* links = all.data() + list * length;
    size_t n = 0;
    for (; n < length && links[n] != HnswGraph::kNoLink; ++n) out[n] = links[n];
    return n;
}

// The row from which to start on the ground level.
uint32_t descend(const HnswGraph::Links& links, const KeyRows& rows, const float* query) {
    if (links.upper_rows.empty()) return 0;
    const auto score = [&](const uint32_t* nodes, size_t n, float* out) {
        uint32_t which[HnswGraph::kUpperLinks];
        for (size_t i = 0; i < n; ++i) which[i] = links.upper_rows[nodes[i]];
        dot_some_rows(rows.key(0), which, n, rows.columns(), query, out);
    };
    Step best{0, links.entry};
    score(&best.node, 1, &best.score);
    const uint32_t levels = links.upper_lists[best.node + 1] - links.upper_lists[best.node];
    for (uint32_t level = levels; level-- > 0;)
        best = descend_greedily(
            best,
            [&](uint32_t node, uint32_t* out) {
                return copy_links(links.upper, links.upper_lists[node] + level,
                                  HnswGraph::kUpperLinks, out);
            },
            score);
    return links.upper_rows[best.node];
}

}  // namespace

HnswGraph::HnswGraph(const Links& links, std::shared_ptr<const void> owner)
    : links_(links), owner_(std::move(owner)) {}

std::unique_ptr<const HnswGraph> HnswGraph::adopt(Arrays arrays) {
    const auto owner = std::make_shared<const Arrays>(std::move(arrays));
    const Links links{owner->ground, owner->upper_rows, owner->upper_lists, owner->upper,
                      owner->entry};
    return std::unique_ptr<const HnswGraph>(new HnswGraph(links, owner));
}

std::unique_ptr<const HnswGraph> HnswGraph::view(const Links& links, size_t rows,
                                                 std::shared_ptr<const void> owner) {
    if (rows >= size_t(INT32_MAX) || links.ground.size() != rows * kGroundLinks) return nullptr;
    // A list ends at its first kNoLink, but all of it must be right.
    const auto leads = [](uint32_t link, size_t n) { return link < n || link == kNoLink; };
    bool right = true;
    for (const uint32_t link : links.ground) right &= leads(link, rows);
    const size_t nodes = links.upper_rows.size();
    if (!right || links.upper_lists.size() != nodes + 1 || links.upper_lists[0] != 0)
        return nullptr;
    const auto height = [&](size_t node) {
        return links.upper_lists[node + 1] - links.upper_lists[node];
    };
    for (size_t node = 0; node < nodes; ++node) {
        if (links.upper_rows[node] >= rows) return nullptr;
        if (node > 0 && links.upper_rows[node] <= links.upper_rows[node - 1]) return nullptr;
        if (links.upper_lists[node + 1] <= links.upper_lists[node]) return nullptr;
    }
    if (links.upper.size() != size_t(links.upper_lists[nodes]) * kUpperLinks) return nullptr;
    if (nodes == 0 ? links.entry != 0 : links.entry >= nodes) return nullptr;
    for (size_t node = 0; node < nodes; ++node) {
        if (height(node) > height(links.entry)) return nullptr;
        for (uint32_t level = 0; level < height(node); ++level) {
            const size_t list = links.upper_lists[node] + level;
            for (const uint32_t link : links.upper.subspan(list * kUpperLinks, kUpperLinks))
                if (!leads(link, nodes) || (link != kNoLink && height(link) <= level))
                    return nullptr;
        }
    }
    return std::unique_ptr<const HnswGraph>(new HnswGraph(links, std::move(owner)));
}

std::vector<HnswGraph::Candidate> HnswGraph::search(const KeyRows& rows, const float* query,
                                                    size_t n, size_t ef) const {
    n = std::min(n, rows.size());
    if (n == 0) return {};
    ef = std::max(ef == 0 ? usual_ef(rows.size()) : ef, n);
    MetNodes met(ef * kGroundLinks / 2);
    std::vector<Step> next, best;
    best.reserve(ef);
    walk(
        descend(links_, rows, query), ef,
        [&](uint32_t row, uint32_t* out) {
            return copy_links(links_.ground, row, kGroundLinks, out);
        },
        [&](const uint32_t* which, size_t count, float* out) {
            dot_some_rows(rows.key(0), which, count, rows.columns(), query, out);
        },
        met, next, best);
    if (best.size() > n) {
        std::ranges::nth_element(best, best.begin() + static_cast<ptrdiff_t>(n), closer);
        best.resize(n);
    }
    std::vector<Candidate> found;
    found.reserve(best.size());
    for (const Step& step : best) found.push_back({step.score, step.node});
    return found;
}

size_t HnswGraph::memory_bytes() const {
    return (links_.ground.size() + links_.upper_rows.size() + links_.upper_lists.size() +
            links_.upper.size()) *
           sizeof(uint32_t);
}

}  // namespace rpt::storage
