// Spec S7, the language-model half: which parameters the next-token loss reaches.
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

bool is_retriever(const std::string& name) {
    for (const char* part : {"memory.key", "memory.query", "memory.pointer", "memory.state_scale"})
        if (name.starts_with(part)) return true;
    return false;
}

TEST(model_gradient, loss_reaches_everything_but_the_retriever) {
    for (const auto& [name, c] : all_variants()) {
        const RptModel model(c, 3);
        const at::Tensor tokens = tiny_tokens(c, 2, 6 * c.stride);
        const at::Tensor neighbours = tiny_neighbours(c, 2, 6 * c.chunks_per_block(), 2);
        model.token_nll(model.upper(model.lower(tokens), neighbours), tokens).mean().backward();
        for (const auto& [parameter, t] : model.parameters()) {
            // scores of one chunk shift alike with the key bias: only where no sink stands against
            if (c.scores_weigh() && !c.gca_sink && parameter == "memory.key_bias") continue;
            if (is_retriever(parameter) && !c.scores_weigh()) {
                EXPECT_FALSE(t.grad().defined()) << name << " " << parameter;
            } else {
                ASSERT_TRUE(t.grad().defined()) << name << " " << parameter;
                EXPECT_TRUE(t.grad().isfinite().all().item<bool>()) << name << " " << parameter;
                EXPECT_GT(t.grad().abs().max().item<double>(), 0.0) << name << " " << parameter;
            }
        }
    }
}

TEST(model_gradient, loss_reaches_retrieved_states_that_no_attention_window_covers) {
    const ModelConfig c = tiny_config();
    const RptModel model(c, 3);
    const int64_t length = 6 * c.stride;
    LowerOutput low = model.lower(tiny_tokens(c, 1, length));
    low.hidden = low.hidden.detach();
    low.states = low.states.detach().requires_grad_(true);
    at::Tensor neighbours = at::full({1, length / c.chunk, 1}, -1, at::kLong);
    neighbours[0][10][0] = 1;
    const at::Tensor h = model.upper(low, neighbours);
    h.square().sum().backward();
    const at::Tensor reached = low.states.grad()[0].abs().sum({-1, -2}).gt(0);
    for (int64_t i = 0; i < length / c.chunk; ++i) {
        EXPECT_EQ(reached[i].item<bool>(), i == 1 || i == 2) << i;
    }
}

TEST(model_gradient, gradients_match_finite_differences) {
    const ModelConfig c = tiny_config();
    const RptModel model(c, 3);
    const at::Tensor tokens = tiny_tokens(c, 1, 5 * c.stride);
    const at::Tensor neighbours = tiny_neighbours(c, 1, 5 * c.chunks_per_block(), 2);
    const auto loss = [&] {
        return model.token_nll(model.upper(model.lower(tokens), neighbours), tokens).mean();
    };
    loss().backward();
    at::manual_seed(1);
    for (const auto& [name, parameter] : model.parameters()) {
        if (!parameter.grad().defined()) continue;
        const c10::NoGradGuard no_grad;
        at::Tensor p = parameter.detach();
        // along the gradient's own direction the difference is large enough for fp32
        const at::Tensor g = p.grad().defined() ? p.grad() : parameter.grad();
        const double norm = g.norm().item<double>();
        if (norm < 1e-4) continue;
        const at::Tensor step = g * (3e-3 / norm);
        p.add_(step);
        const double up = loss().item<double>();
        p.sub_(step * 2);
        const double down = loss().item<double>();
        p.add_(step);
        EXPECT_NEAR((up - down) / (2 * 3e-3), norm, 0.05 * norm + 2e-4) << name;
    }
}

TEST(model_gradient, diagnostics_change_nothing_and_stay_in_range) {
    const c10::NoGradGuard no_grad;
    const ModelConfig c = tiny_config();
    const RptModel model(c, 3);
    const LowerOutput low = model.lower(tiny_tokens(c, 2, 4 * c.stride));
    const at::Tensor neighbours = tiny_neighbours(c, 2, 4 * c.chunks_per_block(), 2);
    RptModel::Diagnostics shown;
    EXPECT_TRUE(model.upper(low, neighbours, &shown).equal(model.upper(low, neighbours)));
    EXPECT_GT(shown.gate_mean.item<double>(), c.gate_floor);
    EXPECT_LT(shown.gate_mean.item<double>(), 1.0);
    EXPECT_GT(shown.null_mass.item<double>(), 0.0);
    EXPECT_LT(shown.null_mass.item<double>(), 1.0);
}

}  // namespace
}  // namespace rpt::model
