#include "lab/network/feature_counts.h"

#include <gtest/gtest.h>

#include "lab/network/retriever.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

double max_difference(const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
}

struct Inputs {
    at::Tensor tokens = at::randn({3, 41, 8, 16});
    at::Tensor directions = at::randn({1536, 16}) / 4;  // some chunks a slice, the last slice short
    at::Tensor thresholds = at::randn({1536}) - 1;
    at::Tensor present = at::rand({3, 41, 8}).lt(0.6);

    std::vector<at::Tensor> learnt() const { return {tokens, directions, thresholds}; }
};

TEST(feature_counts, equal_their_twin_with_all_tokens_and_with_some) {
    at::manual_seed(1);
    Inputs in;
    in.present.select(0, 1).select(0, 2).fill_(false);  // a chunk without any
    for (const at::Tensor& present : {at::Tensor(), in.present}) {
        const auto fast = feature_counts(in.tokens, in.directions, in.thresholds, present);
        const auto slow = feature_counts_slow(in.tokens, in.directions, in.thresholds, present);
        ASSERT_EQ(fast.sizes(), (at::IntArrayRef{3, 41, 1536}));
        EXPECT_LT(max_difference(fast, slow), 1e-5);
        if (present.defined()) {
            EXPECT_EQ(fast[1][2].abs().max().item<float>(), 0);
        }
    }
}

TEST(feature_counts, gradients_equal_those_of_their_twin) {
    at::manual_seed(2);
    Inputs in;
    for (at::Tensor& x : in.learnt()) x.requires_grad_();
    const at::Tensor upstream = at::randn({3, 41, 1536});
    for (const at::Tensor& present : {at::Tensor(), in.present}) {
        std::vector<at::Tensor> gradients[2];
        for (const bool fast : {true, false}) {
            for (const at::Tensor& x : in.learnt()) x.mutable_grad().reset();
            const auto counts = (fast ? feature_counts : feature_counts_slow)(
                in.tokens, in.directions, in.thresholds, present);
            (counts * upstream).sum().backward();
            for (const at::Tensor& x : in.learnt()) gradients[fast].push_back(x.grad().clone());
        }
        for (size_t i = 0; i < 3; ++i) {
            const double size = gradients[0][i].abs().max().item<double>();
            EXPECT_LT(max_difference(gradients[0][i], gradients[1][i]), 1e-5 * size) << i;
        }
    }
}

TEST(feature_counts, tokens_without_a_gradient_change_no_other) {
    at::manual_seed(4);
    Inputs in;
    for (at::Tensor* x : {&in.directions, &in.thresholds}) x->requires_grad_();
    std::vector<at::Tensor> gradients[2];
    for (const bool tokens_learn : {false, true}) {
        in.directions.mutable_grad().reset();
        in.thresholds.mutable_grad().reset();
        const at::Tensor tokens = in.tokens.detach().requires_grad_(tokens_learn);
        feature_counts(tokens, in.directions, in.thresholds, {}).square().sum().backward();
        EXPECT_EQ(tokens.grad().defined(), tokens_learn);
        gradients[tokens_learn] = {in.directions.grad(), in.thresholds.grad()};
    }
    for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(gradients[0][i].equal(gradients[1][i])) << i;
}

TEST(feature_counts, queries_are_weighed_by_how_rare_a_feature_is_among_what_they_may_retrieve) {
    at::manual_seed(3);
    ModelConfig config = tiny_config();
    config.key_features = 6;
    const int64_t chunks = 6 * config.chunks_per_block();
    const at::Tensor queries = at::randn({2, chunks, 6}).requires_grad_();
    const at::Tensor keys = at::randn({2, chunks, 6}).requires_grad_();
    const at::Tensor weighed = weigh_by_idf(config, queries, keys);
    for (int64_t b = 0; b < 2; ++b) {
        for (int64_t i = 0; i < chunks; ++i) {
            const int64_t seen = std::max<int64_t>(0, last_retrievable(config, i) + 1);
            at::Tensor expected = queries[b][i];
            if (seen > 0)
                expected = expected / (1 + keys[b].narrow(0, 0, seen).mean(0).clamp_min(0));
            EXPECT_LT(max_difference(weighed[b][i], expected), 1e-6) << i;
        }
    }
    weighed.sum().backward();
    EXPECT_TRUE(queries.grad().defined());
    EXPECT_FALSE(keys.grad().defined());
    config.key_features = 0;
    EXPECT_TRUE(weigh_by_idf(config, queries, keys).is_same(queries));
}

}  // namespace
}  // namespace rpt::model
