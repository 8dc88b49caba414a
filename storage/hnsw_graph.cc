#include "storage/hnsw_graph.h"

#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/HNSW.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "base/byte_order.h"
#include "base/error.h"
#include "storage/dot_rows.h"

namespace rpt::storage {
namespace {

constexpr int kLinks = 32;           // a node has 2 * kLinks on the ground level
constexpr int kBuildBreadth = 160;   // efConstruction
constexpr int kSearchBreadth = 256;  // efSearch

// Half the squared distance after adding one column sqrt(M^2 - |x|^2) to each key, M the largest
// norm. Neighbours in that space are the largest inner products for a query whose added column is
// 0, while links among keys of unequal norm stay as good as with a true distance.
class BuildDistance : public faiss::DistanceComputer {
  public:
    BuildDistance(const KeyRows& rows, const std::vector<float>& added, float largest)
        : rows_(rows), added_(added), largest_(largest) {}

    void set_query(const float*) override {}
    void set_row(idx_t row) { row_ = row; }
    float operator()(idx_t other) override { return symmetric_dis(row_, other); }
    float symmetric_dis(idx_t a, idx_t b) override {
        return largest_ - dot_pair(rows_.key(size_t(a)), rows_.key(size_t(b)), rows_.columns()) -
               added_[size_t(a)] * added_[size_t(b)];
    }

  private:
    const KeyRows& rows_;
    const std::vector<float>& added_;
    float largest_;
    idx_t row_ = 0;
};

class QueryDistance : public faiss::DistanceComputer {
  public:
    QueryDistance(const KeyRows& rows, const float* query) : rows_(rows), query_(query) {}

    void set_query(const float*) override {}
    float operator()(idx_t row) override {
        float dot;
        dot_rows(rows_.key(size_t(row)), 1, rows_.columns(), query_, &dot);
        return -dot;
    }
    float symmetric_dis(idx_t, idx_t) override { return 0; }  // searching never asks

  private:
    const KeyRows& rows_;
    const float* query_;
};

class Locks {
  public:
    explicit Locks(size_t n) : locks(n) {
        for (omp_lock_t& lock : locks) omp_init_lock(&lock);
    }
    ~Locks() {
        for (omp_lock_t& lock : locks) omp_destroy_lock(&lock);
    }
    Locks(const Locks&) = delete;
    Locks& operator=(const Locks&) = delete;
    std::vector<omp_lock_t> locks;
};

// One build, shared by its threads: each takes the next node of the order until none is left.
struct Builder {
    faiss::HNSW& hnsw;
    const KeyRows& rows;
    const std::vector<float>& added;
    float largest;
    const std::vector<uint32_t>& order;
    const std::atomic<bool>& stop;
    Locks& locks;
    std::atomic<size_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex mutex{};  // guards failure
    std::exception_ptr failure{};

    void insert(size_t end) noexcept {
        try {
            BuildDistance distance(rows, added, largest);
            faiss::VisitedTable visited(static_cast<int>(rows.size()));
            for (size_t i; (i = next.fetch_add(1)) < end;) {
                if (stop.load(std::memory_order_relaxed) || failed.load(std::memory_order_relaxed))
                    return;
                const uint32_t row = order[i];
                distance.set_row(row);
                hnsw.add_with_locks(distance, hnsw.levels[row] - 1, static_cast<int>(row),
                                    locks.locks, visited);
            }
        } catch (...) {
            const std::lock_guard guard(mutex);
            failure = std::current_exception();
            failed = true;
        }
    }
};

}  // namespace

struct HnswGraph::Impl {
    faiss::HNSW hnsw{kLinks};
};

HnswGraph::HnswGraph(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HnswGraph::~HnswGraph() = default;

std::unique_ptr<const HnswGraph> HnswGraph::build(const KeyRows& rows, unsigned threads,
                                                  const std::atomic<bool>& stop) {
    const size_t n = rows.size();
    RPT_CHECK(n < size_t(INT32_MAX));
    auto impl = std::make_unique<Impl>();
    faiss::HNSW& hnsw = impl->hnsw;
    hnsw.efConstruction = kBuildBreadth;
    hnsw.efSearch = kSearchBreadth;
    hnsw.prepare_level_tab(n, false);

    std::vector<float> added(n);
    float largest = 0;
    for (size_t i = 0; i < n; ++i) {
        added[i] = dot_pair(rows.key(i), rows.key(i), rows.columns());
        largest = std::max(largest, added[i]);
    }
    for (float& a : added) a = std::sqrt(std::max(0.0f, largest - a));

    // Highest levels first, so that the upper levels route every later insertion; a fixed shuffle
    // within a level, since neighbouring rows are neighbouring text.
    std::vector<uint32_t> order(n);
    for (size_t i = 0; i < n; ++i) order[i] = static_cast<uint32_t>(i);
    uint64_t state = 1;
    for (size_t i = n; i > 1; --i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        std::swap(order[i - 1], order[(state >> 33) % i]);
    }
    std::ranges::stable_sort(order, std::greater<>(),
                             [&](uint32_t row) { return hnsw.levels[row]; });

    Locks locks(n);
    Builder builder{hnsw, rows, added, largest, order, stop, locks};
    // The first nodes by one thread: they make the entry point and its first links.
    builder.insert(std::min<size_t>(n, 1000));
    builder.next = std::min<size_t>(n, 1000);
    std::vector<std::thread> helpers;
    try {
        for (unsigned i = 1; i < threads; ++i) helpers.emplace_back([&] { builder.insert(n); });
    } catch (const std::system_error&) {  // fewer threads, same graph
    }
    builder.insert(n);
    for (std::thread& helper : helpers) helper.join();
    if (builder.failure) std::rethrow_exception(builder.failure);
    if (stop.load()) return nullptr;
    return std::unique_ptr<const HnswGraph>(new HnswGraph(std::move(impl)));
}

std::vector<HnswGraph::Candidate> HnswGraph::search(const KeyRows& rows, const float* query,
                                                    size_t n) const {
    n = std::min(n, rows.size());
    std::vector<float> distances(n);
    std::vector<faiss::HNSW::idx_t> found(n, -1);
    QueryDistance distance(rows, query);
    faiss::VisitedTable visited(static_cast<int>(rows.size()));
    faiss::SearchParametersHNSW parameters;
    parameters.efSearch = std::max(kSearchBreadth, static_cast<int>(n));
    impl_->hnsw.search(distance, static_cast<int>(n), found.data(), distances.data(), visited,
                       &parameters);
    std::vector<Candidate> candidates;
    candidates.reserve(n);
    for (size_t i = 0; i < n; ++i)
        if (found[i] >= 0) candidates.push_back({-distances[i], static_cast<uint32_t>(found[i])});
    return candidates;
}

size_t HnswGraph::memory_bytes() const {
    const faiss::HNSW& h = impl_->hnsw;
    return h.neighbors.size() * sizeof(int) + h.offsets.size() * sizeof(size_t) +
           h.levels.size() * sizeof(int);
}

std::string HnswGraph::serialise() const {
    const faiss::HNSW& h = impl_->hnsw;
    ByteWriter out;
    out.u32(kLinks)
        .u32(static_cast<uint32_t>(h.entry_point))
        .u32(static_cast<uint32_t>(h.max_level));
    out.u64(h.levels.size());
    out.reserve(h.levels.size() + h.neighbors.size() * 4 + 64);
    for (const int level : h.levels) out.u8(static_cast<uint8_t>(level));
    out.raw(h.neighbors.data(), h.neighbors.size() * sizeof(int32_t));
    return std::move(out.str());
}

std::unique_ptr<const HnswGraph> HnswGraph::parse(std::string_view bytes, size_t rows) {
    ByteReader in(bytes);
    const uint32_t links = in.u32(), entry = in.u32(), top = in.u32();
    if (in.u64() != rows || links != kLinks || entry >= rows) return nullptr;
    const std::string_view levels = in.raw(rows);
    if (!in.ok()) return nullptr;
    auto impl = std::make_unique<Impl>();
    faiss::HNSW& h = impl->hnsw;
    if (top + size_t(1) >= h.cum_nneighbor_per_level.size()) return nullptr;
    h.efSearch = kSearchBreadth;
    h.entry_point = static_cast<int>(entry);
    h.max_level = static_cast<int>(top);
    h.levels.resize(rows);
    h.offsets.assign(1, 0);
    h.offsets.reserve(rows + 1);
    for (size_t i = 0; i < rows; ++i) {
        const int level = static_cast<uint8_t>(levels[i]);
        if (level < 1 || level > static_cast<int>(top) + 1) return nullptr;
        h.levels[i] = level;
        h.offsets.push_back(h.offsets.back() + static_cast<size_t>(h.cum_nb_neighbors(level)));
    }
    if (h.levels[entry] != static_cast<int>(top) + 1) return nullptr;
    if (in.left() != h.offsets.back() * sizeof(int32_t)) return nullptr;
    h.neighbors.resize(h.offsets.back());
    const std::string_view body = in.raw(in.left());
    std::memcpy(h.neighbors.data(), body.data(), body.size());
    for (size_t i = 0; i < rows; ++i) {
        for (int level = 0; level < h.levels[i]; ++level) {
            size_t begin = 0, end = 0;
            h.neighbor_range(static_cast<faiss::HNSW::idx_t>(i), level, &begin, &end);
            for (size_t j = begin; j < end; ++j) {
                const int other = h.neighbors[j];
                // A link on a level leads to a node that has this level: Faiss follows it without
                // asking.
                if (other < -1 || other >= static_cast<int64_t>(rows)) return nullptr;
                if (other >= 0 && h.levels[size_t(other)] <= level) return nullptr;
            }
        }
    }
    return std::unique_ptr<const HnswGraph>(new HnswGraph(std::move(impl)));
}

}  // namespace rpt::storage
