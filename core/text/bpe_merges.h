// Byte-pair merging: ids of single bytes become ids of tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace rpt::text {

// What a pair of neighbouring tokens becomes. Lower ranks are merged first.
struct Merge {
    uint32_t rank;
    int32_t result;  // -1: the pair does not merge
};

// Pairs to merges; immutable once filled.
class MergeTable {
  public:
    // `merges[rank]` with its result in `results[rank]`.
    MergeTable(const std::vector<std::pair<int32_t, int32_t>>& merges,
               const std::vector<int32_t>& results);

    Merge find(int32_t left, int32_t right) const {
        const uint64_t key = uint64_t(uint32_t(left)) << 32 | uint32_t(right);
        for (size_t at = (key * kMix) >> shift_;; at = (at + 1) & mask_) {
            const Slot& slot = slots_[at];
            if (slot.key == key) return {slot.rank, slot.result};
            if (slot.key == kEmpty) return {UINT32_MAX, -1};
        }
    }

  private:
    static constexpr uint64_t kMix = 0x9E3779B97F4A7C15u;
    static constexpr uint64_t kEmpty = UINT64_MAX;
    struct Slot {
        uint64_t key = kEmpty;
        uint32_t rank = 0;
        int32_t result = -1;
    };
    std::vector<Slot> slots_;
    int shift_;
    size_t mask_;
};

constexpr size_t kShortPiece = 64;  // ids; above it merge_long() is faster

// Merges `ids`, at most kShortPiece, in place: always the lowest rank, among equals the leftmost.
void merge_short(const MergeTable& table, std::vector<int32_t>& ids);
// The same ids in time n log(distinct ranks) and about 20 bytes an id.
void merge_long(const MergeTable& table, std::vector<int32_t>& ids);

}  // namespace rpt::text
