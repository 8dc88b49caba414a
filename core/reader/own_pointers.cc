#include "core/reader/own_pointers.h"

#include <algorithm>

#include "base/dot_rows.h"
#include "base/error.h"
#include "base/half.h"

namespace rpt::reader {

OwnPointers::OwnPointers(size_t width) : width_(width), columns_(padded_columns(width)) {}

void OwnPointers::append(std::span<const float> keys) {
    RPT_CHECK(width_ > 0 && keys.size() % width_ == 0);
    const size_t n = keys.size() / width_, before = rows_.size();
    if (rows_.capacity() < before + n * columns_)
        rows_.reserve(std::max(2 * before, before + n * columns_));
    rows_.resize(before + n * columns_);  // zeros; no allocation from here
    for (size_t i = 0; i < n; ++i)
        to_halves(keys.data() + i * width_, rows_.data() + before + i * columns_, width_);
}

void OwnPointers::truncate(size_t n) {
    if (n < size()) rows_.resize(n * columns_);
}

}  // namespace rpt::reader
