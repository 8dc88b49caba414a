// How a text is cut into pieces before byte pairs are merged within each: a strategy, one for each
// family of tokenizers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace rpt::text {

// How far a piece was looked at. What `state` and `last` mean is the rule's own matter; the value
// that everything starts with stands for "not at all".
struct PieceScan {
    uint32_t state = 0;
    size_t scanned = 0;  // bytes of the piece looked at
    size_t last = 0;     // where, in the piece, its last code point begins
};

// Immutable; shared by threads.
class PreTokenizer {
  public:
    // The end of the piece that begins at `begin` < text.size(), or nothing if more text could move
    // it; then call again with the same `scan`, the same piece start and a longer text, and what
    // was looked at is not read again. `at_end`: no more text comes, the answer is always given.
    // `begin` may be another number in the next call (the caller dropped bytes before the piece).
    virtual std::optional<size_t> next(PieceScan& scan, std::string_view text, size_t begin,
                                       bool at_end) const = 0;
    // The plain twin: tries the alternatives of the rule in order at every place.
    virtual std::vector<std::string_view> pieces_slow(std::string_view text) const = 0;

  protected:
    PreTokenizer() = default;
    ~PreTokenizer() = default;
};

// Rules that a tokenizer file may ask for.
enum class PieceRule { kGpt2, kSmolLm, kLlama3, kQwen2 };
inline constexpr PieceRule kPieceRules[] = {PieceRule::kGpt2, PieceRule::kSmolLm,
                                            PieceRule::kLlama3, PieceRule::kQwen2};

// Lives as long as the program.
const PreTokenizer& pre_tokenizer(PieceRule rule);

}  // namespace rpt::text
