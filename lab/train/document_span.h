// One stretch of a document as a model reads it when it is measured: whole, or as much as is read
// in one piece. Evaluation and the scoring of targets share it, so that scores fit. No torch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/config.h"
#include "lab/train/shard.h"

namespace rpt::train {

// Longer documents are read in parts of this many tokens, each with a memory of its own.
inline constexpr int64_t kLongestSpan = 262144;

struct DocumentSpan {
    std::vector<int32_t> inputs;   // x_0 is the beginning-of-text token, padded to whole blocks
    std::vector<int64_t> targets;  // -1: not predicted (padding, and the token that ends the text)
    int64_t n_tokens = 0;          // inputs that are text
    int64_t chunks = 0;            // of the padded inputs
};

// `text`: at least one token.
DocumentSpan make_document_span(const model::ModelConfig& config, const ShardVocabulary& vocabulary,
                                std::span<const int32_t> text);

// The tokens that are read in one piece: `span`, a multiple of the model's stride, or for 0 as many
// as the document has, at most kLongestSpan (rounded down to whole blocks). Throws kArgument.
int64_t span_length(const model::ModelConfig& config, int64_t span);

}  // namespace rpt::train
