// Cuts a text into segments at borders that its own bytes choose, so that an edit moves only the
// borders near it and equal stretches of text are cut alike wherever they stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rpt::text {

// On disk, never renumber: stored documents are cut with the defaults.
struct SegmenterOptions {
    uint32_t half_window = 1536;  // w, bytes, at least 1
    uint32_t max_bytes = 16384;   // at least w + 4
};

// A border is a place p between byte p - 1 and byte p, 0 < p < n. Places have values:
//   - none inside a code point: byte p is a continuation byte (10xxxxxx) and the three before it
//     are not all continuation bytes (valid UTF-8 has no four in a row)
//   - else a class, and for equal classes a hash of the 32 bytes before p and of nothing else:
//       3  byte p - 1 is a line feed and byte p is not
//       2  byte p is ASCII whitespace and byte p - 1 one of . ! ? ; : , ) } ]
//       1  byte p is a space or a tab and byte p - 1 is no ASCII whitespace
//       0  any other
// Natural borders: w <= p < n - w, p's value is greater than those of [p - w, p) and no smaller
// than those of (p, p + w]. They are more than w apart, 2 w on average, and depend on the bytes
// [p - w - 32, p + w] alone.
// Forced borders: where a border has no natural one within max_bytes behind it, and the text goes
// on for more than max_bytes + w, the last place not inside a code point within max_bytes is one.
// Natural borders stay what they are.
//
// So every segment but the last has at most max_bytes bytes; it has at least w unless it begins
// at a forced border. The last has more than w, if it is not the only one and does not begin at a
// forced border, and at most max_bytes + w. Text that is appended adds borders and takes none away.
//
// One thread at a time. A copy is a checkpoint.
class Segmenter {
  public:
    explicit Segmenter(SegmenterOptions options = {});

    // Bytes before a border that resume() needs.
    static size_t left_bytes(SegmenterOptions options = {}) { return options.half_window + 32; }
    // Goes on at a border (natural, forced, or 0) of a longer text. `left`: the bytes before it, at
    // least left_bytes() of them or all there are. Offsets then count from the border.
    static Segmenter resume(std::string_view left, SegmenterOptions options = {});

    // Adds the borders that are now known, ascending: offsets of the whole text appended so far.
    // There is no finish(): at the end of the text what follows the last border is a segment.
    void append(std::string_view bytes, std::vector<uint64_t>& borders);
    // Bytes appended.
    uint64_t size() const { return end_ - base_; }
    // Whatever is appended: no border to come is before this offset. Never falls.
    uint64_t decided() const;

  private:
    void take(std::string_view bytes, std::vector<uint64_t>* borders);
    void follow_candidate(const char* bytes, size_t n);
    size_t seek_candidate(const char* bytes, size_t n);
    void pass_events(std::vector<uint64_t>* borders);
    void add_border(uint64_t place, std::vector<uint64_t>* borders);

    SegmenterOptions options_;
    // Places count from the first byte that was seen, `left` included.
    uint64_t base_ = 0;  // the border resumed at
    uint64_t end_ = 0;   // bytes seen; the values of places < end_ are known

    uint64_t hash_ = 0;   // of the bytes before end_
    uint32_t kinds_ = 0;  // of the last four bytes, eight bits each, the last one lowest

    // A place greater than the w before it and not exceeded since; 0: none.
    uint64_t candidate_ = 0;
    uint64_t candidate_value_ = 0;
    // With a candidate: recent_[0, n_recent_) are the values of the places behind it; when there
    // are w of them it is a border. Without: what is needed to know the greatest of the last w
    // values. The last n_recent_ of them are recent_[0, n_recent_), the greatest of these is
    // since_; the greatest of the w - n_recent_ before them is recent_[n_recent_].
    std::vector<uint64_t> recent_;
    size_t n_recent_ = 0;
    uint64_t since_ = 0;

    uint64_t limit_;             // last border + max_bytes
    uint64_t forced_place_ = 0;  // known when limit_ has been passed
};

// Its twin, straight from the definition: O(n w).
std::vector<uint64_t> segment_borders_slow(std::string_view text, SegmenterOptions options = {});

}  // namespace rpt::text
