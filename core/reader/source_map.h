// From offsets of the text that is encoded to offsets of the bytes it came from: they differ where
// invalid bytes became U+FFFD.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace rpt::reader {

// One thread at a time. A copy is a checkpoint.
class SourceMap {
  public:
    // The next `text_bytes` of text stand for the next `source_bytes` of the source. Equal sizes:
    // byte for byte.
    void add(uint64_t text_bytes, uint64_t source_bytes);
    // Where a border of the text lies in the source; a border inside a replacement counts as its
    // begin. Not before what was forgotten, not after the end.
    uint64_t source_of(uint64_t text_offset) const;
    // Nothing before this border will be asked for again.
    void forget_before(uint64_t text_offset);

  private:
    struct Stretch {
        uint64_t text_begin, text_end;
        uint64_t source_begin, source_end;
        bool exact() const { return text_end - text_begin == source_end - source_begin; }
    };
    std::deque<Stretch> stretches_;
    uint64_t text_end_ = 0, source_end_ = 0;
};

}  // namespace rpt::reader
