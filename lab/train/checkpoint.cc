#include "lab/train/checkpoint.h"

#include <ATen/core/grad_mode.h>

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "core/text/tokenizer.h"
#include "core/weights/model_file.h"
#include "core/weights/package_writer.h"

namespace rpt::train {
namespace {

// Names in the file, on disk, never change: docs/training.md.
constexpr const char* kKind = "rpt-checkpoint";
const std::string kModelPrefix = "model/";
const std::string kMeanPrefix = "adam_mean/";
const std::string kSquarePrefix = "adam_square/";
const std::string kStepsPrefix = "adam_steps/";

// Keeps the CPU copies alive that a package is written from.
class TensorSet {
  public:
    void add(const std::string& name, const at::Tensor& tensor) {
        const at::Tensor plain = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
        kept_.push_back(plain);
        const auto* data = static_cast<const std::byte*>(plain.data_ptr());
        const std::vector<int64_t> shape(plain.sizes().begin(), plain.sizes().end());
        tensors_[name] = {weights::DType::kF32, shape, {data, static_cast<size_t>(plain.nbytes())}};
    }
    const std::map<std::string, weights::TensorData>& tensors() const { return tensors_; }

  private:
    std::vector<at::Tensor> kept_;
    std::map<std::string, weights::TensorData> tensors_;
};

void restore(const weights::Package& package, const std::string& name, at::Tensor target) {
    const auto it = package.tensors().find(name);
    const std::vector<int64_t> shape(target.sizes().begin(), target.sizes().end());
    if (it == package.tensors().end() || it->second.dtype != weights::DType::kF32 ||
        it->second.shape != shape) {
        throw Error(Status::kCorrupt, "rpt",
                    "checkpoint: tensor \"" + name +
                        "\" is missing or has another shape; was it written by this run");
    }
    const at::NoGradGuard no_grad;
    at::Tensor plain = at::empty(shape, at::kFloat);
    package.read(name, {static_cast<std::byte*>(plain.data_ptr()), plain.nbytes()});
    target.copy_(plain);
}

const std::string& note(const weights::Package& package, const std::string& key,
                        const std::string& path) {
    const auto it = package.metadata().find(key);
    if (it == package.metadata().end()) {
        throw Error(Status::kCorrupt, "rpt",
                    "\"" + path + "\" is no checkpoint: it has no \"" + key + "\"");
    }
    return it->second;
}

int64_t step_of(const weights::Package& package, const std::string& path) {
    const std::string& text = note(package, "step", path);
    if (text.empty() || text.size() > 15 ||
        text.find_first_not_of("0123456789") != std::string::npos) {
        throw Error(Status::kCorrupt, "rpt", "checkpoint \"" + path + "\": step is not a number");
    }
    return std::stoll(text);
}

std::shared_ptr<const weights::Package> open_checkpoint(const std::string& path) {
    auto package = weights::Package::open(path);
    if (!is_checkpoint(*package)) {
        throw Error(Status::kCorrupt, "rpt", "\"" + path + "\" is no checkpoint");
    }
    return package;
}

Digest digest_of(const std::string& hex, const std::string& path) {
    Digest digest{};
    if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
        throw Error(Status::kCorrupt, "rpt",
                    "checkpoint \"" + path + "\": tokenizer hash is not valid");
    }
    for (size_t i = 0; i < digest.size(); ++i) {
        digest[i] = static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    }
    return digest;
}

}  // namespace

void save_checkpoint(Trainer& trainer, const ShardVocabulary& vocabulary,
                     const std::map<std::string, std::string>& notes, const std::string& path) {
    TensorSet set;
    const auto& parameters = trainer.model().parameters();
    const auto& moments = trainer.optimizer().moments();
    for (size_t i = 0; i < parameters.size(); ++i) {
        const std::string& name = parameters[i].first;
        set.add(kModelPrefix + name, parameters[i].second);
        set.add(kMeanPrefix + name, moments[i].mean);
        set.add(kSquarePrefix + name, moments[i].square);
        set.add(kStepsPrefix + name, moments[i].steps);
    }
    std::map<std::string, std::string> metadata = notes;
    metadata["kind"] = kKind;
    metadata["config"] = trainer.model().config().to_json();
    metadata["training"] = trainer.config().to_json();
    metadata["step"] = std::to_string(trainer.steps_done());
    metadata["tokenizer_sha256"] = to_hex(vocabulary.tokenizer);
    weights::write_package(path, set.tensors(), metadata);
}

void load_checkpoint(const std::string& path, const ShardVocabulary& vocabulary, Trainer& trainer) {
    const auto package = open_checkpoint(path);
    if (model::ModelConfig::from_json(package->config_json()) != trainer.model().config()) {
        throw Error(
            Status::kModelMismatch, "rpt",
            "checkpoint \"" + path + "\" is of another model; resume with the config beside it");
    }
    if (note(*package, "tokenizer_sha256", path) != to_hex(vocabulary.tokenizer)) {
        throw Error(
            Status::kModelMismatch, "rpt",
            "checkpoint \"" + path + "\" was trained with another tokenizer than the shards'");
    }
    const auto& parameters = trainer.model().parameters();
    auto& moments = trainer.optimizer().moments();
    for (size_t i = 0; i < parameters.size(); ++i) {
        const std::string& name = parameters[i].first;
        restore(*package, kModelPrefix + name, parameters[i].second.detach());
        restore(*package, kMeanPrefix + name, moments[i].mean);
        restore(*package, kSquarePrefix + name, moments[i].square);
        restore(*package, kStepsPrefix + name, moments[i].steps);
    }
    trainer.set_steps_done(step_of(*package, path));
}

TrainedModel load_trained_model(const std::string& path, at::Device device) {
    const auto package = weights::open_model_alone(path);
    TrainedModel loaded;
    loaded.file = package;
    loaded.fingerprint = package->fingerprint();
    if (!is_checkpoint(*package)) {
        const std::string json = text::Tokenizer::from_json(package->tokenizer_json())->to_json();
        loaded.tokenizer = sha256(json.data(), json.size());
        loaded.model = model::load_model(*package, device);
        if (package->metadata().contains("step")) loaded.step = step_of(*package, path);
        if (package->metadata().contains("training"))
            loaded.training_json = package->metadata().at("training");
        return loaded;
    }
    const auto config = model::ModelConfig::from_json(package->config_json());
    loaded.model = std::make_unique<model::RptModel>(config, 0, device);
    for (const auto& [name, parameter] : loaded.model->parameters()) {
        restore(*package, kModelPrefix + name, parameter.detach());
    }
    loaded.step = step_of(*package, path);
    loaded.tokenizer = digest_of(note(*package, "tokenizer_sha256", path), path);
    loaded.training_json = note(*package, "training", path);
    return loaded;
}

bool is_checkpoint(const weights::Package& package) {
    const auto kind = package.metadata().find("kind");
    return kind != package.metadata().end() && kind->second == kKind;
}

}  // namespace rpt::train
