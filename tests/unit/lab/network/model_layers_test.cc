#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

#include "lab/network/block_attention.h"
#include "lab/network/cross_attention.h"
#include "lab/network/float_products.h"
#include "lab/network/layers.h"
#include "lab/network/token_loss.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

double max_difference(const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
}

// Spec appendix A.10, in millions with two printed digits.
TEST(model, parameter_counts_match_the_published_ones) {
    const auto count = [](ModelConfig c, RetrievalKind kind, int64_t n_cca) {
        c.retrieval = kind;
        for (int64_t i = 0; i < n_cca; ++i) c.cca_layers.push_back(c.layers() - n_cca + i);
        ModelWeights weights;
        int64_t n = 0;
        for (const NamedSlot& slot : list_slots(c, weights)) {
            int64_t size = 1;
            for (const int64_t s : slot.shape) size *= s;
            n += size;
        }
        return static_cast<double>(n) / 1e6;
    };
    const auto shape = [](int64_t vocab, int64_t dim, int64_t layers, int64_t heads) {
        ModelConfig c;
        c.vocab = vocab;
        c.dim = dim;
        c.n_lower = c.n_upper = layers / 2;
        c.n_heads = c.n_kv_heads = heads;
        c.head_dim = dim / heads;
        c.ffn_dim = 4 * dim;
        return c;
    };
    const ModelConfig paper = shape(50277, 1024, 12, 8);
    EXPECT_NEAR(count(paper, RetrievalKind::kNone, 0), 202.50, 0.006);
    EXPECT_NEAR(count(paper, RetrievalKind::kGiven, 5), 236.08,
                0.03);  // the table leaves out norms
    EXPECT_NEAR(count(paper, RetrievalKind::kLambdaRank, 5), 242.38, 0.04);
    const ModelConfig middle = shape(16384, 384, 8, 6);
    EXPECT_NEAR(count(middle, RetrievalKind::kNone, 0), 20.45, 0.006);
    EXPECT_NEAR(count(middle, RetrievalKind::kGiven, 3), 24.00, 0.006);
    EXPECT_NEAR(count(middle, RetrievalKind::kLambdaRank, 3), 24.89, 0.006);
    const ModelConfig small = shape(8192, 256, 6, 4);
    EXPECT_NEAR(count(small, RetrievalKind::kNone, 0), 6.82, 0.006);
    EXPECT_NEAR(count(small, RetrievalKind::kGiven, 2), 8.13, 0.006);
    EXPECT_NEAR(count(small, RetrievalKind::kLambdaRank, 2), 8.53, 0.006);
}

// Spec appendix A.4.
TEST(model, cca_place_matches_the_golden_map) {
    const int64_t u[] = {-1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2};
    const int64_t position[] = {0, 0, 0, 3, 4, 5, 6, 3, 4, 5, 6, 3};
    for (int64_t p = 0; p < 12; ++p) {
        EXPECT_EQ(cca_place(p, 4).u, u[p]);
        EXPECT_EQ(cca_place(p, 4).position, position[p]);
    }
}

// Spec appendix A.9: which keys a query sees, read off the gradient.
TEST(model, block_attention_sees_the_past_block_and_its_own_past) {
    ModelConfig c = tiny_config();
    c.chunk = c.stride = 4;
    const RptModel model(c, 3);
    const RopeTable rope(c, at::kCPU);
    const at::Tensor x = at::randn({1, 12, c.dim}).requires_grad_(true);
    const at::Tensor y = block_attention(c, model.weights().layers[0].attention, rope, x);
    for (int64_t query = 0; query < 12; ++query) {
        y[0][query].sum().backward({}, true);
        const at::Tensor seen = x.grad()[0].abs().sum(-1).gt(0);
        for (int64_t key = 0; key < 12; ++key) {
            const bool wanted = key <= query && key >= (query / 4 - 1) * 4;
            EXPECT_EQ(seen[key].item<bool>(), wanted) << "query " << query << " key " << key;
        }
        x.mutable_grad().reset();
    }
}

TEST(model, block_attention_equals_the_whole_sequence_mask) {
    for (const auto& [name, c] : tiny_variants()) {
        const RptModel model(c, 3);
        roughen(model);
        const RopeTable rope(c, at::kCPU);
        const auto& w = model.weights().layers[0].attention;
        for (const int64_t length :
             {4 * c.stride, c.stride, c.chunk, 2 * c.stride + 4, 2 * c.stride, int64_t{9}}) {
            const at::Tensor x = at::randn({3, length, c.dim});
            EXPECT_LT(
                max_difference(block_attention(c, w, rope, x), block_attention_slow(c, w, rope, x)),
                1e-5)
                << name << " " << length;
        }
    }
}

// Which keys a query sees with a sink, read off the gradient.
TEST(model, block_attention_with_a_sink_always_sees_the_first_token) {
    ModelConfig c = tiny_config();
    c.chunk = c.stride = 4;
    c.sink = true;
    const RptModel model(c, 3);
    const RopeTable rope(c, at::kCPU);
    const at::Tensor x = at::randn({1, 16, c.dim}).requires_grad_(true);
    const at::Tensor y = block_attention(c, model.weights().layers[0].attention, rope, x);
    for (int64_t query = 0; query < 16; ++query) {
        y[0][query].sum().backward({}, true);
        const at::Tensor seen = x.grad()[0].abs().sum(-1).gt(0);
        for (int64_t key = 0; key < 16; ++key) {
            const bool near = key <= query && key >= (query / 4 - 1) * 4;
            EXPECT_EQ(seen[key].item<bool>(), near || key == 0) << query << " " << key;
        }
        x.mutable_grad().reset();
    }
}

// The definition: from block 2 on a token sees what it would see if the text were the first token,
// the block before and its own.
TEST(model, block_attention_with_a_sink_equals_full_attention_of_the_shortened_text) {
    for (const auto& [name, c] : frozen_variants()) {
        const RptModel model(c, 3);
        roughen(model);
        ModelConfig full = c;  // everything in one window
        full.stride = 64;
        const RopeTable rope(c, at::kCPU);
        const auto& w = model.weights().layers[0].attention;
        const int64_t s = c.stride;
        const at::Tensor x = at::randn({1, 5 * s, c.dim});
        const at::Tensor windowed = block_attention(c, w, rope, x);
        EXPECT_LT(max_difference(windowed.narrow(1, 0, 2 * s),
                                 block_attention_slow(full, w, rope, x.narrow(1, 0, 2 * s))),
                  1e-5)
            << name;
        for (int64_t block = 2; block < 5; ++block) {
            const at::Tensor text =
                at::cat({x.narrow(1, 0, 1), x.narrow(1, (block - 1) * s, 2 * s)}, 1);
            EXPECT_LT(max_difference(windowed.narrow(1, block * s, s),
                                     block_attention_slow(full, w, rope, text).narrow(1, s + 1, s)),
                      1e-5)
                << name << " block " << block;
        }
    }
}

// Formulas of docs/format/model.md, pair by pair.
TEST(model, rotary_angles_are_scaled_as_their_page_says) {
    ModelConfig c = tiny_config();
    c.rope_theta = 5e5;
    const auto angle_of = [&](int64_t pair) {
        return rotary_factors(c, 1, 1)[0][pair].item<c10::complex<float>>();
    };
    std::vector<double> plain;
    for (int64_t k = 0; k < c.head_dim / 2; ++k)
        plain.push_back(std::pow(c.rope_theta, -2.0 * static_cast<double>(k) / 16));
    const auto expect_turn = [&](int64_t pair, double turn) {
        EXPECT_NEAR(angle_of(pair).real(), std::cos(turn), 1e-6);
        EXPECT_NEAR(angle_of(pair).imag(), std::sin(turn), 1e-6);
    };
    c.rope_factor = 8;
    c.rope_scaling = RopeScaling::kLinear;
    for (size_t k = 0; k < plain.size(); ++k) expect_turn(static_cast<int64_t>(k), plain[k] / 8);
    c.rope_scaling = RopeScaling::kLlama3;
    c.rope_original_context = 64;
    int kept = 0, divided = 0, mixed = 0;
    for (size_t k = 0; k < plain.size(); ++k) {
        const double turns = 64 * plain[k] / (2 * 3.14159265358979);
        double turn = plain[k];
        if (turns < 1) {
            turn /= 8;
            ++divided;
        } else if (turns <= 4) {
            const double s = (turns - 1) / 3;
            turn = (1 - s) * turn / 8 + s * turn;
            ++mixed;
        } else {
            ++kept;
        }
        expect_turn(static_cast<int64_t>(k), turn);
    }
    EXPECT_TRUE(kept > 0 && divided > 0 && mixed > 0) << kept << divided << mixed;
}

TEST(model, attend_equals_its_plain_twin_with_and_without_a_mask) {
    const at::Tensor q = at::randn({3, 5, 4, 8}), k = at::randn({3, 9, 2, 8}),
                     v = at::randn({3, 9, 2, 8});
    EXPECT_LT(max_difference(attend(q, k, v), attend_slow(q, k, v)), 1e-5);
    at::Tensor visible = at::rand({3, 1, 1, 9}).gt(0.5);
    visible.select(3, 0).fill_(true);
    const at::Tensor mask = additive_mask(visible);
    EXPECT_LT(max_difference(attend(q, k, v, mask), attend_slow(q, k, v, mask)), 1e-5);
    // every shape that a mask may have, for heads that share keys and heads that do not
    for (const int64_t groups : {1, 2, 4}) {
        const at::Tensor keys = at::randn({3, 9, groups, 8}), values = at::randn({3, 9, groups, 8});
        for (const std::vector<int64_t>& shape :
             {std::vector<int64_t>{5, 9}, {1, 1, 5, 9}, {3, 1, 5, 9}, {3, 4, 5, 9}, {1, 4, 1, 9}}) {
            const at::Tensor numbers = at::randn(shape);
            EXPECT_LT(max_difference(attend(q, keys, values, numbers),
                                     attend_slow(q, keys, values, numbers)),
                      1e-5)
                << groups << " " << shape.size();
        }
    }
}

// The same twins with the products that programs switch on; later tests of this program run with
// them too.
TEST(model, attend_by_batched_products_equals_its_plain_twin_with_gradients) {
    use_fast_float_products();
    for (const bool masked : {false, true}) {
        at::Tensor visible = at::rand({3, 1, 1, 9}).gt(0.5);
        visible.select(3, 0).fill_(true);
        const at::Tensor mask = masked ? additive_mask(visible) : at::Tensor();
        std::vector<at::Tensor> results;
        for (const bool fast : {true, false}) {
            at::manual_seed(4);
            at::Tensor q = at::randn({3, 5, 4, 8}).requires_grad_(true);
            at::Tensor k = at::randn({3, 9, 2, 8}).requires_grad_(true);
            at::Tensor v = at::randn({3, 9, 2, 8}).requires_grad_(true);
            const at::Tensor out = fast ? attend(q, k, v, mask) : attend_slow(q, k, v, mask);
            out.square().sum().backward();
            results.push_back(at::cat(
                {out.flatten(), q.grad().flatten(), k.grad().flatten(), v.grad().flatten()}));
        }
        EXPECT_LT(max_difference(results[0], results[1]), 1e-4);
    }
}

TEST(model, rotation_depends_on_the_distance_alone) {
    for (const RopePairing pairing : {RopePairing::kInterleaved, RopePairing::kHalves}) {
        ModelConfig c = tiny_config();
        c.rope_pairing = pairing;
        const at::Tensor q = at::randn({1, 1, c.head_dim}), k = at::randn({1, 1, c.head_dim});
        const auto score = [&](int64_t query, int64_t key) {
            return (rotate(q, rotary_factors(c, query, 1), pairing) *
                    rotate(k, rotary_factors(c, key, 1), pairing))
                .sum()
                .item<double>();
        };
        EXPECT_NEAR(score(7, 3), score(1000007, 1000003), 1e-4);
        EXPECT_GT(std::abs(score(7, 3) - score(8, 3)), 1e-4);
    }
}

TEST(model, cross_attention_in_groups_equals_token_by_token) {
    for (const auto& [name, c] : tiny_variants()) {
        if (!c.has_cca() || !c.carry_neighbours) continue;
        const RptModel model(c, 3);
        const RopeTable rope(c, at::kCPU);
        const auto& w = *model.weights().layers.back().cross;
        const int64_t length = 3 * c.stride, m = c.chunk, chunks = length / m;
        const at::Tensor x = at::randn({1, length, c.dim});
        Neighbours n{at::randn({chunks, 2, 2 * m, c.dim}), at::rand({chunks, 2, 2 * m}).gt(0.3)};
        const at::Tensor multiplier = at::rand({chunks, 2});
        const MemoryKv memory =
            project_memory(c, w, rope, n, multiplier, use_of_memory(c, n.present));
        const at::Tensor fast = chunked_cross_attention(c, w, rope, x, memory);
        for (int64_t p = 0; p < length; ++p) {
            const CcaPlace place = cca_place(p, m);
            at::Tensor slow = at::zeros({c.dim});
            if (place.u >= 0) {
                const at::Tensor q = memory_queries(c, w, rope, x.narrow(1, p, 1), place.position);
                slow = at::linear(
                    attend_slow(q, memory.k.narrow(0, place.u, 1), memory.v.narrow(0, place.u, 1),
                                memory.mask.narrow(0, place.u, 1)),
                    w.out)[0][0];
            }
            EXPECT_LT(max_difference(fast[0][p], slow), 1e-5) << name << " token " << p;
        }
    }
}

TEST(model, sliced_loss_equals_the_whole_one_with_gradients) {
    const at::Tensor targets = at::randint(-1, 19, {23}, at::kLong);
    for (const bool uniform : {true, false}) {
        at::Tensor h1 = at::randn({23, 8}).requires_grad_(true),
                   w1 = at::randn({19, 8}).requires_grad_(true);
        at::Tensor h2 = h1.detach().clone().requires_grad_(true),
                   w2 = w1.detach().clone().requires_grad_(true);
        const at::Tensor weight = uniform ? at::full({23}, 0.3) : at::rand({23});
        const at::Tensor fast = token_loss(h1, w1, targets, 0.7, 5);
        const at::Tensor slow = token_loss_slow(h2, w2, targets, 0.7);
        EXPECT_LT(max_difference(fast, slow), 1e-5);
        (fast * weight).sum().backward();
        (slow * weight).sum().backward();
        EXPECT_LT(max_difference(h1.grad(), h2.grad()), 1e-5);
        EXPECT_LT(max_difference(w1.grad(), w2.grad()), 1e-5);
        const c10::NoGradGuard no_grad;
        EXPECT_LT(max_difference(token_loss(h1, w1, targets, 0.7, 5), slow), 1e-5);
    }
}

TEST(model, sliced_loss_is_exact_where_the_probability_vanishes) {
    at::Tensor hidden = at::eye(3) * 200.0;
    hidden.requires_grad_(true);
    const at::Tensor output = at::eye(3), targets = at::tensor({1, 1, -1}, at::kLong);
    const at::Tensor nll = token_loss(hidden, output, targets, 1.0, 2);
    EXPECT_EQ(max_difference(nll, at::tensor({200.0f, 0.0f, 0.0f})), 0.0);
    nll.sum().backward();
    const at::Tensor slope = at::tensor({1.0f, -1.0f, 0.0f});
    EXPECT_EQ(max_difference(hidden.grad()[0], slope), 0.0);
    EXPECT_EQ(hidden.grad().slice(0, 1).abs().max().item<float>(), 0.0);
}

TEST(model, per_chunk_projection_equals_per_neighbour_projection) {
    const ModelConfig c = tiny_config();
    const RptModel model(c, 3);
    const RopeTable rope(c, at::kCPU);
    const at::Tensor states = at::randn({2, 8, c.chunk, c.dim});
    const at::Tensor indices = tiny_neighbours(c, 2, 8, 2);
    const Neighbours n = gather_neighbours(states, indices);
    const at::Tensor asking = at::randn({16, c.chunk, c.dim});
    EXPECT_LT(
        max_difference(augment_neighbours(c, model.weights(), rope, n, asking),
                       augment_gathered(c, model.weights(), rope, n, states, indices, asking)),
        1e-5);
}

TEST(model, gather_gives_the_chunk_and_its_successor) {
    const at::Tensor states = at::arange(2 * 4 * 2, at::kFloat).view({2, 4, 2, 1});
    const at::Tensor indices = at::tensor({-1, 0, 3, 2, 1, -1, 2, 0}, at::kLong).view({2, 4, 1});
    const Neighbours n = gather_neighbours(states, indices);
    const auto row = [&](int64_t i) { return n.states[i][0].flatten(); };
    EXPECT_TRUE(row(1).equal(at::tensor({0.f, 1.f, 2.f, 3.f})));
    EXPECT_TRUE(row(3).equal(at::tensor({4.f, 5.f, 6.f, 7.f})));
    EXPECT_TRUE(row(6).equal(at::tensor({12.f, 13.f, 14.f, 15.f})));
    EXPECT_FALSE(n.present[0].any().item<bool>());
    EXPECT_TRUE(n.present[1].all().item<bool>());
    // the last chunk has no successor
    EXPECT_TRUE(n.present[2][0].narrow(0, 0, 2).all().item<bool>());
    EXPECT_FALSE(n.present[2][0].narrow(0, 2, 2).any().item<bool>());
}

TEST(model, match_start_scores_a_repeated_chunk_above_all_others) {
    ModelConfig c = tiny_config();
    c.scale_logits = false;
    c.scale_embedding = true;
    at::manual_seed(5);
    at::Tensor tokens = at::randint(c.vocab, {1, 16 * c.chunk}, at::kLong);
    tokens.narrow(1, 13 * c.chunk, c.chunk).copy_(tokens.narrow(1, 3 * c.chunk, c.chunk));
    const RptModel model(c, 4);
    const at::Tensor scores = model.retrieval_scores(model.lower(tokens))[0][13];
    EXPECT_EQ(scores.narrow(0, 0, 10).argmax().item<int64_t>(), 3);
    EXPECT_TRUE(model.weights().retriever->key.equal(model.weights().retriever->query));
}

TEST(model, equal_seeds_give_equal_trunks_whatever_the_memory) {
    ModelConfig with = tiny_config(), without = tiny_config();
    without.retrieval = RetrievalKind::kNone;
    without.cca_layers.clear();
    const RptModel a(with, 9), b(without, 9), other(without, 10);
    EXPECT_TRUE(a.weights().layers[3].ffn.in.equal(b.weights().layers[3].ffn.in));
    EXPECT_TRUE(a.weights().embedding.equal(b.weights().embedding));
    EXPECT_FALSE(other.weights().embedding.equal(b.weights().embedding));
}

}  // namespace
}  // namespace rpt::model
