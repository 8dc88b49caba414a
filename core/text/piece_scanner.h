// Cuts text into pre-tokens ("pieces") by the rule of GPT-2's byte-level BPE.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "core/text/unicode_classes.h"

namespace rpt::text {

// The rule, first alternative that matches (L letters, N numbers, s white space):
//   's|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?[^sLN]+|s+(?!S)|s+
// Resumable: when the text seen so far does not settle where the piece ends, the scanner remembers
// how far it looked, so a piece that arrives in many parts is still read once. A value; one thread
// at a time.
class PieceScanner {
  public:
    // The end of the piece that begins at `begin` < text.size(), or nothing if more text could move
    // it; then call again with the same piece start and a longer text. `at_end`: no more text
    // comes, the answer is always given. `begin` may be another number in the next call (the caller
    // dropped bytes before the piece).
    std::optional<size_t> next(std::string_view text, size_t begin, bool at_end);

  private:
    size_t contraction(std::string_view text, size_t begin, bool at_end, bool& unsettled) const;
    bool start(std::string_view text, size_t begin, bool at_end);

    bool started_ = false;
    CharClass run_ = CharClass::kOther;
    size_t scanned_ = 0;     // bytes of the piece looked at
    size_t last_space_ = 0;  // kSpace: where, in the piece, its last code point begins
};

// The plain twin: tries the alternatives in order at every place.
std::vector<std::string_view> pieces_slow(std::string_view text);

}  // namespace rpt::text
