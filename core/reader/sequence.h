// What a session has read: text, and the model's input positions over it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/span.h"

namespace rpt::reader {

// Bytes of a word that a session reads as one pre-token; a longer one is cut
// (text::IncrementalEncoder), so that the unsettled end of the text stays short.
inline constexpr size_t kLongestWord = 4096;

// Position 0 is the begin token, which covers no bytes; position p > 0 ends at byte ends[p]. The
// text may go on behind the last position: the tail whose tokens could still change. A value.
class Sequence {
  public:
    explicit Sequence(int32_t bos) : ids_{bos}, ends_{0} {}

    std::string text;

    size_t size() const { return ids_.size(); }
    std::span<const int32_t> ids() const { return ids_; }
    uint64_t end_of(size_t position) const { return ends_[position]; }
    uint64_t end() const { return ends_.back(); }

    // A token of `bytes` bytes. Throws before anything changes or not at all.
    void push(int32_t id, uint64_t bytes) {
        if (ends_.size() == ends_.capacity()) ends_.reserve(2 * ends_.size());
        ids_.push_back(id);
        ends_.push_back(ends_.back() + bytes);
    }
    void truncate(size_t positions, size_t text_bytes) {
        ids_.resize(positions);
        ends_.resize(positions);
        text.resize(text_bytes);
    }
    // Bytes of positions [begin, end).
    ByteSpan bytes(size_t begin, size_t end_position) const {
        return {begin == 0 ? 0 : ends_[begin - 1], ends_[end_position - 1]};
    }

  private:
    std::vector<int32_t> ids_;
    std::vector<uint64_t> ends_;
};

}  // namespace rpt::reader
