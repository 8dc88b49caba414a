// The pieces of GPT-2's byte-level BPE, and of SmolLM's, which cuts numbers out first.
#pragma once

#include "core/text/pre_tokenizer.h"

namespace rpt::text {

// The rule, first alternative that matches (L letters, N numbers, s white space):
//   's|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?[^sLN]+|s+(?!S)|s+
// With `lone_numbers` every number is first cut out as a piece of its own; the rule then runs over
// each stretch between them as over a text.
class Gpt2Pieces final : public PreTokenizer {
  public:
    explicit constexpr Gpt2Pieces(bool lone_numbers) : lone_numbers_(lone_numbers) {}

    std::optional<size_t> next(PieceScan& scan, std::string_view text, size_t begin,
                               bool at_end) const override;
    std::vector<std::string_view> pieces_slow(std::string_view text) const override;

  private:
    bool lone_numbers_;
};

}  // namespace rpt::text
