// Packages that an engine does not open.
#include <map>

#include "base/error.h"
#include "core/weights/package_writer.h"
#include "tests/unit/lab/engine/engine_fixture.h"

namespace rpt::engine {
namespace {

TEST_F(EngineTest, open_refuses_a_memory_of_another_kind_by_its_name) {
    std::map<std::string, std::string> refused;
    for (const auto& [name, config] : model::all_variants()) {
        if (unread_part(config).empty()) continue;
        const std::string path = save(model::RptModel(with_bytes(config), 3));
        try {
            open_engine(path, {});
            ADD_FAILURE() << name << " was opened";
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), Status::kUnsupported) << name;
            refused[name] = error.what();
        }
    }
    EXPECT_EQ(
        refused["memorizing"],
        "model \"" + (folder_ / "model.safetensors").string() +
            "\": no engine runs it: libtorch: layer 2 attends to far keys "
            "(memorizing_layers), which the library does not read; evaluate it with rpt-lab eval");
    EXPECT_NE(refused["block_recurrent"].find("layer 1 is block-recurrent"), std::string::npos);
    EXPECT_NE(refused["griffin"].find("layer 2 has a gated recurrence"), std::string::npos);
    EXPECT_NE(refused["rpt_bypass_zero_slot"].find("past the residual"), std::string::npos);
}

}  // namespace
// A package's own numbers of the gate of copying; none, or as they are.
TEST_F(EngineTest, open_reads_numbers_of_the_copy_gate) {
    const c10::NoGradGuard no_grad;
    const model::RptModel model(with_bytes(model::frozen_variants().front().second), 3);
    EXPECT_TRUE(open(model)->copy_numbers().empty());
    const auto with = [&](const std::vector<float>& numbers, const std::vector<int64_t>& shape) {
        const std::string bare = save(model), path = (folder_ / "fitted.safetensors").string();
        const auto package = weights::Package::open(bare);
        std::map<std::string, std::vector<std::byte>> bytes;
        std::map<std::string, weights::TensorData> tensors;
        for (const auto& [name, info] : package->tensors()) {
            bytes[name].resize(info.bytes);
            package->read(name, bytes[name]);
            tensors[name] = {info.dtype, info.shape, bytes[name]};
        }
        tensors["memory.copy"] = {weights::DType::kF32, shape, std::as_bytes(std::span(numbers))};
        weights::write_package(
            path, tensors,
            {{"config", package->config_json()}, {"tokenizer", package->tokenizer_json()}});
        EngineOptions options;
        options.device = Device::kCpu;
        return open_torch_engine(path, options);
    };
    const std::vector<float> numbers{20, 0.5f, -1, 3};
    const auto engine = with(numbers, {4});
    const std::span<const float> read = engine->copy_numbers();
    EXPECT_EQ(std::vector<float>(read.begin(), read.end()), numbers);
    try {
        with(numbers, {2, 2});
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kCorrupt);
        EXPECT_NE(std::string(error.what()).find("memory.copy"), std::string::npos);
    }
}

}  // namespace rpt::engine
