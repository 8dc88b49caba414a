#include "lab/train/document_span.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace rpt::train {
namespace {

model::ModelConfig small_blocks() {
    model::ModelConfig config;
    config.chunk = 4;
    config.stride = 8;
    return config;
}

const ShardVocabulary kVocabulary{64, 0, 1, 2, {}};

TEST(DocumentSpanTest, span_is_shifted_padded_and_does_not_predict_the_end) {
    const std::vector<int32_t> text = {10, 11, 12, 13, 14, 15, 16, 17, 1};
    const DocumentSpan span = make_document_span(small_blocks(), kVocabulary, text);
    EXPECT_EQ(span.n_tokens, 9);
    EXPECT_EQ(span.chunks, 4);
    const std::vector<int32_t> inputs = {0, 10, 11, 12, 13, 14, 15, 16, 17, 2, 2, 2, 2, 2, 2, 2};
    EXPECT_EQ(span.inputs, inputs);
    const std::vector<int64_t> targets = {10, 11, 12, 13, 14, 15, 16, 17,
                                          -1, -1, -1, -1, -1, -1, -1, -1};
    EXPECT_EQ(span.targets, targets);
}

TEST(DocumentSpanTest, span_length_is_whole_blocks_and_zero_is_the_whole_document) {
    EXPECT_EQ(span_length(small_blocks(), 24), 24);
    EXPECT_EQ(span_length(small_blocks(), 0), kLongestSpan);
    EXPECT_THROW(span_length(small_blocks(), 25), Error);
    EXPECT_THROW(span_length(small_blocks(), -8), Error);
    model::ModelConfig odd = small_blocks();
    odd.stride = 12;
    EXPECT_EQ(span_length(odd, 0), 262140);
}

}  // namespace
}  // namespace rpt::train
