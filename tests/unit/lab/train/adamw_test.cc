#include "lab/train/adamw.h"

#include <cmath>

#include <gtest/gtest.h>

namespace rpt::train {
namespace {

TEST(AdamWTest, update_follows_the_textbook_and_decays_matrices_alone) {
    TrainOptions options;
    options.beta1 = 0.9;
    options.beta2 = 0.99;
    options.eps = 1e-8;
    options.weight_decay = 0.5;
    options.clip = 0;
    at::Tensor matrix = at::ones({1, 1}).requires_grad_(true);
    at::Tensor vector = at::ones({1}).requires_grad_(true);
    AdamW adam({{"m", matrix}, {"v", vector}}, options);
    double mean = 0, square = 0, plain = 1, decayed = 1;
    int t = 0;
    for (const double g : {0.1, 0.2, -0.3}) {
        ++t;
        matrix.mutable_grad() = at::full({1, 1}, g);
        vector.mutable_grad() = at::full({1}, g);
        EXPECT_NEAR(adam.step(0.01), std::sqrt(2 * g * g), 1e-6);
        mean = 0.9 * mean + 0.1 * g;
        square = 0.99 * square + 0.01 * g * g;
        const double move = 0.01 * (mean / (1 - std::pow(0.9, t))) /
                            (std::sqrt(square / (1 - std::pow(0.99, t))) + 1e-8);
        plain -= move;
        decayed = decayed * (1 - 0.01 * 0.5) - move;
        EXPECT_NEAR(vector.item<double>(), plain, 1e-6);
        EXPECT_NEAR(matrix.item<double>(), decayed, 1e-6);
    }
}

TEST(AdamWTest, embedding_has_a_rate_of_its_own_and_the_common_decay) {
    TrainOptions options;
    options.embedding_lr_scale = 10;
    options.weight_decay = 0.5;
    options.clip = 0;
    at::Tensor embedding = at::ones({1, 1}).requires_grad_(true);
    AdamW adam({{"embedding", embedding}}, options);
    embedding.mutable_grad() = at::full({1, 1}, 0.3);
    adam.step(0.01);  // the first update is one rate long
    EXPECT_NEAR(embedding.item<double>(), 1 - 0.01 * 0.5 - 0.1, 1e-5);
}

TEST(AdamWTest, clip_bounds_the_global_norm_and_bad_gradients_change_nothing) {
    TrainOptions options;
    options.clip = 1;
    options.weight_decay = 0;
    at::Tensor a = at::ones({2}).requires_grad_(true);
    AdamW adam({{"a", a}}, options);
    a.mutable_grad() = at::full({2}, 30.0);
    EXPECT_NEAR(adam.step(0.0), 30 * std::sqrt(2.0), 1e-3);
    EXPECT_NEAR(a.grad().norm().item<double>(), 1.0, 1e-5);
    const at::Tensor before = a.detach().clone();
    a.mutable_grad() = at::full({2}, std::nan(""));
    EXPECT_FALSE(std::isfinite(adam.step(1.0)));
    EXPECT_TRUE(at::equal(before, a.detach()));
}

}  // namespace
}  // namespace rpt::train
