#include "lab/network/memorizing.h"

#include <gtest/gtest.h>

#include "lab/network/block_attention.h"
#include "lab/network/layers.h"
#include "lab/network/model_weights.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

ModelConfig memorizing_config() {
    for (const auto& [name, c] : tiny_variants()) {
        if (name == "memorizing") return c;
    }
    return {};
}

// Whole matrices of scores: no blocks, no gathering. Far keys that are not among the best few are
// masked by the size of the last one that is.
at::Tensor memorizing_attention_slow(const ModelConfig& c, const SelfAttentionWeights& attention,
                                     const MemorizingWeights& w, const RopeTable& rope,
                                     const at::Tensor& x) {
    const int64_t length = x.size(1), heads = c.n_heads;
    const Projected p =
        part_heads(c, project_heads(c, attention, rms_norm(x, attention.norm, c.norm_eps)));
    const at::Tensor position = at::arange(length), block = position.div(c.stride, "floor");
    const at::Tensor window_begin = (block - 1) * c.stride;
    const at::Tensor query = position.unsqueeze(1), key = position.unsqueeze(0);
    const at::Tensor near = key.le(query).logical_and(key.ge(window_begin.unsqueeze(1)));
    const at::Tensor local =
        attend_slow(rope.rotate(p.q, 0), rope.rotate(p.k, 0), p.v, additive_mask(near))
            .unflatten(-1, {heads, c.head_dim});

    const auto unit = [](const at::Tensor& t) {
        return t / (t.square().sum(-1, true) + 1e-6).sqrt();
    };
    const at::Tensor far =
        key.lt(window_begin.unsqueeze(1))
            .logical_and(key.ge(window_begin.unsqueeze(1) - c.memorizing_tokens));
    const at::Tensor q = unit(p.q).transpose(1, 2) * w.scale.view({1, heads, 1, 1});
    const at::Tensor k = unit(repeat_heads(p.k, heads)).detach().transpose(1, 2);
    const at::Tensor v = repeat_heads(p.v, heads).detach().transpose(1, 2);
    // finite, so that rows without far keys have gradients too; their share is 0
    const auto hide = [](const at::Tensor& shown) {
        return shown.logical_not().to(at::kFloat) * -1e9;
    };
    at::Tensor scores = at::matmul(q, k.transpose(2, 3)) + hide(far);
    const at::Tensor least = std::get<0>(scores.detach().sort(-1, true))
                                 .select(-1, c.memorizing_top_k - 1)
                                 .unsqueeze(-1);
    scores = scores + hide(scores.detach().ge(least));
    const at::Tensor outside = at::softmax(scores, -1).matmul(v).transpose(1, 2);
    const at::Tensor share =
        at::sigmoid(w.gate).view({heads, 1}) * far.any(1).to(at::kFloat).view({length, 1, 1});
    return at::linear((local * (1 - share) + outside * share).flatten(2), attention.out);
}

TEST(memorizing, layer_equals_whole_matrices_with_gradients) {
    for (const int64_t groups : {2, 1}) {
        ModelConfig c = memorizing_config();
        c.n_kv_heads = groups;
        const RptModel model(c, 3);
        const RopeTable rope(c, at::kCPU);
        const LayerWeights& layer = model.weights().layers[2];
        const std::vector<at::Tensor> leaves = {
            at::randn({2, 6 * c.stride, c.dim}).requires_grad_(true), layer.memorizing->scale,
            layer.memorizing->gate, layer.attention.qkv, layer.attention.out};
        const at::Tensor upstream = at::randn({2, 6 * c.stride, c.dim});
        std::vector<at::Tensor> outputs;
        std::vector<std::vector<at::Tensor>> gradients;
        for (const bool slow : {false, true}) {
            const auto f = slow ? memorizing_attention_slow : memorizing_attention;
            outputs.push_back(f(c, layer.attention, *layer.memorizing, rope, leaves[0]));
            outputs.back().backward(upstream);
            gradients.emplace_back();
            for (const at::Tensor& leaf : leaves) {
                gradients.back().push_back(leaf.grad().clone());
                leaf.mutable_grad().reset();
            }
        }
        EXPECT_LT((outputs[0] - outputs[1]).abs().max().item<double>(), 1e-5);
        for (size_t i = 0; i < leaves.size(); ++i) {
            EXPECT_LT((gradients[0][i] - gradients[1][i]).abs().max().item<double>(), 1e-4) << i;
        }
    }
}

TEST(memorizing, empty_memory_leaves_attention_unmixed) {
    const ModelConfig c = memorizing_config();
    const RptModel model(c, 3);
    const RopeTable rope(c, at::kCPU);
    const LayerWeights& layer = model.weights().layers[2];
    const at::Tensor x = at::randn({1, 3 * c.stride, c.dim});
    const at::Tensor mixed = memorizing_attention(c, layer.attention, *layer.memorizing, rope, x);
    const at::Tensor plain = block_attention(c, layer.attention, rope, x);
    const at::Tensor apart = (mixed - plain)[0].abs().amax(-1);
    EXPECT_LT(apart.narrow(0, 0, 2 * c.stride).max().item<double>(), 1e-6);
    EXPECT_GT(apart.narrow(0, 2 * c.stride, c.stride).min().item<double>(), 1e-4);
}

// The memory is longer than what layers of windows see, and ends where its size says.
TEST(memorizing, reaches_back_as_far_as_its_size_and_carries_no_gradient) {
    ModelConfig c = memorizing_config();
    c.memorizing_top_k = c.memorizing_tokens;  // all that is kept is read
    const RptModel model(c, 3);
    const RopeTable rope(c, at::kCPU);
    const LayerWeights& layer = model.weights().layers[2];
    const at::Tensor x = at::randn({1, 6 * c.stride, c.dim}).requires_grad_(true);
    const auto last_block = [&](const at::Tensor& from) {
        return memorizing_attention(c, layer.attention, *layer.memorizing, rope, from)
            .narrow(1, 5 * c.stride, c.stride);
    };
    const at::Tensor before = last_block(x);
    before.sum().backward();
    const at::Tensor reached = x.grad()[0].abs().sum(-1).gt(0);
    const int64_t end = 4 * c.stride, first = end - c.memorizing_tokens;
    for (int64_t p = 0; p < end; ++p) {
        at::Tensor changed = x.detach().clone();
        changed[0][p].mul_(-1);
        const double moved = (last_block(changed) - before).abs().max().item<double>();
        EXPECT_EQ(moved > 1e-6, p >= first) << p;
        EXPECT_FALSE(reached[p].item<bool>()) << p;
    }
}

TEST(memorizing, adds_a_scale_and_a_gate_for_each_head) {
    const ModelConfig c = memorizing_config();
    ModelConfig plain = c;
    plain.memorizing_layers.clear();
    const RptModel with(c, 3), without(plain, 3);
    EXPECT_EQ(with.parameters().size(), without.parameters().size() + 2);
    for (const auto& [name, t] : without.parameters()) {
        for (const auto& [other, same] : with.parameters()) {
            EXPECT_TRUE(name != other || t.equal(same)) << name;
        }
    }
    EXPECT_EQ(with.weights().layers[2].memorizing->scale.numel(), c.n_heads);
    EXPECT_EQ(with.weights().layers[2].memorizing->gate.numel(), c.n_heads);
}

}  // namespace
}  // namespace rpt::model
