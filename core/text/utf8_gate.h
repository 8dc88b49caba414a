// Lets whole, valid UTF-8 pass; keeps back at most three bytes of an unfinished code point.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::text {

// One thread at a time. A copy is a checkpoint.
class Utf8Gate {
  public:
    enum class Mode { kRefuse, kReplace };
    // A stretch of output that stands for `source_bytes` bytes of the input: equal to text.size()
    // but where invalid bytes became U+FFFD.
    struct Piece {
        std::string text;
        uint64_t source_bytes;
    };

    explicit Utf8Gate(Mode mode = Mode::kRefuse);

    // kRefuse: throws kUtf8 with the document's offset of the first invalid byte (not merely
    // unfinished); nothing of `bytes` is then taken. kReplace: each maximal invalid part becomes
    // one U+FFFD, in a piece of its own.
    std::vector<Piece> append(std::string_view bytes);
    // The end of the text: an unfinished code point throws kUtf8 with its offset (the gate stays
    // usable) or is replaced.
    std::vector<Piece> finish();
    // Bytes of an unfinished code point kept back, 0 to 3.
    size_t pending() const { return pending_.size(); }
    // Bytes taken so far, pending ones included.
    uint64_t offset() const { return offset_; }

  private:
    Mode mode_;
    std::string pending_;
    uint64_t offset_ = 0;
};

// Offset of the first byte that is not part of valid, complete UTF-8; text.size() if there is none.
size_t valid_utf8_prefix(std::string_view text);

}  // namespace rpt::text
