// Letters regardless of case, and marks that belong to the letter before them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rpt {

namespace detail {
struct MarkRange {
    uint32_t first, last;
};
// first, first + step, .. last fold to themselves plus the difference.
struct FoldingRun {
    uint32_t first, last, step;
    int32_t difference;
};
extern const size_t kMarkRangeCount, kFoldingRunCount;
extern const MarkRange kMarkRanges[];    // ascending (letter_tables.cc)
extern const FoldingRun kFoldingRuns[];  // likewise
}  // namespace detail

// Unicode's simple case folding: equal for letters that differ in case alone.
char32_t fold_case(char32_t point);
// Whether folding changes it: a letter that has a lower case and is not in it.
inline bool is_upper(char32_t point) {
    return fold_case(point) != point;
}
// A combining mark: an accent, a vowel sign.
bool is_mark(char32_t point);

}  // namespace rpt
