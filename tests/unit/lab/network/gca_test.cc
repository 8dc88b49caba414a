// Scores in cross-attention (arXiv 2410.01651): what they weigh, and what gradient they get.
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lab/network/cross_attention.h"
#include "lab/network/dense_memory.h"
#include "lab/network/layers.h"
#include "lab/network/neighbour_weights.h"
#include "lab/network/retriever.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

double max_difference(const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
}

ModelConfig variant(const std::string& wanted) {
    for (const auto& [name, c] : weighed_variants()) {
        if (name == wanted) return c;
    }
    throw std::runtime_error("no variant " + wanted);
}

constexpr int64_t kBlocks = 6;

at::Tensor hidden_of(const RptModel& model, const at::Tensor& neighbours, int64_t batch = 1) {
    return model.upper(model.lower(tiny_tokens(model.config(), batch, kBlocks * 8)), neighbours);
}

TEST(gca, order_of_neighbours_does_not_matter_nor_does_a_masked_one) {
    const c10::NoGradGuard no_grad;
    for (const auto& [name, c] : weighed_variants()) {
        if (!c.scores_weigh()) continue;  // a gate tells ranks apart
        const RptModel model(c, 3);
        const at::Tensor n = tiny_neighbours(c, 1, 2 * kBlocks, 3);
        const at::Tensor plain = hidden_of(model, n);
        EXPECT_LT(max_difference(plain, hidden_of(model, n.flip(2))), 1e-5) << name;
        const at::Tensor more = at::cat({n, at::full({1, 2 * kBlocks, 2}, -1, at::kLong)}, 2);
        EXPECT_LT(max_difference(plain, hidden_of(model, more)), 1e-5) << name;
    }
}

TEST(gca, all_weight_on_one_neighbour_reads_as_that_neighbour_alone) {
    const c10::NoGradGuard no_grad;
    for (const CcaOptOut opt_out : {CcaOptOut::kNullKv, CcaOptOut::kZeroSlot}) {
        ModelConfig c = variant("gca"), joint = tiny_config();
        c.cca_opt_out = joint.cca_opt_out = opt_out;
        const RptModel model(c, 3);
        const RopeTable rope(c, at::kCPU);
        const auto& w = *model.weights().layers.back().cross;
        const at::Tensor states = at::randn({1, 6, c.chunk, c.dim});
        const at::Tensor three = at::tensor({0, 1, 2}, at::kLong).view({1, 1, 3}).expand({1, 6, 3});
        const at::Tensor one = three.narrow(2, 1, 1);
        const Neighbours of_three = gather_neighbours(states, three);
        const Neighbours of_one = gather_neighbours(states, one);
        MemoryUse use = use_of_memory(c, of_three.present, at::zeros({6, 3}));
        use.weights = at::tensor({0.f, 1.f, 0.f}).expand({6, 3});
        const at::Tensor q = at::randn({6, c.chunk, c.n_heads, c.head_dim});
        const at::Tensor weighed = read_memory(q, project_memory(c, w, rope, of_three, {}, use));
        const at::Tensor alone = read_memory(
            q, project_memory(joint, w, rope, of_one, {}, use_of_memory(joint, of_one.present)));
        EXPECT_LT(max_difference(weighed, alone), 1e-5);
    }
}

TEST(gca, biases_of_zero_are_the_joint_softmax) {
    const c10::NoGradGuard no_grad;
    ModelConfig c = variant("gca_bias"), joint = c;
    joint.cca_fuse = CcaFuse::kJoint;
    const RptModel model(c, 3);
    const RopeTable rope(c, at::kCPU);
    const auto& w = *model.weights().layers.back().cross;
    const Neighbours n{at::randn({5, 2, 2 * c.chunk, c.dim}),
                       at::rand({5, 2, 2 * c.chunk}).gt(0.3)};
    const at::Tensor q = at::randn({5, c.chunk, c.n_heads, c.head_dim});
    const auto read = [&](const ModelConfig& config, const at::Tensor& scores) {
        return read_memory(
            q, project_memory(config, w, rope, n, {}, use_of_memory(config, n.present, scores)));
    };
    EXPECT_LT(max_difference(read(c, at::zeros({5, 2})), read(joint, {})), 1e-6);
    EXPECT_GT(max_difference(read(c, at::ones({5, 2})), read(joint, {})), 1e-3);
}

TEST(gca, weights_are_those_of_the_formula_and_zero_without_neighbours) {
    const at::Tensor scores = at::tensor({1.f, 2.f, -1.f, 80.f, 0.f, 3.f}).view({3, 2});
    const at::Tensor valid = at::tensor({1, 1, 1, 0, 0, 0}).view({3, 2}).gt(0);
    for (const bool sink : {true, false}) {
        at::Tensor null = at::full({1}, 0.5f).requires_grad_(true);
        at::Tensor s = scores.clone().requires_grad_(true);
        const at::Tensor w = neighbour_weights(s, valid, sink ? null : at::Tensor());
        const double sigma = sink ? std::exp(0.5) : 0.0;
        const double sum = std::exp(1.0) + std::exp(2.0) + sigma;
        EXPECT_NEAR(w[0][0].item<double>(), std::exp(1.0) / sum, 1e-6);
        EXPECT_NEAR(w[0][1].item<double>(), std::exp(2.0) / sum, 1e-6);
        EXPECT_NEAR(w[1][0].item<double>(), std::exp(-1.0) / (std::exp(-1.0) + sigma), 1e-6);
        EXPECT_EQ(w[1][1].item<double>(), 0.0);
        EXPECT_EQ(w[2].abs().sum().item<double>(), 0.0);
        w.square().sum().backward();
        EXPECT_TRUE(s.grad().isfinite().all().item<bool>());
        EXPECT_EQ(s.grad()[2].abs().sum().item<double>(), 0.0);
        EXPECT_EQ(s.grad()[1][1].item<double>(), 0.0);
    }
}

// Plain loops over tokens, neighbours and heads, from the definition (beyond the paper: zero slot,
// sink, value of the next token).
at::Tensor slow_read(const ModelConfig& c, const CrossAttentionWeights& w, const RopeTable& rope,
                     const at::Tensor& q, const at::Tensor& states, const at::Tensor& indices,
                     const at::Tensor& weights) {
    const int64_t batch = indices.size(0), l = indices.size(1), m = c.chunk;
    at::Tensor out = at::zeros({batch * l, m, c.n_heads * c.head_dim});
    for (int64_t b = 0; b < batch; ++b) {
        for (int64_t i = 0; i < l; ++i) {
            for (int64_t k = 0; k < indices.size(2); ++k) {
                const int64_t j = indices[b][i][k].item<int64_t>();
                if (j < 0) continue;
                const int64_t document = (b + j / l) % batch, chunk = j % l;
                at::Tensor both = states[document][chunk];
                if (chunk + 1 < l) both = at::cat({both, states[document][chunk + 1]});
                const at::Tensor kv = project_chunks(c, w, both);  // [n, 2, H, d_h]
                at::Tensor key = kv.select(1, 0), value = kv.select(1, 1);
                if (c.cca_position == CcaPosition::kRope) key = rope.rotate(key.unsqueeze(0), 0)[0];
                if (c.cca_value_shift)
                    value = at::cat({value.slice(0, 1), at::zeros_like(value.slice(0, 0, 1))});
                const at::Tensor null_k = null_or_zeros(c, w.null_key, key).unsqueeze(0);
                const at::Tensor null_v = null_or_zeros(c, w.null_value, value).unsqueeze(0);
                const at::Tensor read =
                    attend_slow(q[b * l + i].unsqueeze(0), at::cat({null_k, key}).unsqueeze(0),
                                at::cat({null_v, value}).unsqueeze(0))[0];
                out[b * l + i].add_(weights[b * l + i][k] * read);
            }
        }
    }
    return out;
}

at::Tensor foreign_neighbours(int64_t batch, int64_t l, int64_t k) {
    at::manual_seed(8);
    return at::randint(-1, batch * l, {batch, l, k}, at::kLong);
}

TEST(gca, gathered_and_dense_reading_equal_plain_loops) {
    const c10::NoGradGuard no_grad;
    for (const auto& [name, c] : weighed_variants()) {
        if (c.cca_fuse != CcaFuse::kWeighted) continue;
        const RptModel model(c, 3);
        const RopeTable rope(c, at::kCPU);
        const auto& w = *model.weights().layers.back().cross;
        const int64_t batch = 3, l = 6;
        const at::Tensor states = at::randn({batch, l, c.chunk, c.dim});
        const at::Tensor q = 3 * at::randn({batch * l, c.chunk, c.n_heads, c.head_dim});
        for (const bool foreign : {false, true}) {
            at::Tensor indices = foreign_neighbours(batch, l, 5);
            if (!foreign) indices = at::where(indices.ge(0), indices.remainder(l), indices);
            const at::Tensor scores = at::randn({batch * l, 5});
            const at::Tensor present = present_tokens(indices, c.chunk);
            const MemoryUse use = use_of_memory(c, present, scores, at::zeros({1}));
            const at::Tensor slow = slow_read(c, w, rope, q, states, indices, use.weights);
            at::Tensor nothing, nothing_dense;
            const MemoryKv memory = project_gathered(
                c, w, rope, project_chunks(c, w, states.flatten(0, 1)), indices, present, use);
            EXPECT_LT(max_difference(read_memory(q, memory, &nothing), slow), 2e-5) << name;
            const Neighbours n = gather_neighbours(states, indices);
            EXPECT_LT(max_difference(read_memory(q, project_memory(c, w, rope, n, {}, use)), slow),
                      2e-5)
                << name;
            if (c.cca_position != CcaPosition::kNone) continue;
            const at::Tensor by_chunk = weights_by_chunk(indices, use.weights);
            EXPECT_EQ(by_chunk.size(0), foreign ? 1 : batch);
            EXPECT_LT(max_difference(read_dense(c, w, q, states, by_chunk, &nothing_dense), slow),
                      2e-5)
                << name;
            EXPECT_NEAR(nothing.item<double>(), nothing_dense.item<double>(), 1e-5);
        }
    }
}

TEST(gca, dense_reading_has_the_gradients_of_gathered_reading) {
    for (const char* name : {"gca", "gca_null_kv_bypass_cosine", "gca_usual_start"}) {
        const ModelConfig c = variant(name);
        const RptModel model(c, 3);
        const RopeTable rope(c, at::kCPU);
        const auto& w = *model.weights().layers.back().cross;
        const int64_t batch = 2, l = 5;
        const at::Tensor indices = foreign_neighbours(batch, l, 6);
        const at::Tensor present = present_tokens(indices, c.chunk);
        std::vector<at::Tensor> results;
        for (const bool dense : {false, true}) {
            at::manual_seed(4);
            at::Tensor states = at::randn({batch, l, c.chunk, c.dim}).requires_grad_(true);
            at::Tensor q =
                at::randn({batch * l, c.chunk, c.n_heads, c.head_dim}).requires_grad_(true);
            at::Tensor scores = at::randn({batch * l, 6}).requires_grad_(true);
            const MemoryUse use = use_of_memory(c, present, scores, at::zeros({1}));
            const at::Tensor out =
                dense ? read_dense(c, w, q, states, weights_by_chunk(indices, use.weights))
                      : read_memory(q, project_gathered(c, w, rope,
                                                        project_chunks(c, w, states.flatten(0, 1)),
                                                        indices, present, use));
            out.square().sum().backward();
            results.push_back(at::cat({states.grad().flatten(), q.grad().flatten(),
                                       scores.grad().flatten(), w.key_value.grad().flatten()}));
            w.key_value.mutable_grad().reset();
        }
        EXPECT_TRUE(results[1].isfinite().all().item<bool>());
        EXPECT_LT(max_difference(results[0], results[1]), 1e-4) << name;
    }
}

TEST(gca, far_logits_stay_finite_in_dense_reading) {
    const ModelConfig c = variant("gca");
    const RptModel model(c, 3);
    const auto& w = *model.weights().layers.back().cross;
    at::manual_seed(4);
    at::Tensor states = at::randn({1, 4, c.chunk, c.dim}).requires_grad_(true);
    at::Tensor q = (400 * at::randn({4, c.chunk, c.n_heads, c.head_dim})).requires_grad_(true);
    const at::Tensor indices = at::tensor({-1, -1, 0, -1, 0, 1, 2, 3}, at::kLong).view({1, 4, 2});
    const MemoryUse use = use_of_memory(c, present_tokens(indices, c.chunk), at::randn({4, 2}));
    const at::Tensor out = read_dense(c, w, q, states, weights_by_chunk(indices, use.weights));
    EXPECT_TRUE(out.isfinite().all().item<bool>());
    EXPECT_EQ(out[0].abs().max().item<double>(), 0.0);
    out.sum().backward();
    EXPECT_TRUE(q.grad().isfinite().all().item<bool>());
    EXPECT_TRUE(states.grad().isfinite().all().item<bool>());
}

TEST(gca, chunks_without_neighbours_read_zero_with_finite_gradients) {
    for (const auto& [name, c] : weighed_variants()) {
        if (c.cca_fuse != CcaFuse::kWeighted) continue;
        const RptModel model(c, 3);
        const RopeTable rope(c, at::kCPU);
        const auto& w = *model.weights().layers.back().cross;
        const at::Tensor indices = at::full({1, 4, 2}, -1, at::kLong);
        const at::Tensor present = present_tokens(indices, c.chunk);
        at::Tensor scores = at::randn({4, 2}).requires_grad_(true);
        at::Tensor x = at::randn({1, 4 * c.chunk, c.dim}).requires_grad_(true);
        const at::Tensor out = chunked_cross_attention(
            c, w, rope, x,
            project_gathered(
                c, w, rope, project_chunks(c, w, at::randn({4, c.chunk, c.dim})), indices, present,
                use_of_memory(c, present, scores, model.weights().retriever->null_score)));
        EXPECT_EQ(out.abs().max().item<double>(), 0.0) << name;
        out.sum().backward();
        EXPECT_TRUE(scores.grad().isfinite().all().item<bool>()) << name;
        EXPECT_TRUE(x.grad().isfinite().all().item<bool>()) << name;
    }
}

TEST(gca, one_neighbour_without_a_sink_trains_no_retriever) {
    for (const int64_t k : {1, 3}) {
        const ModelConfig c = variant("gca_no_sink_rope_outputs");
        const RptModel model(c, 3);
        const at::Tensor tokens = tiny_tokens(c, 1, kBlocks * c.stride);
        const at::Tensor neighbours = tiny_neighbours(c, 1, 2 * kBlocks, k);
        model.token_nll(model.upper(model.lower(tokens), neighbours), tokens).mean().backward();
        for (const at::Tensor& t :
             {model.weights().retriever->query, model.weights().retriever->key}) {
            EXPECT_EQ(t.grad().abs().max().item<double>() > 0, k > 1);
        }
    }
}

TEST(gca, gradients_of_the_retriever_match_finite_differences) {
    for (const auto& [name, c] : weighed_variants()) {
        if (!c.scores_weigh()) continue;
        const RptModel model(c, 3);
        const at::Tensor tokens = tiny_tokens(c, 2, kBlocks * c.stride);
        // enough for the dense reading, some of them another document's
        at::Tensor neighbours = tiny_neighbours(c, 2, 2 * kBlocks, 6);
        neighbours = at::where(neighbours.eq(1), neighbours + 2 * kBlocks, neighbours);
        const auto loss = [&] {
            return model.token_nll(model.upper(model.lower(tokens), neighbours), tokens).mean();
        };
        loss().backward();
        for (const auto& [parameter, t] : model.parameters()) {
            if (!parameter.starts_with("memory.")) continue;
            // what moves keys moves the idf of their features too, which counts as given
            if (c.key_features > 0 && !parameter.starts_with("memory.query")) continue;
            const c10::NoGradGuard no_grad;
            const double norm = t.grad().norm().item<double>();
            if (norm < 1e-4) continue;
            const double size = 0.03;
            const at::Tensor step = t.grad() * (size / norm);
            at::Tensor p = t.detach();
            p.add_(step);
            const double up = loss().item<double>();
            p.sub_(step * 2);
            const double down = loss().item<double>();
            p.add_(step);
            EXPECT_NEAR((up - down) / (2 * size), norm, 0.05 * norm + 1e-4)
                << name << " " << parameter;
        }
    }
}

TEST(gca, foreign_indices_read_the_other_documents_chunks) {
    const at::Tensor states = at::arange(3 * 4, at::kFloat).view({3, 4, 1, 1});
    const at::Tensor indices =
        at::tensor({5, 3, 8, -1, 0, 4, 7, 9, 6, 2, 11, 1}, at::kLong).view({3, 4, 1});
    const Neighbours n = gather_neighbours(states, indices);
    const float first[] = {5, 3, 8, 0, 4, 8, 11, 1, 2, 10, 7, 9};
    for (int64_t row = 0; row < 12; ++row) {
        if (row == 3) continue;
        EXPECT_EQ(n.states[row][0][0].item<float>(), first[row]) << row;
        const bool last = static_cast<int64_t>(first[row]) % 4 == 3;
        EXPECT_EQ(n.present[row][0][1].item<bool>(), !last) << row;
        if (!last) {
            EXPECT_EQ(n.states[row][0][1].item<float>(), first[row] + 1) << row;
        }
    }
    EXPECT_FALSE(n.present[3].any().item<bool>());
    const ModelConfig c = variant("gca");
    const at::Tensor keys = at::randn({3, 4, c.dim}), queries = at::randn({3, 4, c.dim});
    const at::Tensor scores = chosen_scores(c, queries, keys, indices);
    for (int64_t row = 0; row < 12; ++row) {
        if (row == 3) continue;
        const at::Tensor key = keys.flatten(0, 1)[static_cast<int64_t>(first[row])];
        EXPECT_NEAR(scores[row][0].item<double>(),
                    (queries.flatten(0, 1)[row] * key).sum().item<double>() / std::sqrt(c.dim),
                    1e-5);
    }
}

TEST(gca, score_norms_bound_keys_and_scores) {
    const c10::NoGradGuard no_grad;
    for (const ScoreNorm norm : {ScoreNorm::kInputs, ScoreNorm::kOutputs, ScoreNorm::kCosine}) {
        ModelConfig c = tiny_config();
        c.score_norm = norm;
        c.score_temperature = 0.25;
        const RptModel model(c, 3);
        const LowerOutput low = model.lower(tiny_tokens(c, 2, 4 * c.stride));
        const at::Tensor lengths = low.keys.norm(2, {-1});
        const at::Tensor scores = model.retrieval_scores(low);
        if (norm == ScoreNorm::kOutputs) {
            EXPECT_LT((lengths - std::sqrt(c.dim)).abs().max().item<double>(), 1e-4);
        }
        if (norm == ScoreNorm::kCosine) {
            EXPECT_LT((lengths - 1).abs().max().item<double>(), 1e-5);
            EXPECT_LE(scores.abs().max().item<double>(), 1 / 0.25 + 1e-4);
            const at::Tensor query = low.queries[1][2], key = low.keys[1][0];
            EXPECT_NEAR(scores[1][2][0].item<double>(),
                        ((query / query.norm()) * key).sum().item<double>() / 0.25, 1e-5);
        }
        EXPECT_NEAR(scores[0][3][1].item<double>(),
                    (low.queries[0][3] * low.keys[0][1]).sum().item<double>() * score_scale(c),
                    1e-5);
    }
}

// bf16 products all around, as on an accelerator: scores keep fp32's digits.
TEST(gca, scores_stay_fp32_under_autocast) {
    for (const auto& [name, c] : weighed_variants()) {
        const RptModel model(c, 3);
        const at::Tensor tokens = tiny_tokens(c, 2, kBlocks * c.stride);
        at::autocast::set_autocast_enabled(at::kCPU, true);
        at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
        const LowerOutput low = model.lower(tokens);
        const at::Tensor scores = model.retrieval_scores(low);
        std::vector<at::Tensor> losses;
        for (const int64_t k : {2, 6}) {  // gathered and dense
            const at::Tensor hidden = model.upper(low, tiny_neighbours(c, 2, 2 * kBlocks, k));
            losses.push_back(model.token_nll(hidden, tokens).to(at::kFloat).mean());
        }
        at::autocast::clear_cache();
        at::autocast::set_autocast_enabled(at::kCPU, false);
        EXPECT_EQ(scores.scalar_type(), at::kFloat) << name;
        const at::Tensor exact =
            at::bmm(low.queries.to(at::kFloat), low.keys.to(at::kFloat).transpose(1, 2)) *
            score_scale(c);
        EXPECT_LT(max_difference(scores, exact), 1e-5) << name;
        (losses[0] + losses[1]).backward();
        for (const auto& [parameter, t] : model.parameters()) {
            if (!t.grad().defined()) continue;
            EXPECT_TRUE(t.grad().isfinite().all().item<bool>()) << name << " " << parameter;
        }
    }
}

}  // namespace
}  // namespace rpt::model
