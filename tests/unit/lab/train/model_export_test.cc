#include "lab/train/model_export.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/sha256.h"
#include "lab/train/checkpoint.h"
#include "tests/fakes/fake_engine.h"

namespace rpt::train {
namespace {

namespace fs = std::filesystem;

class ModelExport : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) / "rpt_model_export";
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        const auto tokenizer = fakes::small_tokenizer();
        tokenizer_ = tokenizer->to_json();
        TrainConfig config;
        config.model = fakes::small_config(*tokenizer);
        config.model.neighbours = 2;
        config.data = {{"a.shard", 1.0}};
        config.train.length = 4 * config.model.stride;
        model::RptModel model(config.model, 5);
        Trainer trainer(config, model, at::kCPU);
        trainer.set_steps_done(12);
        ShardVocabulary vocabulary{};
        vocabulary.tokenizer = sha256(tokenizer_.data(), tokenizer_.size());
        checkpoint_ = (folder_ / "checkpoint.safetensors").string();
        save_checkpoint(trainer, vocabulary, {}, checkpoint_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::string path(const char* name) const { return (folder_ / name).string(); }

    fs::path folder_;
    std::string tokenizer_, checkpoint_;
};

TEST_F(ModelExport, package_holds_what_the_checkpoint_held) {
    ExportOptions options{checkpoint_, tokenizer_, "tiny"};
    const ExportFacts facts = export_model(options, path("a.safetensors"));
    EXPECT_EQ(facts.step, 12);
    const TrainedModel before = load_trained_model(checkpoint_, at::kCPU);
    const TrainedModel after = load_trained_model(path("a.safetensors"), at::kCPU);
    EXPECT_EQ(after.step, 12);
    EXPECT_EQ(after.tokenizer, before.tokenizer);
    EXPECT_EQ(after.training_json, before.training_json);
    int64_t numbers = 0;
    for (size_t i = 0; i < before.model->parameters().size(); ++i) {
        numbers += before.model->parameters()[i].second.numel();
        EXPECT_TRUE(after.model->parameters()[i].second.equal(before.model->parameters()[i].second))
            << before.model->parameters()[i].first;
    }
    EXPECT_EQ(facts.parameters, numbers);
}

TEST_F(ModelExport, package_written_again_keeps_its_fingerprint_and_notes) {
    export_model({checkpoint_, tokenizer_, "tiny", true}, path("a.safetensors"));
    ExportOptions again{path("a.safetensors"), "", "", true, 9};
    export_model(again, path("b.safetensors"));
    const auto a = weights::Package::open(path("a.safetensors"));
    const auto b = weights::Package::open(path("b.safetensors"));
    EXPECT_EQ(a->fingerprint(), b->fingerprint());
    EXPECT_EQ(b->metadata().at("name"), "tiny");
    EXPECT_EQ(b->metadata().at("step"), "12");
    EXPECT_EQ(load_trained_model(path("a.safetensors"), at::kCPU).model->config().neighbours, 2);
    EXPECT_EQ(load_trained_model(path("b.safetensors"), at::kCPU).model->config().neighbours, 9);
}

TEST_F(ModelExport, tokenizer_must_be_the_one_of_training) {
    EXPECT_THROW(export_model({checkpoint_, "{}", ""}, path("a.safetensors")), Error);
    EXPECT_THROW(export_model({checkpoint_, "", ""}, path("a.safetensors")), Error);
    EXPECT_FALSE(fs::exists(path("a.safetensors")));
}

}  // namespace
}  // namespace rpt::train
