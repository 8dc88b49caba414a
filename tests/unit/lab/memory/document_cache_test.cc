#include "lab/memory/document_cache.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "lab/network/bf16_scope.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::memory {
namespace {

std::vector<int32_t> some_tokens(size_t n, int64_t vocab) {
    std::vector<int32_t> out;
    for (size_t i = 0; i < n; ++i)
        out.push_back(static_cast<int32_t>((i * i + 3 * i) % size_t(vocab)));
    return out;
}

TEST(DocumentCache, holds_what_the_model_makes_of_the_text) {
    for (const auto& [name, config] : model::frozen_variants()) {
        const model::RptModel network(config, 7);
        const std::vector<int32_t> tokens = some_tokens(21, config.vocab);
        const DocumentCache cache = cache_document(network, tokens, "c", "d", {.layer = 3});
        const at::NoGradGuard guard;
        const model::LowerOutput low{network.lower_hidden(cache.tokens.unsqueeze(0)), {}, {}, {}};
        const at::Tensor logits =
            network.logits(network.upper(low, {}).narrow(1, 0, 20).squeeze(0));
        const at::Tensor p = at::softmax(logits, -1);
        const at::Tensor of_next =
            p.gather(1, cache.tokens.narrow(0, 1, 20).unsqueeze(1)).squeeze(1);
        EXPECT_LT((of_next.log() + cache.nll).abs().max().item<double>(), 1e-4) << name;
        EXPECT_LT(((p * p.log()).sum(-1) + cache.entropy).abs().max().item<double>(), 1e-4) << name;
        EXPECT_LT((low.hidden[0].square().mean(0) - cache.low_square).abs().max().item<double>(),
                  1e-4)
            << name;
        EXPECT_EQ(cache.states.sizes(), (at::IntArrayRef{21, config.dim})) << name;
    }
}

TEST(DocumentCache, predictions_before_the_first_scored_token_are_left_out) {
    const model::ModelConfig config = model::frozen_variants().front().second;
    const model::RptModel network(config, 7);
    const std::vector<int32_t> tokens = some_tokens(21, config.vocab);
    const DocumentCache all = cache_document(network, tokens, "c", "d", {.layer = 2});
    const DocumentCache late =
        cache_document(network, tokens, "c", "d", {.layer = 2, .first_scored = 13});
    EXPECT_TRUE(late.states.equal(all.states));
    EXPECT_EQ(late.nll.narrow(0, 0, 13).abs().max().item<float>(), 0);
    EXPECT_LT((late.nll - all.nll).narrow(0, 13, 7).abs().max().item<double>(), 1e-5);
    EXPECT_LT((late.entropy - all.entropy).narrow(0, 13, 7).abs().max().item<double>(), 1e-5);
}

TEST(DocumentCache, products_in_bf16_give_nearly_the_same) {
    if (!model::has_bf16_products()) GTEST_SKIP() << "this processor has no products in bf16";
    const model::ModelConfig config = model::frozen_variants().front().second;
    const model::RptModel network(config, 7);
    const std::vector<int32_t> tokens = some_tokens(21, config.vocab);
    const DocumentCache exact = cache_document(network, tokens, "c", "d", {.layer = 2});
    const DocumentCache rounded =
        cache_document(network, tokens, "c", "d", {.layer = 2, .bf16 = true});
    EXPECT_LT((exact.nll - rounded.nll).abs().max().item<double>(), 0.05);
    EXPECT_LT((exact.entropy - rounded.entropy).abs().max().item<double>(), 0.05);
    EXPECT_FALSE(exact.nll.equal(rounded.nll));
}

TEST(DocumentCache, is_read_back_only_by_who_made_it) {
    const std::string path = testing::TempDir() + "/cache_of_a_document.safetensors";
    std::filesystem::remove(path);
    DocumentCache back;
    EXPECT_FALSE(load_cache(path, "model a", back));
    const model::ModelConfig config = model::frozen_variants().front().second;
    const DocumentCache cache = cache_document(
        model::RptModel(config, 7), some_tokens(9, config.vocab), "books", "one", {.layer = 2});
    save_cache(cache, "model a", path);
    EXPECT_FALSE(load_cache(path, "model b", back));
    ASSERT_TRUE(load_cache(path, "model a", back));
    EXPECT_EQ(back.corpus, "books");
    EXPECT_EQ(back.id, "one");
    EXPECT_EQ(back.stride, config.stride);
    EXPECT_TRUE(back.tokens.equal(cache.tokens));
    EXPECT_TRUE(back.states.equal(cache.states));
    EXPECT_TRUE(back.low_square.equal(cache.low_square));
    EXPECT_TRUE(back.nll.equal(cache.nll));
    EXPECT_TRUE(back.entropy.equal(cache.entropy));
}

}  // namespace
}  // namespace rpt::memory
