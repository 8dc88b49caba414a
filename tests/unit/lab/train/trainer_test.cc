#include "lab/train/trainer.h"

#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/network/layers.h"
#include "lab/train/batch_pipeline.h"
#include "lab/train/checkpoint.h"
#include "lab/train/counter_random.h"
#include "lab/train/lambda_rank.h"
#include "lab/train/throughput.h"
#include "lab/train/training_run.h"

namespace rpt::train {
namespace {

namespace fs = std::filesystem;

TrainConfig tiny_config() {
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
    config.model.cca_layers = {1, 2};
    config.model.gate_horizon = 4;
    config.data = {{"a.shard", 1.0}};
    config.validation = {"a.shard"};
    config.train.steps = 8;
    config.train.batch_documents = 2;
    config.train.length = 64;
    config.train.candidates = 4;
    config.train.neighbour_dropout = 0.2;
    config.train.threads = 1;
    config.train.log_every = 1;
    config.train.checkpoint_every = 0;
    config.train.validate_every = 4;
    config.train.validate_samples = 1;
    return config;
}

// Documents with repetitions, so that BM25 finds something.
void write_shard(const fs::path& path) {
    ShardWriter writer(path.string(), {64, 0, 1, 2, {}});
    for (uint64_t d = 0; d < 4; ++d) {
        std::vector<int32_t> tokens;
        for (uint64_t i = 0; i < 200; ++i) {
            tokens.push_back(static_cast<int32_t>(3 + draw_below(d, i / 4 % 7, i % 4, 61)));
        }
        writer.add({"d" + std::to_string(d), "c", "s", 0, 0, 200}, tokens);
    }
    writer.finish();
}

class TrainerTest : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() /
                  ("rpt_trainer_" +
                   std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        write_shard(folder_ / "a.shard");
        shard_ = Shard::open((folder_ / "a.shard").string());
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::unique_ptr<BatchPipeline> pipeline(const TrainConfig& config, int64_t first_step) const {
        return std::make_unique<BatchPipeline>(
            config, shard_->vocabulary(),
            SampleSource({{shard_, 1.0}}, config.train.length, config.train.min_fill,
                         config.train.seed),
            first_step);
    }

    fs::path folder_;
    std::shared_ptr<const Shard> shard_;
};

void expect_equal(const model::RptModel& a, const model::RptModel& b) {
    for (size_t i = 0; i < a.parameters().size(); ++i) {
        EXPECT_TRUE(at::equal(a.parameters()[i].second, b.parameters()[i].second))
            << a.parameters()[i].first;
    }
}

TEST_F(TrainerTest, pipeline_gives_the_same_batches_from_any_start) {
    const auto config = tiny_config();
    const auto all = pipeline(config, 0);
    for (int i = 0; i < 3; ++i) all->next();
    const Batch expected = all->next();
    const Batch resumed = pipeline(config, 3)->next();
    EXPECT_EQ(resumed.step, 3);
    EXPECT_EQ(resumed.pairs, expected.pairs);
    for (size_t b = 0; b < expected.samples.size(); ++b) {
        EXPECT_EQ(resumed.samples[b].inputs, expected.samples[b].inputs);
        EXPECT_EQ(resumed.samples[b].candidates.chunk, expected.samples[b].candidates.chunk);
        EXPECT_EQ(resumed.samples[b].own_draws, expected.samples[b].own_draws);
        EXPECT_EQ(resumed.samples[b].withheld, expected.samples[b].withheld);
    }
}

TEST_F(TrainerTest, sample_starts_with_bos_and_predicts_its_text) {
    const auto config = tiny_config();
    const std::vector<int32_t> text = {10, 11, 12};
    const Sample sample = make_sample(config, shard_->vocabulary(), text, 0, 0);
    EXPECT_EQ(sample.n_tokens, 3);
    EXPECT_EQ(std::vector<int64_t>(sample.inputs.begin(), sample.inputs.begin() + 4),
              (std::vector<int64_t>{0, 10, 11, 2}));
    EXPECT_EQ(std::vector<int64_t>(sample.targets.begin(), sample.targets.begin() + 4),
              (std::vector<int64_t>{10, 11, 12, -1}));
    EXPECT_EQ(static_cast<int64_t>(sample.inputs.size()), config.train.length);
}

TEST_F(TrainerTest, steps_with_a_resume_between_are_bit_equal) {
    const auto config = tiny_config();
    model::RptModel straight(config.model, 5);
    Trainer one(config, straight, at::kCPU);
    const auto batches = pipeline(config, 0);
    for (int i = 0; i < 6; ++i) one.step(batches->next(), false);

    const std::string path = (folder_ / "half.safetensors").string();
    {
        model::RptModel half(config.model, 5);
        Trainer two(config, half, at::kCPU);
        const auto first = pipeline(config, 0);
        for (int i = 0; i < 3; ++i) two.step(first->next(), true);  // measuring changes nothing
        save_checkpoint(two, shard_->vocabulary(), {}, path);
    }
    model::RptModel resumed(config.model, 99);
    Trainer three(config, resumed, at::kCPU);
    load_checkpoint(path, shard_->vocabulary(), three);
    EXPECT_EQ(three.steps_done(), 3);
    const auto rest = pipeline(config, three.steps_done());
    for (int i = 0; i < 3; ++i) three.step(rest->next(), false);
    expect_equal(straight, resumed);
    for (size_t i = 0; i < one.optimizer().moments().size(); ++i) {
        EXPECT_TRUE(
            at::equal(one.optimizer().moments()[i].square, three.optimizer().moments()[i].square));
    }
}

TEST_F(TrainerTest, run_stopped_and_resumed_ends_as_a_straight_one) {
    auto config = tiny_config();
    RunPaths straight{folder_.string(), (folder_ / "straight").string(), "", {}};
    EXPECT_TRUE(run_training(config, straight, false, at::kCPU, {}));

    RunPaths halting{folder_.string(), (folder_ / "halting").string(), "", {}};
    std::atomic<bool> stop{false};
    RunHooks hooks;
    hooks.stop = &stop;
    hooks.stepped = [&](const StepReport& report, double, double) { stop = report.step == 5; };
    EXPECT_FALSE(run_training(config, halting, false, at::kCPU, hooks));
    EXPECT_THROW(run_training(config, halting, false, at::kCPU, {}),
                 Error);  // would overwrite a run
    EXPECT_TRUE(run_training(config, halting, true, at::kCPU, {}));

    const auto a = load_trained_model(straight.out_dir + "/checkpoint.safetensors", at::kCPU);
    const auto b = load_trained_model(halting.out_dir + "/checkpoint.safetensors", at::kCPU);
    EXPECT_EQ(a.step, 8);
    EXPECT_EQ(b.step, 8);
    expect_equal(*a.model, *b.model);
    EXPECT_EQ(TrainConfig::from_json(a.training_json).to_json(), config.to_json());
}

TEST_F(TrainerTest, run_from_another_takes_its_weights_but_those_that_begin_anew) {
    auto config = tiny_config();
    config.train.steps = 1;
    RunPaths first{folder_.string(), (folder_ / "first").string(), "", {}};
    run_training(config, first, false, at::kCPU, {});
    const auto trained = load_trained_model(first.out_dir + "/checkpoint.safetensors", at::kCPU);

    config.train.lr = 1e-30;  // the second run's step moves nothing by more than 1e-6
    config.train.seed = 77;
    RunPaths second{folder_.string(),
                    (folder_ / "second").string(),
                    first.out_dir + "/checkpoint.safetensors",
                    {"memory.key"}};
    run_training(config, second, false, at::kCPU, {});
    const auto begun = load_trained_model(second.out_dir + "/checkpoint.safetensors", at::kCPU);
    const model::RptModel fresh(config.model, 77);
    for (size_t i = 0; i < fresh.parameters().size(); ++i) {
        const auto& [name, value] = begun.model->parameters()[i];
        const bool anew = name.starts_with("memory.key");
        const at::Tensor& expected = (anew ? fresh : *trained.model).parameters()[i].second;
        EXPECT_TRUE(at::allclose(value, expected, 0.0, 1e-6)) << name;
    }

    RunPaths wrong = second;
    wrong.out_dir = (folder_ / "wrong").string();
    wrong.fresh = {"memory.no_such"};
    EXPECT_THROW(run_training(config, wrong, false, at::kCPU, {}), Error);
}

TEST_F(TrainerTest, log_of_a_resumed_run_holds_every_step_once) {
    auto config = tiny_config();
    RunPaths paths{folder_.string(), (folder_ / "run").string(), "", {}};
    std::atomic<bool> stop{false};
    RunHooks hooks;
    hooks.stop = &stop;
    hooks.stepped = [&](const StepReport& report, double, double) { stop = report.step == 3; };
    run_training(config, paths, false, at::kCPU, hooks);
    run_training(config, paths, true, at::kCPU, {});
    std::ifstream in(paths.out_dir + "/log.jsonl");
    std::map<std::string, int> seen;
    for (std::string line; std::getline(in, line);) {
        if (line.find("\"loss\"") != std::string::npos) ++seen[line.substr(0, line.find(','))];
    }
    EXPECT_EQ(seen.size(), 8u);
    for (const auto& [step, count] : seen) EXPECT_EQ(count, 1) << step;
}

TEST_F(TrainerTest, checkpoint_of_another_model_or_tokenizer_is_refused) {
    const auto config = tiny_config();
    const std::string path = (folder_ / "c.safetensors").string();
    model::RptModel model(config.model, 1);
    Trainer trainer(config, model, at::kCPU);
    save_checkpoint(trainer, shard_->vocabulary(), {}, path);
    auto other = config;
    other.model.ffn_dim = 48;
    model::RptModel other_model(other.model, 1);
    Trainer other_trainer(other, other_model, at::kCPU);
    EXPECT_THROW(load_checkpoint(path, shard_->vocabulary(), other_trainer), Error);
    ShardVocabulary vocabulary = shard_->vocabulary();
    vocabulary.tokenizer[0] ^= 1;
    EXPECT_THROW(load_checkpoint(path, vocabulary, trainer), Error);
}

TEST_F(TrainerTest, parts_of_a_step_add_up_to_the_whole_step) {
    auto config = tiny_config();
    config.train.neighbour_dropout = 0;
    const Batch batch = pipeline(config, 0)->next();
    model::RptModel whole(config.model, 5), parts(config.model, 5);
    Trainer a(config, whole, at::kCPU);
    config.train.micro_documents = 1;
    Trainer b(config, parts, at::kCPU);
    const StepReport ra = a.step(batch, false), rb = b.step(batch, false);
    EXPECT_NEAR(ra.loss, rb.loss, 1e-5);
    EXPECT_NEAR(ra.aux, rb.aux, 1e-5);
    EXPECT_NEAR(ra.gradient_norm, rb.gradient_norm, 1e-4 * ra.gradient_norm);
}

// Documents of a step side by side, on threads of their own: the same bits as one after the other.
TEST_F(TrainerTest, workers_change_no_bit) {
    for (const model::RetrievalKind kind :
         {model::RetrievalKind::kLambdaRank, model::RetrievalKind::kGca}) {
        TrainConfig config = tiny_config();
        config.train.batch_documents = 4;
        config.train.micro_documents = 1;
        config.train.threads = 2;
        config.model.retrieval = kind;
        if (kind == model::RetrievalKind::kGca) {
            config.model.cca_fuse = model::CcaFuse::kWeighted;
            config.model.augment = false;
        }
        TrainConfig beside = config;
        beside.train.workers = 3;  // does not divide the number of passes
        model::RptModel one(config.model, 1), other(config.model, 1);
        Trainer a(config, one, at::kCPU), b(beside, other, at::kCPU);
        const auto batches = pipeline(config, 0);
        for (int step = 0; step < 3; ++step) {
            const Batch batch = batches->next();
            const StepReport alone = a.step(batch, true), together = b.step(batch, true);
            EXPECT_EQ(alone.loss, together.loss);
            EXPECT_EQ(alone.aux, together.aux);
            EXPECT_EQ(alone.gradient_norm, together.gradient_norm);
            EXPECT_EQ(alone.null_mass, together.null_mass);
        }
        for (size_t i = 0; i < one.parameters().size(); ++i)
            EXPECT_TRUE(one.parameters()[i].second.equal(other.parameters()[i].second))
                << one.parameters()[i].first;
    }
}

// Fails in one document: the step ends with its error and changes nothing.
TEST_F(TrainerTest, worker_that_fails_ends_the_step) {
    TrainConfig config = tiny_config();
    config.train.workers = 2;
    model::RptModel model(config.model, 1);
    Trainer trainer(config, model, at::kCPU);
    Batch batch = pipeline(config, 0)->next();
    batch.samples[1].inputs[0] = config.model.vocab;  // no such token
    const at::Tensor before = model.parameters()[0].second.detach().clone();
    EXPECT_ANY_THROW(trainer.step(batch, false));
    EXPECT_TRUE(before.equal(model.parameters()[0].second));
    EXPECT_EQ(trainer.steps_done(), 0);
}

TEST_F(TrainerTest, training_lowers_the_loss_on_repetitive_text) {
    auto config = tiny_config();
    config.train.steps = 60;
    config.train.lr = 1e-2;
    model::RptModel model(config.model, 5);
    Trainer trainer(config, model, at::kCPU);
    const auto batches = pipeline(config, 0);
    const double first = trainer.step(batches->next(), false).loss;
    double last = first;
    while (trainer.steps_done() < 60) last = trainer.step(batches->next(), false).loss;
    EXPECT_LT(last, 0.8 * first);
}

// W_Q, W_K, their norms and biases.
bool of_retriever(const std::string& name) {
    return name.starts_with("memory.key") || name.starts_with("memory.query");
}

// Which parameters the ranking loss alone reaches (spec 8.5 S7).
std::map<std::string, bool> reached_by_ranking(const TrainConfig& config, const Batch& batch,
                                               model::RptModel& model) {
    std::vector<int64_t> ids = batch.samples[0].inputs;
    const model::LowerOutput low = model.lower(at::tensor(ids).unsqueeze(0));
    const at::Tensor scores = model.retrieval_scores(low);
    const int64_t l = scores.size(1);
    at::Tensor pool = at::empty({l}, at::kLong);
    for (int64_t i = 0; i < l; ++i) {
        pool.data_ptr<int64_t>()[i] =
            std::max<int64_t>(0, model::last_retrievable(config.model, i) + 1);
    }
    const ChunkLists& lists = batch.samples[0].candidates;
    const std::vector<int64_t> chunk(lists.chunk.begin(), lists.chunk.end());
    const at::Tensor loss =
        lambda_rank_sum(scores, pool, at::tensor(chunk).view({1, l, lists.width}),
                        at::tensor(lists.score).view({1, l, lists.width}), 4.0, LambdaForm::kCode);
    loss.backward();
    std::map<std::string, bool> reached;
    for (const auto& [name, parameter] : model.parameters()) {
        reached[name] =
            parameter.grad().defined() && parameter.grad().abs().sum().item<double>() > 0;
        parameter.mutable_grad() = at::Tensor();
    }
    return reached;
}

TEST_F(TrainerTest, ranking_loss_reaches_the_lower_half_and_the_retriever_alone) {
    auto config = tiny_config();
    config.train.neighbour_dropout = 0;
    model::RptModel model(config.model, 5);
    const Batch batch = pipeline(config, 0)->next();
    ASSERT_GT(batch.samples[0].pairs, 0);
    const auto by_ranking = reached_by_ranking(config, batch, model);

    // the language-model loss with neighbours reaches everything else
    const at::Tensor inputs = at::tensor(batch.samples[0].inputs).unsqueeze(0);
    const model::LowerOutput low = model.lower(inputs);
    const int64_t l = config.train.length / config.model.chunk;
    at::Tensor chosen = at::full({1, l, 2}, -1, at::kLong);
    for (int64_t i = 0; i < l; ++i) {
        if (model::last_retrievable(config.model, i) >= 0) chosen[0][i][0] = 0;
    }
    model.token_nll(model.upper(low, chosen), inputs).sum().backward();
    int64_t both = 0, retriever = 0, upper = 0;
    for (const auto& [name, parameter] : model.parameters()) {
        const bool by_text =
            parameter.grad().defined() && parameter.grad().abs().sum().item<double>() > 0;
        const bool ranked = by_ranking.at(name);
        both += by_text && ranked;
        retriever += !by_text && ranked;
        upper += by_text && !ranked;
        EXPECT_FALSE(ranked && (name.find("cca") != std::string::npos ||
                                name.find("gate") != std::string::npos))
            << name;
        EXPECT_FALSE(by_text && of_retriever(name)) << name;
    }
    EXPECT_GT(both, 0);
    EXPECT_GE(retriever, 5);  // the key bias moves no difference of scores
    EXPECT_GT(upper, 0);
}

TEST_F(TrainerTest, detached_ranking_loss_leaves_the_trunk_as_without_it) {
    auto config = tiny_config();
    config.train.neighbour_dropout = 0;
    config.train.own_start = 1;  // the choice must not differ
    config.train.alpha_ramp_fraction = 0;
    config.train.clip = 0;
    config.train.detach_aux = true;
    const Batch batch = pipeline(config, 0)->next();
    model::RptModel with(config.model, 5), without(config.model, 5);
    Trainer a(config, with, at::kCPU);
    auto plain = config;
    plain.train.alpha_max = 0;
    Trainer b(plain, without, at::kCPU);
    a.step(batch, false);
    b.step(batch, false);
    for (size_t i = 0; i < with.parameters().size(); ++i) {
        const std::string& name = with.parameters()[i].first;
        if (of_retriever(name)) continue;
        EXPECT_TRUE(
            at::allclose(with.parameters()[i].second, without.parameters()[i].second, 1e-5, 1e-6))
            << name;
    }
}

TEST_F(TrainerTest, retriever_alone_learns_to_rank_and_nothing_else_moves) {
    TrainConfig config = tiny_config();
    config.model.key_features = 24;
    config.train.steps = 60;
    config.train.retriever_only = true;
    config.train.lr = 0.02;
    config.train.tau_start = config.train.tau_max = 1;
    const model::RptModel before(config.model, 1);
    model::RptModel model(config.model, 1);
    Trainer trainer(config, model, at::kCPU);
    const auto batches = pipeline(config, 0);
    const auto mean_of_steps = [&](int n) {
        double sum = 0;
        for (int i = 0; i < n; ++i) {
            const StepReport report = trainer.step(batches->next(), true);
            EXPECT_EQ(report.loss, report.aux);
            EXPECT_EQ(report.upper, 0.0);
            sum += report.aux;
        }
        return sum / n;
    };
    const double first = mean_of_steps(10);
    mean_of_steps(40);
    EXPECT_LT(mean_of_steps(10), 0.8 * first);
    for (size_t i = 0; i < model.parameters().size(); ++i) {
        const std::string& name = model.parameters()[i].first;
        const bool learns = name.starts_with("memory.key") || name.starts_with("memory.query");
        EXPECT_NE(at::equal(model.parameters()[i].second, before.parameters()[i].second), learns)
            << name;
    }
}

TEST_F(TrainerTest, baselines_train_with_the_same_step) {
    for (const auto kind : {model::RetrievalKind::kNone, model::RetrievalKind::kGiven}) {
        auto config = tiny_config();
        config.model.retrieval = kind;
        if (kind == model::RetrievalKind::kNone) config.model.cca_layers.clear();
        model::RptModel model(config.model, 5);
        Trainer trainer(config, model, at::kCPU);
        const auto batches = pipeline(config, 0);
        for (int i = 0; i < 3; ++i) {
            const StepReport report = trainer.step(batches->next(), true);
            EXPECT_TRUE(std::isfinite(report.loss));
            EXPECT_EQ(report.aux, 0.0);
        }
    }
}

TEST(ThroughputTest, operations_follow_the_size_of_the_model) {
    model::ModelConfig config;
    config.retrieval = model::RetrievalKind::kNone;
    config.cca_layers.clear();
    const double plain = forward_flops_per_token(config, 4096);
    // 2 a parameter that is multiplied, and the attention
    const double trunk = 6 * (4.0 * 256 * 256 + 2 * 256 * 1024) + 8192.0 * 256;
    EXPECT_NEAR(plain, 2 * trunk + 6 * 4 * 256 * 1.5 * 256, 1);
    config.retrieval = model::RetrievalKind::kLambdaRank;
    config.cca_layers = {4, 5};
    EXPECT_GT(forward_flops_per_token(config, 4096), plain);
    config.retrieval = model::RetrievalKind::kNone;
    config.cca_layers.clear();
    const auto added = [&](std::vector<int64_t> model::ModelConfig::*layers) {
        model::ModelConfig with = config;
        with.*layers = {5};
        return forward_flops_per_token(with, 4096) - plain;
    };
    // 16 blocks, of which the last 14 search 256, 512 .. 3584 keys and read 32 of them
    EXPECT_NEAR(added(&model::ModelConfig::memorizing_layers),
                256.0 * (2 * 256 * 105 + 4 * 32 * 14) / 16, 1);
    // tokens: two products and 64 states; states, a quarter as many: six products, 64 and 512 keys
    EXPECT_NEAR(added(&model::ModelConfig::recurrent_layers),
                256.0 * (4 * 256 + 4 * 64) + 256.0 * (12 * 256 + 4 * 576) / 4, 1);
    EXPECT_NEAR(added(&model::ModelConfig::griffin_layers), 6.0 * 256 * 256 + 4.0 * 256 * 256 / 8,
                1);
}

}  // namespace
}  // namespace rpt::train
