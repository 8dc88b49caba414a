// Samples that repeat passages of their own past, near or far: what teaches a small model to give
// back what it has read when it is asked with its beginning, from its window or from its memory.
#pragma once

#include <cstdint>
#include <span>

#include "lab/train/shard.h"

namespace rpt::train {

struct QuoteRule {
    double share = 0;     // of the chunk borders that a passage is written across
    uint64_t chunk = 64;  // m; border c lies before the token that the model reads at c * m
};

// Writes passages of m/4 to m tokens over the text around chosen borders; between a quarter and
// three quarters of a passage stand before the border, so that the chunk there asks with the
// beginning and the next one reads the rest. The logarithm of the distance to the original is
// uniform: about as many come from a few chunks ago as from thousands of tokens. No passage meets
// another one's place, and none holds or covers a token of `vocabulary` that marks structure.
// Depends on (seed, sample) alone.
void quote_past(const QuoteRule& rule, const ShardVocabulary& vocabulary, uint64_t seed,
                uint64_t sample, std::span<int32_t> text);

}  // namespace rpt::train
