#include "lab/ways/split_model.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "core/model/reading.h"
#include "core/weights/package_config.h"
#include "tests/unit/reader/mass_twin.h"

namespace rpt::ways {
namespace {

// A package of one tensor.
class SmallPackage final : public weights::Package {
  public:
    explicit SmallPackage(const model::ModelConfig& config) {
        metadata_["config"] = config.to_json();
        metadata_["tokenizer"] = "{}";
        tensors_["one"] = {weights::DType::kF32, {1}, 4};
        fingerprint_.fill(9);
    }
    const std::map<std::string, weights::TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string& name, uint64_t offset,
                 std::span<std::byte> out) const override {
        EXPECT_EQ(name, "one");
        for (std::byte& byte : out) byte = static_cast<std::byte>(40 + offset++);
    }
    const std::map<std::string, std::string>& metadata() const override { return metadata_; }
    const Digest& fingerprint() const override { return fingerprint_; }

  private:
    std::map<std::string, weights::TensorInfo> tensors_;
    std::map<std::string, std::string> metadata_;
    Digest fingerprint_;
};

TEST(SplitModel, halves_meet_elsewhere_and_all_else_stays) {
    model::ModelConfig config = reader::frozen_engine(true, model::kReadUpper)->config();
    config.n_lower = 2;
    config.n_upper = 4;
    config.pointer_layer = 5;
    const auto package = std::make_shared<const SmallPackage>(config);
    const auto split = split_at(package, 5);
    model::ModelConfig want = config;
    want.n_lower = 5;
    want.n_upper = 1;
    EXPECT_EQ(weights::config_of(*split).to_json(), want.to_json());
    EXPECT_EQ(split->tokenizer_json(), "{}");
    EXPECT_EQ(split->fingerprint(), package->fingerprint());
    EXPECT_EQ(split->tensors().size(), 1u);
    std::array<std::byte, 2> bytes{};
    split->read_at("one", 1, bytes);
    EXPECT_EQ(bytes[1], std::byte{42});
    for (const int64_t wrong : {-1, 0, 6, 7}) EXPECT_THROW(split_at(package, wrong), Error);
}

}  // namespace
}  // namespace rpt::ways
