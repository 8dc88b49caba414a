// The pieces of GPT-2's byte-level BPE.
#pragma once

#include "core/text/pre_tokenizer.h"

namespace rpt::text {

// The rule, first alternative that matches (L letters, N numbers, s white space):
//   's|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?[^sLN]+|s+(?!S)|s+
class Gpt2Pieces final : public PreTokenizer {
  public:
    constexpr Gpt2Pieces() = default;

    std::optional<size_t> next(PieceScan& scan, std::string_view text, size_t begin,
                               bool at_end) const override;
    std::vector<std::string_view> pieces_slow(std::string_view text) const override;
};

}  // namespace rpt::text
