#include "lab/ways/split_model.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "core/weights/package_config.h"

namespace rpt::ways {
namespace {

class SplitPackage final : public weights::Package {
  public:
    SplitPackage(std::shared_ptr<const weights::Package> package, int64_t n_lower, int64_t n_upper)
        : package_(std::move(package)), metadata_(package_->metadata()) {
        auto config = nlohmann::ordered_json::parse(config_json());
        config["n_lower"] = n_lower;
        config["n_upper"] = n_upper;
        metadata_["config"] = config.dump();
    }
    const std::map<std::string, weights::TensorInfo>& tensors() const override {
        return package_->tensors();
    }
    void read_at(const std::string& name, uint64_t offset,
                 std::span<std::byte> out) const override {
        package_->read_at(name, offset, out);
    }
    const std::map<std::string, std::string>& metadata() const override { return metadata_; }
    const Digest& fingerprint() const override { return package_->fingerprint(); }

  private:
    std::shared_ptr<const weights::Package> package_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace

std::shared_ptr<const weights::Package> split_at(std::shared_ptr<const weights::Package> package,
                                                 int64_t n_lower) {
    const model::ModelConfig config = weights::config_of(*package);
    if (n_lower < 1 || n_lower >= config.layers())
        throw Error(Status::kArgument, "rpt",
                    "--split " + std::to_string(n_lower) + ": the model has " +
                        std::to_string(config.layers()) + " layers; the lower half has 1 to " +
                        std::to_string(config.layers() - 1) + " of them");
    return std::make_shared<const SplitPackage>(std::move(package), n_lower,
                                                config.layers() - n_lower);
}

}  // namespace rpt::ways
