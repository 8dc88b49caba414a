// Pointer queries of the tokens that a stream has read last.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "base/error.h"

namespace rpt::reader {

// Rows of fp32 by input position; the oldest may be forgotten. One thread at a time.
class QueryTrail {
  public:
    explicit QueryTrail(size_t width) : width_(width) {}

    // The position behind the last row.
    size_t end() const { return begin_ + rows_.size() / width_; }
    // Of the positions from end() on: [n, width].
    void append(std::span<const float> queries) {
        RPT_CHECK(width_ > 0 && queries.size() % width_ == 0);
        rows_.insert(rows_.end(), queries.begin(), queries.end());
    }
    // Forgets position n and all later ones. What stands before n is still there, or n is 0.
    void truncate(size_t n) {
        if (n >= end()) return;
        RPT_CHECK(n == 0 || n >= begin_);
        rows_.resize(n == 0 ? 0 : (n - begin_) * width_);
        if (n == 0) begin_ = 0;
    }
    // Forgets what stands before position n.
    void forget_before(size_t n) {
        if (n <= begin_) return;
        const size_t gone = std::min(n, end()) - begin_;
        rows_.erase(rows_.begin(), rows_.begin() + static_cast<ptrdiff_t>(gone * width_));
        begin_ += gone;
    }
    // The last n rows, or as many as there are.
    std::span<const float> last(size_t n) const {
        return std::span(rows_).last(std::min(n * width_, rows_.size()));
    }

  private:
    size_t width_, begin_ = 0;
    std::vector<float> rows_;
};

}  // namespace rpt::reader
