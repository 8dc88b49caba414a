#include "core/model/feature_counts.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace rpt::model
