#include "lab/network/block_recurrent.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lab/network/block_attention.h"
#include "lab/network/layers.h"
#include "lab/network/model_weights.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

ModelConfig recurrent_config() {
    for (const auto& [name, c] : tiny_variants()) {
        if (name == "block_recurrent") return c;
    }
    return {};
}

// One document, one head and one query at a time.
class PlainTwin {
  public:
    PlainTwin(const ModelConfig& c, const SelfAttentionWeights& attention,
              const RecurrentWeights& w, const RopeTable& rope)
        : c_(c), attention_(attention), w_(w), rope_(rope) {}

    at::Tensor run(const at::Tensor& x) const {
        std::vector<at::Tensor> rows;
        for (int64_t b = 0; b < x.size(0); ++b) rows.push_back(document(x[b]));
        return at::stack(rows);
    }

  private:
    at::Tensor head_of(const at::Tensor& projected, int64_t head) const {
        return projected.narrow(-1, head * c_.head_dim, c_.head_dim);
    }
    // softmax over keys of scale * cosine
    at::Tensor read(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                    const at::Tensor& scale) const {
        std::vector<at::Tensor> rows;
        for (int64_t i = 0; i < queries.size(0); ++i) {
            const at::Tensor q = queries[i] / queries[i].norm();
            const at::Tensor cosine = at::mv(keys / keys.norm(2, {1}, true), q);
            rows.push_back(at::mv(values.t(), at::softmax(cosine * scale, 0)));
        }
        return at::stack(rows);
    }
    at::Tensor document(const at::Tensor& x) const {
        const int64_t width = c_.n_heads * c_.head_dim, kv = c_.n_kv_heads * c_.head_dim;
        const at::Tensor local = block_attention_slow(c_, attention_, rope_, x.unsqueeze(0))[0];
        const at::Tensor normed = rms_norm(x, attention_.norm, c_.norm_eps);
        const at::Tensor k = at::mm(normed, attention_.qkv.narrow(0, width, kv).t());
        const at::Tensor v = at::mm(normed, attention_.qkv.narrow(0, width + kv, kv).t());
        const at::Tensor readers = at::mm(normed, w_.token_query.t());
        const int64_t share = c_.n_heads / c_.n_kv_heads;
        at::Tensor z = w_.start;
        std::vector<at::Tensor> out;
        for (int64_t begin = 0; begin < x.size(0); begin += c_.stride) {
            const int64_t first = std::max<int64_t>(0, begin - c_.stride);
            const int64_t n = begin + c_.stride - first;
            const at::Tensor all =
                at::mm(rms_norm(z, w_.norm, c_.norm_eps) + w_.position, w_.state.t());
            const auto part = [&](int64_t i) { return all.narrow(1, i * width, width); };
            std::vector<at::Tensor> tokens_read, states_read, states_saw;
            for (int64_t h = 0; h < c_.n_heads; ++h) {
                const at::Tensor zk = head_of(part(0), h), zv = head_of(part(1), h);
                tokens_read.push_back(read(head_of(readers.narrow(0, begin, c_.stride), h), zk, zv,
                                           w_.read_scale[h]));
                states_read.push_back(read(head_of(part(2), h), zk, zv, w_.state_scale[h]));
                states_saw.push_back(
                    read(head_of(part(3), h), head_of(k.narrow(0, first, n), h / share),
                         head_of(v.narrow(0, first, n), h / share), w_.update_scale[h]));
            }
            out.push_back(local.narrow(0, begin, c_.stride) +
                          at::mm(at::cat(tokens_read, 1), w_.token_out.t()));
            states_read.insert(states_read.end(), states_saw.begin(), states_saw.end());
            const at::Tensor y = at::mm(at::cat(states_read, 1), w_.state_out.t());
            const at::Tensor g = at::sigmoid(w_.keep);
            z = g * z + (1 - g) * y;
        }
        return at::cat(out, 0);
    }

    const ModelConfig& c_;
    const SelfAttentionWeights& attention_;
    const RecurrentWeights& w_;
    const RopeTable& rope_;
};

TEST(block_recurrent, layer_equals_one_query_at_a_time_with_gradients) {
    for (const int64_t groups : {2, 1}) {
        ModelConfig c = recurrent_config();
        c.n_kv_heads = groups;
        const RptModel model(c, 3);
        const RopeTable rope(c, at::kCPU);
        const LayerWeights& layer = model.weights().layers[1];
        std::vector<std::pair<std::string, at::Tensor>> leaves = {
            {"x", at::randn({2, 4 * c.stride, c.dim}).requires_grad_(true)}};
        for (const auto& parameter : model.parameters()) {
            if (parameter.first.rfind("layers.1.recurrent", 0) == 0 ||
                parameter.first.rfind("layers.1.attention", 0) == 0)
                leaves.push_back(parameter);
        }
        const at::Tensor upstream = at::randn({2, 4 * c.stride, c.dim});
        std::vector<at::Tensor> outputs;
        std::vector<std::vector<at::Tensor>> gradients;
        for (const bool slow : {false, true}) {
            const at::Tensor& x = leaves[0].second;
            outputs.push_back(
                slow ? PlainTwin(c, layer.attention, *layer.recurrent, rope).run(x)
                     : recurrent_attention(c, layer.attention, *layer.recurrent, rope, x));
            outputs.back().backward(upstream);
            gradients.emplace_back();
            for (const auto& [name, leaf] : leaves) {
                gradients.back().push_back(leaf.grad().clone());
                leaf.mutable_grad().reset();
            }
        }
        EXPECT_LT((outputs[0] - outputs[1]).abs().max().item<double>(), 1e-5);
        for (size_t i = 0; i < leaves.size(); ++i) {
            const double size = gradients[1][i].abs().max().item<double>();
            EXPECT_GT(size, 0) << leaves[i].first;
            EXPECT_LT((gradients[0][i] - gradients[1][i]).abs().max().item<double>(),
                      1e-4 * (1 + size))
                << leaves[i].first;
        }
    }
}

// Spec 5.5: 8 d^2 + 2 n d, and the vectors that the count leaves out.
TEST(block_recurrent, adds_as_many_parameters_as_the_paper_counts) {
    ModelConfig c = recurrent_config();
    c.recurrent_layers = {3};
    ModelConfig plain = c;
    plain.recurrent_layers.clear();
    const RptModel with(c, 3), without(plain, 3);
    const auto count = [](const RptModel& model) {
        int64_t n = 0;
        for (const auto& [name, t] : model.parameters()) n += t.numel();
        return n;
    };
    const int64_t d = c.dim, n = c.recurrent_states, vectors = 2 * d + 3 * c.n_heads;
    EXPECT_EQ(count(with), count(without) + 8 * d * d + 2 * n * d + vectors);
    EXPECT_TRUE(with.weights().layers[3].ffn.out.equal(without.weights().layers[3].ffn.out));
}

TEST(block_recurrent, state_carries_what_windows_do_not_reach) {
    const ModelConfig c = recurrent_config();
    const RptModel model(c, 3);
    const RopeTable rope(c, at::kCPU);
    const LayerWeights& layer = model.weights().layers[1];
    const at::Tensor x = at::randn({1, 6 * c.stride, c.dim}).requires_grad_(true);
    recurrent_attention(c, layer.attention, *layer.recurrent, rope, x)
        .narrow(1, 5 * c.stride, c.stride)
        .square()
        .sum()
        .backward();
    EXPECT_TRUE(x.grad()[0].abs().sum(-1).gt(0).all().item<bool>());
}

}  // namespace
}  // namespace rpt::model
