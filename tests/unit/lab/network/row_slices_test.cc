#include "lab/network/row_slices.h"

#include <gtest/gtest.h>

#include "lab/network/layers.h"
#include "lab/network/model_weights.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

double max_difference(const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
}

TEST(row_slices, slices_are_joined_in_order_and_only_without_gradients) {
    const at::Tensor x = at::arange(10);
    int calls = 0;
    const auto take = [&](int64_t begin, int64_t count) {
        ++calls;
        return rows_of(x, begin, count);
    };
    EXPECT_TRUE(in_slices(10, 4, take).equal(x));
    EXPECT_EQ(calls, 1);
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(in_slices(10, 4, take).equal(x));
    EXPECT_EQ(calls, 4);
    EXPECT_TRUE(in_slices(10, 10, take).equal(x));
    EXPECT_EQ(calls, 5);
}

TEST(row_slices, long_document_reads_the_same_in_slices) {
    for (const auto& [name, config] : all_variants()) {
        const RptModel model(config, 3);
        const int64_t chunks = kMemorySlice + 90;
        const at::Tensor tokens = tiny_tokens(config, 1, chunks * config.chunk);
        const at::Tensor neighbours = tiny_neighbours(config, 1, chunks, 2);
        const LowerOutput whole_low = model.lower(tokens);
        const at::Tensor whole = model.upper(whole_low, neighbours).detach();
        const at::NoGradGuard no_grad;
        const LowerOutput low = model.lower(tokens);
        EXPECT_LT(max_difference(low.hidden, whole_low.hidden.detach()), 1e-5) << name;
        EXPECT_LT(max_difference(model.upper(low, neighbours), whole), 1e-4) << name;
    }
}

TEST(row_slices, attention_and_feed_forward_are_the_same_in_slices) {
    const ModelConfig c = tiny_config();
    const RptModel model(c, 3);
    at::manual_seed(2);
    const at::Tensor x = at::randn({1, 9000, c.dim});
    const at::Tensor q = at::randn({40, 512, 2, 16}), kv = at::randn({40, 600, 2, 16});
    const at::Tensor own = additive_mask(at::rand({40, 1, 1, 600}).gt(0.3));
    const at::Tensor shared = additive_mask(at::rand({512, 600}).gt(0.3));
    const FeedForwardWeights& ffn = model.weights().layers[0].ffn;
    const at::Tensor fed = feed_forward(c, ffn, x).detach();
    const at::Tensor read_own = attend(q, kv, kv, own), read_shared = attend(q, kv, kv, shared);
    const at::NoGradGuard no_grad;
    EXPECT_LT(max_difference(feed_forward(c, ffn, x), fed), 1e-5);
    EXPECT_LT(max_difference(attend(q, kv, kv, own), read_own), 1e-5);
    EXPECT_LT(max_difference(attend(q, kv, kv, shared), read_shared), 1e-5);
}

}  // namespace
}  // namespace rpt::model
