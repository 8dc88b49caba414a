#include "base/letter_case.h"

#include <algorithm>

namespace rpt {
namespace {

// The last of `n` entries that begins at or before `point`; null if none does.
template <typename Entry>
const Entry* entry_at(const Entry* entries, size_t n, char32_t point) {
    const Entry* behind =
        std::upper_bound(entries, entries + n, uint32_t(point),
                         [](uint32_t value, const Entry& entry) { return value < entry.first; });
    return behind == entries ? nullptr : behind - 1;
}

}  // namespace

char32_t fold_case(char32_t point) {
    if (point < 128) return point >= U'A' && point <= U'Z' ? point + 32 : point;
    const auto* run = entry_at(detail::kFoldingRuns, detail::kFoldingRunCount, point);
    if (run == nullptr || point > run->last || (point - run->first) % run->step != 0) return point;
    return static_cast<char32_t>(static_cast<int32_t>(point) + run->difference);
}

bool is_mark(char32_t point) {
    if (point < 0x300) return false;
    const auto* range = entry_at(detail::kMarkRanges, detail::kMarkRangeCount, point);
    return range != nullptr && point <= range->last;
}

}  // namespace rpt
