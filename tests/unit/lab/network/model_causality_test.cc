// Spec S5: no output may know a later token; and the positive control, that the memory does reach
// the output.
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

at::Tensor logits_of(const RptModel& model, const at::Tensor& tokens,
                     const at::Tensor& neighbours) {
    return model.logits(model.upper(model.lower(tokens), neighbours));
}

TEST(model_causality, later_tokens_do_not_change_earlier_logits) {
    const c10::NoGradGuard no_grad;
    for (const auto& [name, c] : all_variants()) {
        const RptModel model(c, 3);
        const int64_t length = 6 * c.stride;
        const at::Tensor tokens = tiny_tokens(c, 1, length);
        const at::Tensor neighbours = tiny_neighbours(c, 1, length / c.chunk, 2);
        const at::Tensor before = logits_of(model, tokens, neighbours);
        for (int64_t p = 1; p < length; ++p) {
            at::Tensor changed = tokens.clone();
            changed[0][p] = (tokens[0][p].item<int64_t>() + 1) % c.vocab;
            const at::Tensor after = logits_of(model, changed, neighbours);
            EXPECT_LE((after - before).narrow(1, 0, p).abs().max().item<double>(), 1e-6)
                << name << " token " << p;
            EXPECT_GT((after - before)[0][p].abs().max().item<double>(), 1e-6) << name;
        }
    }
}

TEST(model_causality, retrieved_tokens_do_change_later_logits) {
    const c10::NoGradGuard no_grad;
    for (const auto& [name, c] : all_variants()) {
        if (!c.has_cca() || c.pool != PoolRule::kDisjoint) continue;
        if (name == "every_memory") continue;  // the others reach those tokens too
        const RptModel model(c, 3);
        // far enough that four layers of self-attention do not reach back
        const int64_t length = 8 * c.stride, m = c.chunk, i = 14, j = 2;
        const at::Tensor tokens = tiny_tokens(c, 1, length);
        at::Tensor neighbours = at::full({1, length / m, 1}, -1, at::kLong);
        neighbours[0][i][0] = j;
        const at::Tensor before = logits_of(model, tokens, neighbours);
        for (const int64_t p : {j * m + 1, (j + 1) * m + 2}) {
            at::Tensor changed = tokens.clone();
            changed[0][p] = (tokens[0][p].item<int64_t>() + 1) % c.vocab;
            const at::Tensor moved =
                (logits_of(model, changed, neighbours) - before)[0].abs().amax(-1);
            // chunk i's last token is the first to read; the m - 1 after it read too
            for (int64_t q = (i + 1) * m - 1; q < (i + 2) * m - 1; ++q) {
                EXPECT_GT(moved[q].item<double>(), 1e-6) << name << " token " << q;
            }
            EXPECT_LE(moved[(i + 1) * m - 2].item<double>(), 1e-6) << name;
        }
    }
}

TEST(model_causality, neighbours_of_one_document_stay_out_of_the_others) {
    const c10::NoGradGuard no_grad;
    const ModelConfig c = tiny_config();
    const RptModel model(c, 3);
    const int64_t length = 5 * c.stride;
    const at::Tensor tokens = tiny_tokens(c, 3, length);
    const at::Tensor neighbours = tiny_neighbours(c, 3, length / c.chunk, 2);
    const at::Tensor together = logits_of(model, tokens, neighbours);
    for (int64_t b = 0; b < 3; ++b) {
        const at::Tensor alone =
            logits_of(model, tokens.narrow(0, b, 1), neighbours.narrow(0, b, 1));
        EXPECT_LT((together[b] - alone[0]).abs().max().item<double>(), 1e-4);
    }
}

TEST(model_causality, no_neighbours_equals_all_masked) {
    const c10::NoGradGuard no_grad;
    for (const auto& [name, c] : all_variants()) {
        if (!c.has_cca()) continue;
        const RptModel model(c, 3);
        const at::Tensor tokens = tiny_tokens(c, 2, 2 * c.stride);
        const at::Tensor masked = at::full({2, 2 * c.chunks_per_block(), 3}, -1, at::kLong);
        EXPECT_LT((logits_of(model, tokens, {}) - logits_of(model, tokens, masked))
                      .abs()
                      .max()
                      .item<double>(),
                  1e-5)
            << name;
    }
}

}  // namespace
}  // namespace rpt::model
