// A half-open range of bytes of a document.
#pragma once

#include <cstdint>

namespace rpt {

struct ByteSpan {
    uint64_t begin = 0;
    uint64_t end = 0;

    uint64_t size() const { return end - begin; }
    bool empty() const { return begin == end; }
    bool overlaps(const ByteSpan& other) const { return begin < other.end && other.begin < end; }
    bool operator==(const ByteSpan&) const = default;
};

}  // namespace rpt
