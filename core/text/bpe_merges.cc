#include "core/text/bpe_merges.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <map>
#include <queue>

#include "base/error.h"

namespace rpt::text {

MergeTable::MergeTable(const std::vector<std::pair<int32_t, int32_t>>& merges,
                       const std::vector<int32_t>& results) {
    const size_t size = std::bit_ceil(std::max<size_t>(merges.size() * 2, 16));
    slots_.resize(size);
    mask_ = size - 1;
    shift_ = 64 - std::countr_zero(size);
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        const auto [left, right] = merges[rank];
        const uint64_t key = uint64_t(uint32_t(left)) << 32 | uint32_t(right);
        size_t at = (key * kMix) >> shift_;
        while (slots_[at].key != kEmpty) at = (at + 1) & mask_;
        slots_[at] = {key, uint32_t(rank), results[rank]};
    }
}

void merge_short(const MergeTable& table, std::vector<int32_t>& ids) {
    std::array<Merge, kShortPiece> pairs;  // pairs[i]: what ids[i], ids[i + 1] become
    size_t n = ids.size();
    if (n < 2) return;
    RPT_CHECK(n <= kShortPiece);
    for (size_t i = 0; i + 1 < n; ++i) pairs[i] = table.find(ids[i], ids[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; ++i)
            if (pairs[i].rank < pairs[best].rank) best = i;
        if (pairs[best].result < 0) break;
        ids[best] = pairs[best].result;
        --n;
        for (size_t i = best + 1; i < n; ++i) ids[i] = ids[i + 1];
        for (size_t i = best + 1; i + 1 < n; ++i) pairs[i] = pairs[i + 1];
        if (best > 0) pairs[best - 1] = table.find(ids[best - 1], ids[best]);
        if (best + 1 < n) pairs[best] = table.find(ids[best], ids[best + 1]);
    }
    ids.resize(n);
}

namespace {

// The ids as a linked list in arrays; places of pairs wait in one bucket a rank. The lowest bucket
// is worked through from left to right. A merge makes new pairs: of a higher rank as a rule (a
// token is made before it is used), which go to their buckets; the rare lower or equal ones go to a
// small heap and are taken in their turn.
class LongMerge {
  public:
    LongMerge(const MergeTable& table, std::vector<int32_t>& ids)
        : table_(table), ids_(ids), next_(ids.size()), previous_(ids.size()) {
        const uint32_t n = uint32_t(ids.size());
        for (uint32_t i = 0; i < n; ++i) {
            next_[i] = i + 1 < n ? i + 1 : kNone;
            previous_[i] = i > 0 ? i - 1 : kNone;
        }
        for (uint32_t i = 0; i + 1 < n; ++i) {
            const Merge merge = table_.find(ids_[i], ids_[i + 1]);
            if (merge.result >= 0) buckets_[merge.rank].push_back(i);
        }
    }

    void run() {
        while (!buckets_.empty()) {
            auto lowest = buckets_.extract(buckets_.begin());
            std::vector<uint32_t>& places = lowest.mapped();
            if (!std::is_sorted(places.begin(), places.end()))
                std::sort(places.begin(), places.end());
            current_ = lowest.key();
            for (size_t i = 0; i < places.size() || !urgent_.empty();) {
                const bool from_bucket =
                    i < places.size() &&
                    (urgent_.empty() || std::pair(current_, places[i]) < urgent_.top());
                if (from_bucket) {
                    merge_at(current_, places[i++]);
                } else {
                    const auto [rank, place] = urgent_.top();
                    urgent_.pop();
                    merge_at(rank, place);
                }
            }
        }
        size_t count = 0;
        for (uint32_t i = 0; i != kNone; i = next_[i]) ids_[count++] = ids_[i];
        ids_.resize(count);
    }

  private:
    static constexpr uint32_t kNone = UINT32_MAX;
    static constexpr int32_t kGone = -1;

    void merge_at(uint32_t rank, uint32_t place) {
        if (ids_[place] == kGone || next_[place] == kNone) return;
        const uint32_t right = next_[place];
        const Merge merge = table_.find(ids_[place], ids_[right]);
        if (merge.result < 0 || merge.rank != rank) return;  // an older merge took one of the two
        ids_[place] = merge.result;
        ids_[right] = kGone;
        next_[place] = next_[right];
        if (next_[right] != kNone) {
            previous_[next_[right]] = place;
            offer(place);
        }
        if (previous_[place] != kNone) offer(previous_[place]);
    }

    void offer(uint32_t place) {
        const Merge merge = table_.find(ids_[place], ids_[next_[place]]);
        if (merge.result < 0) return;
        if (merge.rank > current_)
            buckets_[merge.rank].push_back(place);
        else
            urgent_.emplace(merge.rank, place);
    }

    using Place = std::pair<uint32_t, uint32_t>;  // rank, place

    const MergeTable& table_;
    std::vector<int32_t>& ids_;
    std::vector<uint32_t> next_, previous_;
    std::map<uint32_t, std::vector<uint32_t>> buckets_;
    std::priority_queue<Place, std::vector<Place>, std::greater<>> urgent_;
    uint32_t current_ = 0;
};

}  // namespace

void merge_long(const MergeTable& table, std::vector<int32_t>& ids) {
    if (ids.size() < 2) return;
    if (ids.size() >= UINT32_MAX)
        throw Error(Status::kTooLarge, "rpt",
                    "text: a single word of 4 GiB or more cannot be encoded; add white space");
    LongMerge(table, ids).run();
}

}  // namespace rpt::text
