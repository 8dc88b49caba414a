// Building a graph: rows are put in one after the other, by some threads at a time.
//
// Rows are linked by the angle between their keys, not by their product or distance: in both of
// these long keys, which are what most queries look for, would be led to by everything or by
// almost nothing. Searching by product over such links finds long keys and short ones.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/half.h"
#include "base/dot_rows.h"
#include "storage/index/hnsw_graph.h"
#include "storage/index/hnsw_walk.h"

namespace rpt::storage {
namespace {

constexpr size_t kBuildEf = 100;
constexpr size_t kUpperLinks = HnswGraph::kUpperLinks, kGroundLinks = HnswGraph::kGroundLinks;
constexpr uint32_t kNoLink = HnswGraph::kNoLink;
constexpr size_t kMaxLevels = 8;  // 16^8 rows would have a node on the next

// Shared by the threads of one build. `locks_[row]` guards the lists of a row.
class GraphBuilder {
  public:
    GraphBuilder(const KeyRows& rows, const std::atomic<bool>& stop);
    // False if `stop` became true.
    bool run(unsigned threads);
    HnswGraph::Arrays take() { return std::move(arrays_); }

  private:
    // One level: nodes are rows on the ground, upper nodes above.
    struct Level {
        uint32_t above_ground = 0;
        size_t length() const { return above_ground == 0 ? kGroundLinks : kUpperLinks; }
    };
    // What a thread needs; kept from row to row.
    struct Scratch {
        explicit Scratch(size_t columns)
            : met(kBuildEf * kGroundLinks / 2), key(columns), other(columns) {}
        MetNodes met;
        std::vector<Step> next, best;
        std::vector<float> key, other;  // scaled to length 1
        std::vector<uint32_t> chosen[kMaxLevels];
    };
    class Lock {
      public:
        explicit Lock(std::atomic_flag& flag) : flag_(flag) {
            while (flag_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
        }
        ~Lock() { flag_.clear(std::memory_order_release); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

      private:
        std::atomic_flag& flag_;
    };

    void assign_levels();
    void insert_until(size_t end) noexcept;
    void insert(uint32_t row, Scratch& scratch);
    void choose(Level level, uint32_t self, std::vector<Step>& found, Scratch& scratch,
                std::vector<uint32_t>& chosen) const;
    void link_back(Level level, uint32_t node, uint32_t added, Scratch& scratch);
    void connect_all();
    // Marks what can be reached from a row on the ground.
    void reach(uint32_t row, std::vector<bool>& reached);

    uint32_t row_of(Level level, uint32_t node) const {
        return level.above_ground == 0 ? node : arrays_.upper_rows[node];
    }
    uint32_t levels_of(uint32_t row) const {  // above the ground
        const uint32_t node = node_of_[row];
        return node == kNoLink ? 0 : arrays_.upper_lists[node + 1] - arrays_.upper_lists[node];
    }
    uint32_t* list(Level level, uint32_t node) {
        if (level.above_ground == 0) return arrays_.ground.data() + size_t(node) * kGroundLinks;
        return arrays_.upper.data() +
               size_t(arrays_.upper_lists[node] + level.above_ground - 1) * kUpperLinks;
    }
    size_t copy_list(Level level, uint32_t node, uint32_t* out) {
        const Lock lock(locks_[row_of(level, node)]);
        const uint32_t* links = list(level, node);
        size_t n = 0;
        for (; n < level.length() && links[n] != kNoLink; ++n) out[n] = links[n];
        return n;
    }
    void unit_key(uint32_t row, float* out) const {
        from_halves(rows_.key(row), out, rows_.columns());
        for (size_t c = 0; c < rows_.columns(); ++c) out[c] *= inverse_[row];
    }
    // Cosines of a unit vector with some nodes of a level.
    void score(Level level, const float* unit, const uint32_t* nodes, size_t n, float* out) const {
        uint32_t which[kGroundLinks];
        for (size_t i = 0; i < n; ++i) {
            which[i] = row_of(level, nodes[i]);
            __builtin_prefetch(&inverse_[which[i]]);
        }
        dot_some_rows(rows_.key(0), which, n, rows_.columns(), unit, out);
        for (size_t i = 0; i < n; ++i) out[i] *= inverse_[which[i]];
    }

    const KeyRows& rows_;
    const std::atomic<bool>& stop_;
    HnswGraph::Arrays arrays_;
    std::vector<uint32_t> node_of_;  // by row; kNoLink: on the ground alone
    std::vector<uint32_t> order_;
    std::vector<float> inverse_;  // 1 / |key|
    std::unique_ptr<std::atomic_flag[]> locks_;
    std::atomic<size_t> next_{0};
    std::atomic<bool> failed_{false};
    std::mutex mutex_;  // guards failure_
    std::exception_ptr failure_;
};

GraphBuilder::GraphBuilder(const KeyRows& rows, const std::atomic<bool>& stop)
    : rows_(rows), stop_(stop) {
    const size_t n = rows.size();
    RPT_CHECK(n > 0 && n < size_t(INT32_MAX));
    assign_levels();
    arrays_.ground.assign(n * kGroundLinks, kNoLink);
    inverse_.resize(n);
    for (size_t row = 0; row < n; ++row) {
        const float square = dot_pair(rows.key(row), rows.key(row), rows.columns());
        inverse_[row] = square > 0 ? 1 / std::sqrt(square) : 0;
    }
    locks_ = std::make_unique<std::atomic_flag[]>(n);
}

// Each level has a kUpperLinks-th of the rows of the one below. The highest rows go in first, so
// that the upper levels route every later insertion; a fixed shuffle within a level, since
// neighbouring rows are neighbouring text.
void GraphBuilder::assign_levels() {
    const size_t n = rows_.size();
    std::vector<uint8_t> levels(n);
    uint64_t state = 1;
    const auto random = [&] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return state >> 33;
    };
    node_of_.assign(n, kNoLink);
    arrays_.upper_lists.push_back(0);
    for (size_t row = 0; row < n; ++row) {
        while (levels[row] + size_t(1) < kMaxLevels && random() % kUpperLinks == 0) ++levels[row];
        if (levels[row] == 0) continue;
        node_of_[row] = static_cast<uint32_t>(arrays_.upper_rows.size());
        arrays_.upper_rows.push_back(static_cast<uint32_t>(row));
        arrays_.upper_lists.push_back(arrays_.upper_lists.back() + levels[row]);
    }
    arrays_.upper.assign(arrays_.upper_lists.back() * kUpperLinks, kNoLink);
    order_.resize(n);
    for (size_t i = 0; i < n; ++i) order_[i] = static_cast<uint32_t>(i);
    for (size_t i = n; i > 1; --i) std::swap(order_[i - 1], order_[random() % i]);
    std::ranges::stable_sort(order_, std::greater<>(), [&](uint32_t row) { return levels[row]; });
    if (!arrays_.upper_rows.empty()) arrays_.entry = node_of_[order_[0]];
}

bool GraphBuilder::run(unsigned threads) {
    // The first rows by one thread: the others start from their links.
    const size_t n = rows_.size(), first = std::min<size_t>(n, 1000);
    insert_until(first);
    next_ = first;
    std::vector<std::thread> helpers;
    helpers.reserve(threads);
    try {
        for (unsigned i = 1; i < threads; ++i) helpers.emplace_back([this, n] { insert_until(n); });
    } catch (const std::exception&) {  // no thread or no memory: fewer threads
    }
    insert_until(n);
    for (std::thread& helper : helpers) helper.join();
    if (failure_) std::rethrow_exception(failure_);
    if (stop_.load()) return false;
    connect_all();
    return true;
}

void GraphBuilder::insert_until(size_t end) noexcept {
    try {
        Scratch scratch(rows_.columns());
        for (size_t i; (i = next_.fetch_add(1)) < end;) {
            if (stop_.load(std::memory_order_relaxed) || failed_.load(std::memory_order_relaxed))
                return;
            if (i > 0) insert(order_[i], scratch);
        }
    } catch (...) {
        const std::lock_guard guard(mutex_);
        failure_ = std::current_exception();
        failed_ = true;
    }
}

void GraphBuilder::insert(uint32_t row, Scratch& scratch) {
    unit_key(row, scratch.key.data());
    const uint32_t own = levels_of(row), top = levels_of(order_[0]);
    uint32_t node = top == 0 ? order_[0] : arrays_.entry;
    Step best{0, node};
    score({top}, scratch.key.data(), &best.node, 1, &best.score);
    for (uint32_t level = top;; --level) {
        const auto links = [&](uint32_t at, uint32_t* out) { return copy_list({level}, at, out); };
        const auto scores = [&](const uint32_t* nodes, size_t n, float* out) {
            score({level}, scratch.key.data(), nodes, n, out);
        };
        if (level > own) {
            best = descend_greedily(best, links, scores);
        } else {
            walk(best.node, kBuildEf, links, scores, scratch.met, scratch.next, scratch.best);
            std::ranges::sort(scratch.best, closer);
            best = scratch.best.front();
            choose({level}, level == 0 ? row : node_of_[row], scratch.best, scratch,
                   scratch.chosen[level]);
        }
        if (level == 0) break;
        if (level == 1) best.node = arrays_.upper_rows[best.node];
    }
    // From the ground up: who meets the row on a level finds its links below.
    for (uint32_t level = 0; level <= own; ++level) {
        const uint32_t self = level == 0 ? row : node_of_[row];
        {
            const Lock lock(locks_[row]);
            std::ranges::copy(scratch.chosen[level], list({level}, self));
        }
        for (const uint32_t other : scratch.chosen[level]) link_back({level}, other, self, scratch);
    }
}

// Of those found, best first, takes who is nearer to `self` than to all taken before: links in
// many directions (algorithm 4 of the paper).
void GraphBuilder::choose(Level level, uint32_t self, std::vector<Step>& found, Scratch& scratch,
                          std::vector<uint32_t>& chosen) const {
    chosen.clear();
    float cosines[kGroundLinks];
    for (const Step& step : found) {
        if (chosen.size() == level.length()) break;
        if (step.node == self) continue;
        unit_key(row_of(level, step.node), scratch.other.data());
        score(level, scratch.other.data(), chosen.data(), chosen.size(), cosines);
        if (std::ranges::all_of(std::span(cosines, chosen.size()),
                                [&](float cosine) { return cosine < step.score; }))
            chosen.push_back(step.node);
    }
}

// Gives `node` a link to `added`. A full list loses what `added` makes superfluous by the rule of
// choose(), or its least similar link; or `added` itself is superfluous.
void GraphBuilder::link_back(Level level, uint32_t node, uint32_t added, Scratch& scratch) {
    const size_t length = level.length();
    const Lock lock(locks_[row_of(level, node)]);
    uint32_t* links = list(level, node);
    const auto n = static_cast<size_t>(std::find(links, links + length, kNoLink) - links);
    if (std::find(links, links + n, added) != links + n) return;
    if (n < length) {
        links[n] = added;
        return;
    }
    float to_node[kGroundLinks], to_added[kGroundLinks], pair;
    unit_key(row_of(level, node), scratch.other.data());
    score(level, scratch.other.data(), links, n, to_node);
    score(level, scratch.other.data(), &added, 1, &pair);
    unit_key(row_of(level, added), scratch.other.data());
    score(level, scratch.other.data(), links, n, to_added);
    size_t kept = 0, worst = 0;
    for (size_t i = 0; i < n; ++i) {
        if (to_node[i] >= pair && to_added[i] >= pair) return;
        if (to_node[i] < to_node[worst]) worst = i;
    }
    for (size_t i = 0; i < n; ++i)
        if (to_node[i] >= pair || to_added[i] < to_node[i]) links[kept++] = links[i];
    if (kept == length) {
        if (to_node[worst] < pair) links[worst] = added;
        return;
    }
    links[kept++] = added;
    std::fill(links + kept, links + length, kNoLink);
}

void GraphBuilder::reach(uint32_t row, std::vector<bool>& reached) {
    std::vector<uint32_t> open{row};
    reached[row] = true;
    while (!open.empty()) {
        const uint32_t* links = list({}, open.back());
        open.pop_back();
        for (size_t i = 0; i < kGroundLinks && links[i] != kNoLink; ++i) {
            if (reached[links[i]]) continue;
            reached[links[i]] = true;
            open.push_back(links[i]);
        }
    }
}

// Full lists can forget a row, most of all among keys that are alike: it gets a link from the most
// similar row that can be reached and has room for one. By one thread.
void GraphBuilder::connect_all() {
    const uint32_t root = arrays_.upper_rows.empty() ? 0 : arrays_.upper_rows[arrays_.entry];
    std::vector<bool> reached(rows_.size());
    reach(root, reached);
    Scratch scratch(rows_.columns());
    for (uint32_t row = 0; row < rows_.size(); ++row) {
        if (reached[row]) continue;
        unit_key(row, scratch.key.data());
        walk(
            root, kBuildEf, [&](uint32_t at, uint32_t* out) { return copy_list({}, at, out); },
            [&](const uint32_t* nodes, size_t n, float* out) {
                score({}, scratch.key.data(), nodes, n, out);
            },
            scratch.met, scratch.next, scratch.best);
        std::ranges::sort(scratch.best, closer);
        for (const Step& step : scratch.best) {
            uint32_t* last = list({}, step.node) + kGroundLinks - 1;
            if (*last != kNoLink) continue;
            uint32_t* links = list({}, step.node);
            *std::find(links, last, kNoLink) = row;
            reach(row, reached);
            break;
        }
    }
}

}  // namespace

std::unique_ptr<const HnswGraph> HnswGraph::build(const KeyRows& rows, unsigned threads,
                                                  const std::atomic<bool>& stop) {
    GraphBuilder builder(rows, stop);
    if (!builder.run(threads)) return nullptr;
    return adopt(builder.take());
}

}  // namespace rpt::storage
