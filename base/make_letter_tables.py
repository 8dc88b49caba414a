"""Writes letter_tables.cc: which code points are marks, and what letters fold to.

Usage: python make_letter_tables.py > letter_tables.cc

Both are asked of Python's unicodedata. Folding is the simple one: a code point folds to one code point.
"""
import sys
import unicodedata

LAST = 0x10FFFF


def mark_ranges():
    ranges = []
    for point in range(LAST + 1):
        if unicodedata.category(chr(point)) not in ("Mn", "Mc"):
            continue
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return ranges


def folding_runs():
    """[first, last, step, difference]: first, first + step, .. last fold to themselves plus the difference."""
    runs = []
    for point in range(LAST + 1):
        if 0xD800 <= point <= 0xDFFF:
            continue
        folded = chr(point).casefold()
        if len(folded) != 1:
            folded = chr(point).lower()
        if len(folded) != 1 or folded == chr(point):
            continue
        difference = ord(folded) - point
        if runs and runs[-1][3] == difference:
            first, last, step, _ = runs[-1]
            gap = point - last
            if gap <= 2 and (first == last or gap == step):
                runs[-1][1:3] = [point, gap]
                continue
        runs.append([point, point, 1, difference])
    return runs


def main():
    print("// Written by make_letter_tables.py; do not edit.")
    print(f"// Unicode {unicodedata.unidata_version}.")
    print('#include "base/letter_case.h"\n')
    print("namespace rpt::detail {\n\n// clang-format off")
    marks, runs = mark_ranges(), folding_runs()
    print(f"const size_t kMarkRangeCount = {len(marks)};")
    print(f"const MarkRange kMarkRanges[{len(marks)}] = {{")
    for begin in range(0, len(marks), 8):
        print("".join(f"{{{a},{b}}}," for a, b in marks[begin:begin + 8]))
    print("};\n")
    print(f"const size_t kFoldingRunCount = {len(runs)};")
    print(f"const FoldingRun kFoldingRuns[{len(runs)}] = {{")
    for begin in range(0, len(runs), 6):
        print("".join(f"{{{a},{b},{c},{d}}}," for a, b, c, d in runs[begin:begin + 6]))
    print("};\n// clang-format on\n\n}  // namespace rpt::detail")


if __name__ == "__main__":
    sys.exit(main())
