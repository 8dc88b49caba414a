// The pieces of cl100k's rule, which Llama 3 uses as it is and Qwen2 with numbers one by one.
#pragma once

#include "core/text/pre_tokenizer.h"

namespace rpt::text {

// The rule, first alternative that matches (L letters, N numbers, s white space, n at most
// `most_numbers`); contractions in either case, and U+017F counts as an s:
//   's|'t|'re|'ve|'m|'ll|'d|[^\r\nLN]?L+|N{1,n}| ?[^sLN]+[\r\n]*|s*[\r\n]+|s+(?!S)|s+
// A run of white space is looked at to its end, although its piece may end at its last line end.
class Cl100kPieces final : public PreTokenizer {
  public:
    explicit constexpr Cl100kPieces(uint32_t most_numbers) : most_numbers_(most_numbers) {}

    std::optional<size_t> next(PieceScan& scan, std::string_view text, size_t begin,
                               bool at_end) const override;
    std::vector<std::string_view> pieces_slow(std::string_view text) const override;

  private:
    uint32_t most_numbers_;
};

}  // namespace rpt::text
