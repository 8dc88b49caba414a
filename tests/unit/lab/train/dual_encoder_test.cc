#include <cstdio>

#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/train/counter_random.h"
#include "lab/train/encoder_pairs.h"
#include "lab/train/neighbour_choice.h"

namespace rpt::train {
namespace {

constexpr int64_t kChunk = 8;

DualEncoderShape toy_shape() {
    DualEncoderShape shape;
    shape.vocab = 40;
    shape.chunk = kChunk;
    shape.dim = 16;
    shape.layers = 2;
    shape.heads = 2;
    return shape;
}

std::vector<int32_t> random_chunk(uint64_t number) {
    std::vector<int32_t> chunk;
    for (int64_t t = 0; t < kChunk; ++t)
        chunk.push_back(static_cast<int32_t>(draw_below(7, number, t, 40)));
    return chunk;
}

// Queries and positives without a word in common on purpose: only learning brings them together.
std::vector<EncoderPair> toy_pairs(size_t n) {
    std::vector<EncoderPair> pairs;
    for (size_t i = 0; i < n; ++i) {
        EncoderPair pair;
        pair.query = random_chunk(3 * i);
        pair.positive = random_chunk(3 * i + 1);
        pair.negative = random_chunk(3 * i + 2);
        pair.piece = i;
        pairs.push_back(pair);
    }
    return pairs;
}

TEST(DualEncoderTest, batch_is_learnt_by_heart_and_the_positive_retrieved) {
    const DualEncoder encoder(toy_shape(), 1);
    TrainOptions options;
    options.weight_decay = 0;
    AdamW optimizer(encoder.parameters(), options);
    const auto pairs = toy_pairs(12);
    EncoderReport first, last;
    in_batch_loss(encoder, pairs, at::kCPU, first);
    EXPECT_LT(first.accuracy, 0.6);
    for (int step = 0; step < 60; ++step)
        last = encoder_step(encoder, optimizer, pairs, 5e-3, at::kCPU);
    EXPECT_LT(last.loss, 0.1);
    EXPECT_LT(last.loss, 0.1 * first.loss);
    EXPECT_DOUBLE_EQ(last.accuracy, 1.0);

    // the same by span_scores: queries and positives side by side in one text
    std::vector<int32_t> inputs;
    for (const EncoderPair& pair : pairs)
        inputs.insert(inputs.end(), pair.positive.begin(), pair.positive.end());
    for (const EncoderPair& pair : pairs)
        inputs.insert(inputs.end(), pair.query.begin(), pair.query.end());
    const at::Tensor scores = encoder.span_scores(inputs);
    ASSERT_EQ(scores.sizes(), (at::IntArrayRef{24, 24}));
    for (int64_t i = 0; i < 12; ++i) {
        const at::Tensor row = scores[12 + i].contiguous();
        EXPECT_EQ(top_k({row.data_ptr<float>(), 24}, 12, 1)[0], i);
    }
}

TEST(DualEncoderTest, copy_of_the_positive_is_no_negative) {
    const DualEncoder encoder(toy_shape(), 1);
    auto pairs = toy_pairs(3);
    pairs[1].positive = pairs[0].positive;
    pairs[2].negative = pairs[0].positive;
    EncoderReport apart, together;
    in_batch_loss(encoder, pairs, at::kCPU, apart);
    for (EncoderPair& pair : pairs) pair.piece = 0;  // now they are known to be the same chunk
    pairs[2].positive_chunk = 1;
    pairs[0].negative_chunk = pairs[1].negative_chunk = 2;
    in_batch_loss(encoder, pairs, at::kCPU, together);
    EXPECT_LT(together.loss, apart.loss);
}

TEST(DualEncoderTest, saved_encoder_scores_the_same_when_loaded) {
    const std::string path = testing::TempDir() + "dual_encoder_test.safetensors";
    const DualEncoder encoder(toy_shape(), 5);
    Digest tokenizer{};
    tokenizer[3] = 0xab;
    encoder.save(path, tokenizer);
    const DualEncoder::Loaded loaded = DualEncoder::load(path, at::kCPU);
    EXPECT_EQ(loaded.tokenizer, tokenizer);
    EXPECT_EQ(loaded.encoder->shape(), toy_shape());
    std::vector<int32_t> inputs = random_chunk(1);
    const auto more = random_chunk(2);
    inputs.insert(inputs.end(), more.begin(), more.end());
    EXPECT_TRUE(loaded.encoder->span_scores(inputs).equal(encoder.span_scores(inputs)));
    std::remove(path.c_str());
    DualEncoderShape bad = toy_shape();
    bad.heads = 3;
    EXPECT_THROW(DualEncoder(bad, 1), Error);
}

TEST(DualEncoderTest, pairs_are_the_first_and_a_later_one_of_the_ranking) {
    model::ModelConfig config;
    config.vocab = 40;
    config.chunk = kChunk;
    config.stride = 2 * kChunk;
    std::vector<int32_t> inputs;
    for (uint64_t c = 0; c < 20; ++c) {
        const auto chunk = random_chunk(c);
        inputs.insert(inputs.end(), chunk.begin(), chunk.end());
    }
    const auto n = static_cast<int64_t>(inputs.size());
    const auto pairs = pairs_of_piece(config, inputs, n, 4);
    const auto ranked = make_given_neighbours(config, GivenQuery::kChunkAndTarget, 20, inputs, n);
    size_t at = 0;
    for (int64_t i = 0; i + 1 < 20; ++i) {
        const auto row = std::span(ranked.chunk).subspan(i * 20, 20);
        const auto found = std::count_if(row.begin(), row.end(), [](int32_t j) { return j >= 0; });
        if (found < 2) continue;
        ASSERT_LT(at, pairs.size());
        EXPECT_EQ(pairs[at].positive_chunk, row[0]);
        EXPECT_EQ(pairs[at].negative_chunk, row[std::min<int64_t>(5, found - 1)]);
        EXPECT_EQ(pairs[at].query, std::vector<int32_t>(inputs.begin() + i * kChunk,
                                                        inputs.begin() + (i + 1) * kChunk));
        ++at;
    }
    EXPECT_EQ(at, pairs.size());
    EXPECT_GT(at, 5u);
}

}  // namespace
}  // namespace rpt::train
