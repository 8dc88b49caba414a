// Training by the language model's loss: which neighbours are tried, and that a step repeats.
#include "lab/train/exploration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "lab/network/model_weights.h"
#include "lab/train/checkpoint.h"
#include "lab/train/counter_random.h"
#include "lab/train/trainer.h"

namespace rpt::train {
namespace {

TrainConfig gca_config() {
    TrainConfig config;
    config.model.vocab = 64;
    config.model.dim = 16;
    config.model.n_lower = 1;
    config.model.n_upper = 2;
    config.model.n_heads = 2;
    config.model.n_kv_heads = 2;
    config.model.head_dim = 8;
    config.model.ffn_dim = 32;
    config.model.chunk = 4;
    config.model.stride = 8;
    config.model.retrieval = model::RetrievalKind::kGca;
    config.model.augment = false;
    config.model.cca_fuse = model::CcaFuse::kWeighted;
    config.model.cca_layers = {1, 2};
    config.data = {{"a.shard", 1.0}};
    config.train.steps = 10;
    config.train.batch_documents = 3;
    config.train.length = 64;
    config.train.candidates = 4;
    config.train.train_neighbours = 3;
    config.train.gca_dense_fraction = 0.2;
    config.train.threads = 1;
    return config;
}

const ShardVocabulary kVocabulary = {64, 0, 1, 2, {}};
constexpr int64_t kChunks = 16;

// Sample 1 is padded from chunk 10 on.
Batch make_batch(const TrainConfig& config, int64_t step) {
    Batch batch;
    batch.step = step;
    for (int64_t slot = 0; slot < config.train.batch_documents; ++slot) {
        std::vector<int32_t> text;
        for (uint64_t p = 0; p < (slot == 1 ? 40u : 64u); ++p)
            text.push_back(static_cast<int32_t>(3 + draw_below(slot, p / 4 % 7, p % 4, 61)));
        batch.samples.push_back(make_sample(config, kVocabulary, text, step, slot));
        batch.n_targets += batch.samples.back().n_tokens;
        batch.pairs += batch.samples.back().pairs;
    }
    return batch;
}

std::vector<float> scores_of(int64_t columns) {
    std::vector<float> scores;
    for (int64_t i = 0; i < kChunks * columns; ++i)
        scores.push_back(static_cast<float>(draw_uniform(9, 9, static_cast<uint64_t>(i))));
    return scores;
}

using Chosen = std::vector<std::vector<int64_t>>;

Chosen explore(const TrainConfig& config, const Exploration& exploration, size_t number = 0,
               int64_t columns = kChunks) {
    const Batch batch = make_batch(config, exploration.step);
    return explore_neighbours(config, batch.samples, number, scores_of(columns), exploration,
                              static_cast<int64_t>(number));
}

TEST(Exploration, first_steps_read_the_whole_pool_then_fewer) {
    const auto config = gca_config();
    EXPECT_TRUE(exploration_at(config.train, 1).whole_pool);
    EXPECT_FALSE(exploration_at(config.train, 2).whole_pool);
    EXPECT_DOUBLE_EQ(exploration_at(config.train, 0).noise, 1.0);
    EXPECT_NEAR(exploration_at(config.train, 5).noise, 0.65, 1e-12);
    const Chosen dense = explore(config, exploration_at(config.train, 0));
    const Chosen few = explore(config, exploration_at(config.train, 5));
    for (int64_t i = 0; i < kChunks; ++i) {
        const size_t pool =
            static_cast<size_t>(std::max<int64_t>(0, model::last_retrievable(config.model, i) + 1));
        EXPECT_EQ(dense[i].size(), pool);
        EXPECT_EQ(few[i].size(), std::min<size_t>(3, pool));
        for (const int64_t j : few[i]) EXPECT_LT(j, static_cast<int64_t>(pool));
    }
}

TEST(Exploration, noise_repeats_for_the_same_seed_and_step_alone) {
    auto config = gca_config();
    Exploration e = exploration_at(config.train, 5);
    const Chosen first = explore(config, e);
    EXPECT_EQ(explore(config, e), first);
    e.step = 6;
    EXPECT_NE(explore(config, e), first);
    e.step = 5;
    config.train.seed = 2;
    EXPECT_NE(explore(config, e), first);
    config.train.seed = 1;
    EXPECT_NE(
        explore_neighbours(config, make_batch(config, 5).samples, 0, scores_of(kChunks), e, 2),
        first);
}

TEST(Exploration, without_noise_the_best_scores_win) {
    const auto config = gca_config();
    Exploration e = exploration_at(config.train, 5);
    e.noise = 0;
    const auto scores = scores_of(kChunks);
    const Chosen chosen = explore(config, e);
    for (int64_t i = 0; i < kChunks; ++i) {
        for (size_t c = 1; c < chosen[i].size(); ++c)
            EXPECT_GE(scores[i * kChunks + chosen[i][c - 1]], scores[i * kChunks + chosen[i][c]]);
        for (int64_t j = 0; j <= model::last_retrievable(config.model, i); ++j) {
            if (std::find(chosen[i].begin(), chosen[i].end(), j) == chosen[i].end()) {
                EXPECT_LE(scores[i * kChunks + j], scores[i * kChunks + chosen[i].back()]);
            }
        }
    }
}

TEST(Exploration, noise_draws_with_odds_of_the_scores) {
    auto config = gca_config();
    config.train.train_neighbours = 1;
    Exploration e = exploration_at(config.train, 5);
    e.noise = 1;
    const int64_t i = 6;  // a pool of three chunks
    ASSERT_EQ(model::last_retrievable(config.model, i), 2);
    std::vector<float> scores(kChunks * kChunks, 0.0f);
    scores[i * kChunks + 1] = std::log(2.0f);
    const Batch batch = make_batch(config, 0);
    std::vector<int> count(3);
    for (e.step = 0; e.step < 4000; ++e.step)
        ++count[explore_neighbours(config, batch.samples, 0, scores, e, 0)[i][0]];
    EXPECT_NEAR(count[0] / 4000.0, 0.25, 0.03);
    EXPECT_NEAR(count[1] / 4000.0, 0.5, 0.03);
}

TEST(Exploration, foreign_chunks_are_the_other_samples_text) {
    auto config = gca_config();
    EXPECT_FALSE(exploration_at(config.train, 5).foreign);
    config.train.foreign_negatives = 1;
    const Exploration e = exploration_at(config.train, 0);
    EXPECT_TRUE(e.foreign);
    const Chosen chosen = explore(config, e, 2, 3 * kChunks);
    // sample 0 comes after sample 2, then sample 1, of which ten chunks are text
    EXPECT_EQ(chosen[0].size(), 16u + 10u);
    EXPECT_EQ(chosen[15].size(),
              static_cast<size_t>(model::last_retrievable(config.model, 15) + 1 + 16 + 10));
    for (const int64_t j : chosen[0]) EXPECT_TRUE(j >= kChunks && j < 2 * kChunks + 10) << j;
    EXPECT_TRUE(explore(config, e, 1, 3 * kChunks)[10].empty());  // padding asks nothing
}

TEST(Exploration, a_teacher_takes_the_last_place) {
    auto config = gca_config();
    EXPECT_EQ(make_batch(config, 5).samples[0].candidates.chunk,
              std::vector<int32_t>(kChunks * 4, -1));  // nobody asks for them
    config.train.teacher_pick = 1;
    const Exploration e = exploration_at(config.train, 5);
    const Sample sample = make_batch(config, 5).samples[0];
    const Chosen chosen = explore(config, e);
    config.train.teacher_pick = 0;
    const Chosen alone = explore(config, e);
    int64_t replaced = 0;
    for (int64_t i = 0; i < kChunks; ++i) {
        const int32_t best = sample.candidates.chunk[i * 4];
        if (best < 0) {
            EXPECT_EQ(chosen[i], alone[i]);
            continue;
        }
        EXPECT_NE(std::find(chosen[i].begin(), chosen[i].end(), best), chosen[i].end()) << i;
        EXPECT_EQ(chosen[i].size(), alone[i].size());
        replaced += chosen[i] != alone[i];
        EXPECT_TRUE(std::equal(alone[i].begin(), alone[i].end() - 1, chosen[i].begin()));
    }
    EXPECT_GT(replaced, 0);
}

TEST(Exploration, withheld_samples_read_nothing) {
    auto config = gca_config();
    config.train.neighbour_dropout = 1;
    for (const auto& of_chunk : explore(config, exploration_at(config.train, 0)))
        EXPECT_TRUE(of_chunk.empty());
}

std::vector<std::pair<std::string, TrainConfig>> trained_variants() {
    std::vector<std::pair<std::string, TrainConfig>> all;
    all.emplace_back("gca", gca_config());
    all.emplace_back("foreign", gca_config());
    all.back().second.train.foreign_negatives = 1;
    all.emplace_back("both_losses_and_teacher", gca_config());
    all.back().second.model.retrieval = model::RetrievalKind::kGcaLambdaRank;
    all.back().second.train.teacher_pick = 0.5;
    all.emplace_back("bias_bypass", gca_config());
    all.back().second.model.cca_fuse = model::CcaFuse::kBias;
    all.back().second.model.cca_residual = model::CcaResidual::kBypass;
    return all;
}

TEST(GcaTrainer, steps_train_the_retriever_and_resume_exactly) {
    for (const auto& [name, config] : trained_variants()) {
        model::RptModel straight(config.model, 5), half(config.model, 5), resumed(config.model, 9);
        const at::Tensor before = straight.weights().retriever->query.detach().clone();
        Trainer one(config, straight, at::kCPU), two(config, half, at::kCPU);
        for (int64_t step = 0; step < 4; ++step) {
            const StepReport report = one.step(make_batch(config, step), true);
            EXPECT_TRUE(std::isfinite(report.loss)) << name;
            EXPECT_EQ(report.aux > 0, config.model.ranks()) << name;
            EXPECT_GT(report.distinct, 0.0) << name;
            EXPECT_LE(report.distinct, 1.0) << name;
            EXPECT_EQ(report.sink_mass > 0, config.model.cca_fuse == model::CcaFuse::kWeighted);
        }
        EXPECT_FALSE(before.equal(straight.weights().retriever->query)) << name;
        for (int64_t step = 0; step < 2; ++step) two.step(make_batch(config, step), false);
        const std::string path = ::testing::TempDir() + "gca_" + name + ".safetensors";
        save_checkpoint(two, kVocabulary, {}, path);
        Trainer three(config, resumed, at::kCPU);
        load_checkpoint(path, kVocabulary, three);
        for (int64_t step = 2; step < 4; ++step) three.step(make_batch(config, step), false);
        std::filesystem::remove(path);
        for (size_t i = 0; i < straight.parameters().size(); ++i) {
            EXPECT_TRUE(straight.parameters()[i].second.equal(resumed.parameters()[i].second))
                << name << " " << straight.parameters()[i].first;
        }
    }
}

TEST(GcaTrainer, parts_of_a_step_add_up_to_the_whole_step) {
    for (const int64_t step : {0, 5}) {  // whole pools, and few neighbours
        auto config = gca_config();
        const Batch batch = make_batch(config, step);
        model::RptModel whole(config.model, 5), parts(config.model, 5);
        Trainer a(config, whole, at::kCPU);
        config.train.micro_documents = 1;
        Trainer b(config, parts, at::kCPU);
        a.set_steps_done(step);
        b.set_steps_done(step);
        const StepReport ra = a.step(batch, false), rb = b.step(batch, false);
        EXPECT_NEAR(ra.loss, rb.loss, 1e-5);
        EXPECT_NEAR(ra.gradient_norm, rb.gradient_norm, 1e-4 * ra.gradient_norm);
    }
}

TEST(GcaTrainer, validation_reads_the_plain_best) {
    const auto config = gca_config();
    model::RptModel model(config.model, 5);
    const Trainer trainer(config, model, at::kCPU);
    const Batch batch = make_batch(config, 0);
    const ValidationReport first = trainer.validate(batch.samples);
    EXPECT_EQ(first.own, trainer.validate(batch.samples).own);
    EXPECT_NE(first.own, first.none);
}

}  // namespace
}  // namespace rpt::train
