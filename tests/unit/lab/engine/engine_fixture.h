// Engines of tiny models in a folder of the test's own.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/model_cost.h"
#include "core/text/bpe_trainer.h"
#include "lab/engine/torch_engine.h"
#include "lab/engine/torch_factory.h"
#include "lab/network/rpt_model.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::engine {

// The tiny model with the smallest vocabulary that a tokenizer can have.
inline model::ModelConfig with_bytes(model::ModelConfig c) {
    c.vocab = 262;
    return c;
}

// The tiny models that an engine opens.
inline std::vector<std::pair<std::string, model::ModelConfig>> readable_variants() {
    auto all = model::all_variants();
    std::erase_if(all, [](const auto& named) { return !unread_part(named.second).empty(); });
    return all;
}

class EngineTest : public testing::Test {
  protected:
    void SetUp() override {
        const auto* info = testing::UnitTest::GetInstance()->current_test_info();
        folder_ =
            std::filesystem::path(testing::TempDir()) / (std::string("rpt_engine_") + info->name());
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string save(const model::RptModel& model) {
        const std::string path = (folder_ / "model.safetensors").string();
        const auto tokenizer = text::BpeTrainer().train(262);
        model::save_model(model, tokenizer->to_json(), {}, path);
        return path;
    }
    std::shared_ptr<const Engine> open(const model::RptModel& model) {
        EngineOptions options;
        options.device = Device::kCpu;
        return open_torch_engine(save(model), options);
    }

    std::filesystem::path folder_;
};

inline std::vector<int32_t> to_ids(const at::Tensor& tokens) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < tokens.numel(); ++i)
        ids.push_back(static_cast<int32_t>(tokens[i].item<int64_t>()));
    return ids;
}

inline std::vector<float> floats(const at::Tensor& t) {
    const at::Tensor c = t.detach().contiguous();
    return {c.const_data_ptr<float>(), c.const_data_ptr<float>() + c.numel()};
}

inline double furthest(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_EQ(a.size(), b.size());
    double most = 0;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
    }
    return most;
}

}  // namespace rpt::engine
