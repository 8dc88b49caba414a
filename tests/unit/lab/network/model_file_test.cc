#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"
#include "lab/network/model_weights.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::model {
namespace {

class ModelFile : public testing::Test {
  protected:
    void SetUp() override {
        const auto* info = testing::UnitTest::GetInstance()->current_test_info();
        folder_ = std::filesystem::path(testing::TempDir()) / (std::string("rpt_") + info->name());
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        path_ = (folder_ / "model.safetensors").string();
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path folder_;
    std::string path_;
};

TEST_F(ModelFile, round_trip_keeps_config_and_bits) {
    for (const auto& [name, c] : all_variants()) {
        const RptModel model(c, 3);
        save_model(model, "{}", {{"steps", "12"}}, path_);
        const auto package = weights::Package::open(path_);
        EXPECT_EQ(package->metadata().at("steps"), "12");
        const auto loaded = load_model(*package, at::kCPU);
        EXPECT_EQ(loaded->config(), c) << name;
        ASSERT_EQ(loaded->parameters().size(), model.parameters().size());
        for (size_t i = 0; i < model.parameters().size(); ++i) {
            EXPECT_EQ(loaded->parameters()[i].first, model.parameters()[i].first);
            EXPECT_TRUE(loaded->parameters()[i].second.equal(model.parameters()[i].second)) << name;
            EXPECT_TRUE(loaded->parameters()[i].second.requires_grad());
        }
    }
}

// Writes the model's tensors after `change` had its way with them.
template <typename F>
std::string error_after(const RptModel& model, const std::string& path, F change) {
    std::map<std::string, weights::TensorData> tensors;
    std::vector<at::Tensor> alive;
    for (const auto& [name, p] : model.parameters()) {
        alive.push_back(p.detach().contiguous());
        tensors[name] = {
            weights::DType::kF32,
            alive.back().sizes().vec(),
            {static_cast<const std::byte*>(alive.back().const_data_ptr()), alive.back().nbytes()}};
    }
    change(tensors);
    weights::write_package(path, tensors,
                           {{"config", model.config().to_json()}, {"tokenizer", "{}"}});
    try {
        load_model(*weights::Package::open(path), at::kCPU);
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kCorrupt);
        return error.what();
    }
    return "";
}

// How many neighbours serve its readers a package says beside its config: stores stay valid.
TEST_F(ModelFile, read_neighbours_change_the_number_and_no_fingerprint) {
    const RptModel model(tiny_config(), 3);
    save_model(model, "{}", {}, path_);
    const Digest before = weights::Package::open(path_)->fingerprint();
    save_model(model, "{}", {{weights::kReadNeighboursKey, "9"}}, path_);
    const auto package = weights::Package::open(path_);
    EXPECT_EQ(package->fingerprint(), before);
    EXPECT_EQ(load_model(*package, at::kCPU)->config().neighbours, 9);
    for (const char* wrong : {"", "0", "65", "two", "4 ", "99999999999999999999"}) {
        save_model(model, "{}", {{weights::kReadNeighboursKey, wrong}}, path_);
        try {
            load_model(*weights::Package::open(path_), at::kCPU);
            ADD_FAILURE() << wrong;
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), Status::kCorrupt);
            EXPECT_NE(std::string(error.what()).find("from 1 to 64"), std::string::npos);
        }
    }
}

TEST_F(ModelFile, missing_and_odd_tensors_are_named) {
    const RptModel model(tiny_config(), 3);
    EXPECT_NE(error_after(model, path_, [](auto& t) { t.erase("layers.2.cca.query"); })
                  .find("'layers.2.cca.query' is missing"),
              std::string::npos);
    EXPECT_NE(error_after(model, path_,
                          [](auto& t) {
                              t["final_norm"].shape = {16, 2};
                          })
                  .find("'final_norm' has shape [16, 2]"),
              std::string::npos);
}

// As files of other makers hold them.
void split_rows(std::map<std::string, weights::TensorData>& tensors, const std::string& name,
                const std::vector<std::pair<std::string, int64_t>>& parts) {
    const weights::TensorData whole = tensors.at(name);
    tensors.erase(name);
    const size_t row = whole.data.size() / static_cast<size_t>(whole.shape[0]);
    size_t begin = 0;
    for (const auto& [part, rows] : parts) {
        weights::TensorData& t = tensors[part] = whole;
        t.shape[0] = rows;
        t.data = whole.data.subspan(begin, static_cast<size_t>(rows) * row);
        begin += t.data.size();
    }
    EXPECT_EQ(begin, whole.data.size());
}

TEST_F(ModelFile, parts_of_an_imported_model_are_joined) {
    for (const auto& [name, c] : frozen_variants()) {
        const RptModel model(c, 3);
        roughen(model);
        const int64_t heads = c.n_heads * c.head_dim, groups = c.n_kv_heads * c.head_dim;
        const auto split = [&, &c = c](auto& tensors) {
            for (int64_t i = 0; i < c.layers(); ++i) {
                const std::string layer = "layers." + std::to_string(i) + ".";
                for (const std::string end : {"", "_bias"}) {
                    if (!tensors.contains(layer + "attention.qkv" + end)) continue;
                    split_rows(tensors, layer + "attention.qkv" + end,
                               {{layer + "attention.query" + end, heads},
                                {layer + "attention.key" + end, groups},
                                {layer + "attention.value" + end, groups}});
                }
                split_rows(tensors, layer + "ffn.in",
                           {{layer + "ffn.gate", c.ffn_dim}, {layer + "ffn.up", c.ffn_dim}});
            }
        };
        EXPECT_EQ(error_after(model, path_, split), "") << name;
        const auto loaded = load_model(*weights::Package::open(path_), at::kCPU);
        for (size_t i = 0; i < model.parameters().size(); ++i)
            EXPECT_TRUE(loaded->parameters()[i].second.equal(model.parameters()[i].second)) << name;
        EXPECT_NE(error_after(model, path_,
                              [&](auto& t) {
                                  split(t);
                                  t.erase("layers.2.ffn.up");
                              })
                      .find("'layers.2.ffn.up' is missing"),
                  std::string::npos);
        EXPECT_NE(error_after(model, path_,
                              [&](auto& t) {
                                  split(t);
                                  t["layers.1.attention.key"].shape = {groups / 2, 2 * c.dim};
                              })
                      .find("'layers.1.attention.key' has shape"),
                  std::string::npos);
    }
}

TEST_F(ModelFile, half_precision_becomes_fp32) {
    const RptModel model(tiny_config(), 3);
    const at::Tensor half = model.weights().embedding.detach().to(at::kHalf);
    EXPECT_EQ(error_after(model, path_,
                          [&](auto& t) {
                              t["embedding"].dtype = weights::DType::kF16;
                              t["embedding"].data = {
                                  static_cast<const std::byte*>(half.const_data_ptr()),
                                  half.nbytes()};
                          }),
              "");
    const auto loaded = load_model(*weights::Package::open(path_), at::kCPU);
    EXPECT_TRUE(loaded->weights().embedding.equal(half.to(at::kFloat)));
}

}  // namespace
}  // namespace rpt::model
