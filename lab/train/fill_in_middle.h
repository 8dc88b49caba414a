// Texts with a gap, as the model learns to read them: prefix, suffix, then what stood between.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lab/train/shard.h"

namespace rpt::train {

// Tokens that the rearrangement of a text adds, its end token included.
inline constexpr uint64_t kGapTokens = 4;

// Prefix token, text[0, first), suffix token, text[last, n), middle token, text[first, last), end
// token: a model that filled the gap learns to stop there. `text` holds no end token of its own;
// first <= last <= n.
std::vector<int32_t> fill_in_middle(const ShardVocabulary& vocabulary,
                                    std::span<const int32_t> text, size_t first, size_t last);

}  // namespace rpt::train
