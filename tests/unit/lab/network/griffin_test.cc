#include "lab/network/griffin.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lab/network/gated_scan.h"
#include "lab/network/layers.h"
#include "lab/network/model_weights.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

double apart(const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
}

// One step of one operation after the other, autograd for the rest.
at::Tensor gated_scan_slow(const at::Tensor& log_a, const at::Tensor& input) {
    std::vector<at::Tensor> rows = {input.select(1, 0)};
    for (int64_t t = 1; t < input.size(1); ++t) {
        const at::Tensor a = log_a.select(1, t).exp();
        rows.push_back(a * rows.back() + (1 - a * a).sqrt() * input.select(1, t));
    }
    return at::stack(rows, 1);
}

// Spec appendix A.6.
TEST(griffin, scan_matches_the_golden_values) {
    const at::Tensor u = at::tensor({1.0, -0.5, 2.0, 0.25}, at::kFloat).view({1, 4, 1});
    const at::Tensor r = at::sigmoid(0.3 * u + 0.1), i = at::sigmoid(-0.2 * u + 0.05);
    const at::Tensor decay = at::full({1}, -2.944439, at::kFloat);
    const at::Tensor log_a = r * (at::softplus(decay) * -8);
    EXPECT_LT(apart(log_a.exp().flatten(),
                    at::tensor({0.782181, 0.818694, 0.760189, 0.800051}, at::kFloat)),
              1e-5);
    EXPECT_LT(apart(gated_scan(log_a, i * u).flatten(),
                    at::tensor({0.462570, 0.224399, 0.707737, 0.641217}, at::kFloat)),
              1e-5);
}

TEST(griffin, scan_equals_step_by_step_with_gradients) {
    for (const int64_t length : {1, 2, 7, 64}) {
        const at::Tensor log_a = (-at::rand({2, length, 5}) - 0.01).requires_grad_(true);
        const at::Tensor input = at::randn({2, length, 5}).requires_grad_(true);
        const at::Tensor upstream = at::randn({2, length, 5});
        const at::Tensor fast = gated_scan(log_a, input);
        fast.backward(upstream);
        const at::Tensor d_log_a = log_a.grad().clone(), d_input = input.grad().clone();
        log_a.mutable_grad().reset();
        input.mutable_grad().reset();
        const at::Tensor slow = gated_scan_slow(log_a, input);
        slow.backward(upstream);
        EXPECT_LT(apart(fast, slow), 1e-5) << length;
        EXPECT_LT(apart(d_input, input.grad()), 1e-5) << length;
        if (length == 1) continue;  // the twin does not read log_a
        EXPECT_LT(apart(d_log_a, log_a.grad()), 1e-4) << length;
    }
}

TEST(griffin, scan_by_doubling_equals_the_loop_in_both_directions) {
    for (const int64_t length : {1, 2, 3, 8, 33}) {
        const at::Tensor a = at::rand({3, length, 4}), x = at::randn({3, length, 4});
        for (const bool reverse : {false, true}) {
            EXPECT_LT(apart(scan(a, x, reverse), scan_by_doubling(a, x, reverse)), 1e-5)
                << length << " " << reverse;
        }
    }
}

TEST(griffin, scan_bounds_the_slope_of_its_root) {
    // a = 1 but for rounding: the root is near 0 and its slope would be without bound
    const at::Tensor log_a = at::full({1, 2, 1}, -1e-9, at::kFloat).requires_grad_(true);
    const at::Tensor input = at::ones({1, 2, 1}).requires_grad_(true);
    gated_scan(log_a, input).sum().backward();
    // d h_1 / d log_a = h_0 - 2 * 1000
    EXPECT_NEAR(log_a.grad()[0][1][0].item<double>(), 1 - 2000, 1);
    EXPECT_EQ(log_a.grad()[0][0][0].item<double>(), 0);
}

// The whole block from plain matrices, with a gate for each diagonal block by itself.
TEST(griffin, block_equals_its_formula_token_by_token) {
    ModelConfig c = tiny_config();
    c.griffin_layers = {0};
    c.griffin_width = 24;
    c.griffin_gate_blocks = 4;
    const RptModel model(c, 3);
    const GriffinWeights& w = *model.weights().layers[0].griffin;
    const at::Tensor x = at::randn({1, 2 * c.stride, c.dim});
    const at::Tensor fast = griffin_block(c, w, x)[0];
    const int64_t r = c.griffin_width, inner = r / c.griffin_gate_blocks;
    const auto gate = [&](const at::Tensor& u, const at::Tensor& matrix, const at::Tensor& bias) {
        std::vector<at::Tensor> parts;
        for (int64_t g = 0; g < c.griffin_gate_blocks; ++g)
            parts.push_back(at::mv(matrix[g], u.narrow(0, g * inner, inner)));
        return at::sigmoid(at::cat(parts) + bias);
    };
    std::vector<at::Tensor> us;
    at::Tensor h;
    for (int64_t t = 0; t < x.size(1); ++t) {
        const at::Tensor both = at::mv(w.in, rms_norm(x[0][t], w.norm, c.norm_eps)) + w.in_bias;
        us.push_back(both.narrow(0, r, r));
        at::Tensor u = w.conv_bias;
        for (int64_t s = 0; s < 3 && s <= t; ++s)
            u = u + w.conv[2 - s] * us[static_cast<size_t>(t - s)];
        const at::Tensor a =
            (-8 * at::softplus(w.decay) * gate(u, w.recurrence, w.recurrence_bias)).exp();
        const at::Tensor in = gate(u, w.input_gate, w.input_gate_bias) * u;
        h = t == 0 ? in : a * h + (1 - a * a).sqrt() * in;
        const at::Tensor y = at::mv(w.out, h * at::gelu(both.narrow(0, 0, r), "tanh")) + w.out_bias;
        EXPECT_LT(apart(fast[t], y), 1e-5) << t;
    }
}

// Spec 5.6: the paper's 12 layers with 5 recurrent blocks of width 2048 have 239.3 million.
TEST(griffin, parameter_count_matches_the_published_one) {
    ModelConfig c;
    c.vocab = 50277;
    c.dim = 1024;
    c.n_lower = c.n_upper = 6;
    c.n_heads = c.n_kv_heads = 8;
    c.head_dim = 128;
    c.ffn_dim = 4096;
    c.retrieval = RetrievalKind::kNone;
    c.griffin_layers = {7, 8, 9, 10, 11};
    c.griffin_width = 2048;
    ModelWeights weights;
    double n = 0;
    for (const NamedSlot& slot : list_slots(c, weights)) {
        double size = 1;
        for (const int64_t s : slot.shape) size *= static_cast<double>(s);
        n += size;
    }
    EXPECT_NEAR(n / 1e6, 239.3, 0.05);
}

TEST(griffin, channels_begin_to_forget_at_the_rates_of_the_paper) {
    ModelConfig c = tiny_config();
    c.griffin_layers = {3};
    const RptModel model(c, 3);
    const at::Tensor rate =
        (-at::softplus(model.weights().layers[3].griffin->decay)).exp().detach();
    EXPECT_GE(rate.min().item<double>(), 0.9 - 1e-5);
    EXPECT_LE(rate.max().item<double>(), 0.999 + 1e-5);
    EXPECT_GT(rate.std().item<double>(), 0.01);
}

}  // namespace
}  // namespace rpt::model
