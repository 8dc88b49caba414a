"""Writes unicode_tables.cc: the classes that byte-level BPE's pre-tokenisation rule tells apart.

Usage: python make_unicode_tables.py > unicode_tables.cc

The classes are asked of the `tokenizers` package, whose regular expressions our scanner must equal code point by code
point; Python's own unicodedata serves as a cross-check (an older Unicode version may know fewer letters, never others).
"""
import sys
import unicodedata

from tokenizers import Regex, pre_tokenizers

LAST = 0x10FFFF
PAGE = 256
CLASSES = {1: r"\p{L}", 2: r"\p{N}", 3: r"\s"}


def members(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    found = set()
    points = [c for c in range(LAST + 1) if not 0xD800 <= c <= 0xDFFF]
    for begin in range(0, len(points), 4096):
        part = points[begin:begin + 4096]
        # U+0001 is in none of the classes, so every member stands alone at an even place
        for _, (left, right) in split.pre_tokenize_str("\x01".join(map(chr, part))):
            if right - left == 1 and left % 2 == 0:
                found.add(part[left // 2])
    return found


def main():
    classes = bytearray(LAST + 1)
    for value, pattern in CLASSES.items():
        for point in members(pattern):
            assert classes[point] == 0, hex(point)
            classes[point] = value
    for point in range(LAST + 1):
        kind = {"L": 1, "N": 2}.get(unicodedata.category(chr(point))[0], 0)
        assert kind == 0 or classes[point] == kind, hex(point)
    pages, index = [], []
    for begin in range(0, LAST + 1, PAGE):
        packed = bytes(sum(classes[begin + i + k] << (2 * k) for k in range(4)) for i in range(0, PAGE, 4))
        if packed not in pages:
            pages.append(packed)
        index.append(pages.index(packed))
    assert len(pages) < 256
    print("// Written by make_unicode_tables.py; do not edit.")
    print('#include "base/unicode_classes.h"\n')
    print("namespace rpt::detail {\n")
    print("// clang-format off")

    def block(head, values):
        print(head)
        for begin in range(0, len(values), 32):
            print(",".join(map(str, values[begin:begin + 32])) + ",")
        print("};\n")

    block(f"const uint8_t kClassPageIndex[{len(index)}] = {{", index)
    block(f"const uint8_t kClassPages[{len(pages) * PAGE // 4}] = {{", [byte for page in pages for byte in page])
    print("// clang-format on\n\n}  // namespace rpt::detail")


if __name__ == "__main__":
    sys.exit(main())
