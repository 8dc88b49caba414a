#include "lab/train/train_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace rpt::train {
namespace {

namespace fs = std::filesystem;

class train_config : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() /
                  ("rpt_train_config_" + std::to_string(::getpid()) + "_" +
                   testing::UnitTest::GetInstance()->current_test_info()->name());
        fs::create_directories(folder_ / "rows");
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text) const {
        const fs::path path = folder_ / name;
        std::ofstream(path) << text;
        return path.string();
    }

    fs::path folder_;
};

TEST_F(train_config, from_file_a_child_names_what_differs_from_its_parents_and_the_tier) {
    const std::string tier = write("tier.json", R"({
        "model": {"dim": 64, "n_lower": 2, "n_upper": 2, "n_heads": 2, "head_dim": 32, "n_kv_heads": 2},
        "data": [{"shard": "a.shard"}], "train": {"steps": 100}})");
    write("rows/base.json", R"({"model": {"retrieval": "none", "cca_layers": []}})");
    write(
        "rows/deep.json",
        R"({"parent": "base.json", "model": {"extra_layers": 3}, "train": {"steps_scale": 1.5}})");
    const std::string leaf =
        write("rows/leaf.json", R"({"parent": "deep.json", "model": {"extra_layers": 2}})");
    const TrainConfig config = TrainConfig::from_file(leaf, tier, {"lr=0.5"});
    EXPECT_EQ(config.model.dim, 64);
    EXPECT_EQ(config.model.n_lower, 2 + 1 + 1);
    EXPECT_EQ(config.model.n_upper, 2 + 2 + 1);
    EXPECT_EQ(config.model.retrieval, model::RetrievalKind::kNone);
    EXPECT_EQ(config.train.steps, 150);
    EXPECT_EQ(config.train.lr, 0.5);
    EXPECT_EQ(config.data.at(0).shard, "a.shard");
}

TEST_F(train_config, from_file_refuses_a_circle_of_parents_and_a_file_that_is_not_there) {
    write("a.json", R"({"parent": "b.json"})");
    const std::string b = write("b.json", R"({"parent": "a.json"})");
    EXPECT_THROW(TrainConfig::from_file(b), Error);
    EXPECT_THROW(TrainConfig::from_file((folder_ / "none.json").string()), Error);
}

TEST_F(train_config, what_is_written_reads_back_the_same) {
    const std::string text = R"({"model": {"dim": 64},
        "data": [{"shard": "a", "weight": 2.0, "across_documents": true, "fim": 0.5}],
        "train": {"targets": "lm_scores", "target_cache": "t.cache", "own_end": 0.0,
                  "data_seed": 7, "train_neighbours": 4, "teacher_pick": 0.5}})";
    const std::string once = TrainConfig::from_json(text).to_json();
    EXPECT_EQ(TrainConfig::from_json(once).to_json(), once);
    EXPECT_NE(once.find("\"fim\": 0.5"), std::string::npos);
    EXPECT_THROW(
        TrainConfig::from_json(R"({"data": [{"shard": "a"}], "train": {"targets": "lm_scores"}})"),
        Error);
}

}  // namespace
}  // namespace rpt::train
