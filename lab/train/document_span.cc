#include "lab/train/document_span.h"

#include <string>

#include "base/error.h"

namespace rpt::train {

DocumentSpan make_document_span(const model::ModelConfig& config, const ShardVocabulary& vocabulary,
                                std::span<const int32_t> text) {
    DocumentSpan span;
    span.n_tokens = static_cast<int64_t>(text.size());
    RPT_CHECK(span.n_tokens > 0);
    const int64_t padded = (span.n_tokens + config.stride - 1) / config.stride * config.stride;
    span.chunks = padded / config.chunk;
    span.inputs.assign(padded, vocabulary.pad);
    span.targets.assign(padded, -1);
    span.inputs[0] = vocabulary.bos;
    for (int64_t p = 0; p < span.n_tokens; ++p) {
        if (p + 1 < span.n_tokens) span.inputs[p + 1] = text[p];
        if (text[p] != vocabulary.eos) span.targets[p] = text[p];
    }
    return span;
}

int64_t span_length(const model::ModelConfig& config, int64_t span) {
    if (span == 0) return kLongestSpan / config.stride * config.stride;
    if (span < 0 || span % config.stride != 0) {
        throw Error(Status::kArgument, "rpt",
                    "span " + std::to_string(span) +
                        " must be a multiple of the model's stride of " +
                        std::to_string(config.stride) + ", or 0 for whole documents");
    }
    return span;
}

}  // namespace rpt::train
