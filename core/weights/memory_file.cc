#include "core/weights/memory_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "core/model/config.h"
#include "core/weights/package_layout.h"

namespace rpt::weights {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostKeys = 1000;
constexpr const char* kUntrained = "untrained";

// Keys that say what the model's own tensors are.
constexpr std::string_view kOfWeights[] = {"vocab",
                                           "dim",
                                           "n_heads",
                                           "n_kv_heads",
                                           "head_dim",
                                           "ffn",
                                           "ffn_dim",
                                           "rope_theta",
                                           "rope_pairing",
                                           "norm_eps",
                                           "tied_output",
                                           "final_norm",
                                           "null_self_kv",
                                           "scale_logits",
                                           "scale_embedding",
                                           "attention_bias",
                                           "query_key_norm",
                                           "rope_scaling",
                                           "rope_factor",
                                           "rope_low_frequency",
                                           "rope_high_frequency",
                                           "rope_original_context"};

// The keys of the memory over those of the model. A new split moves the border between the halves.
std::string join_configs(const std::string& path, const std::string& model_json,
                         const std::string& memory_json) {
    const Json memory = Json::parse(memory_json, nullptr, false);
    if (!memory.is_object() || memory.size() > kMostKeys)
        throw_corrupt_model(path, "\"memory\" of its metadata is no JSON object");
    for (const auto& [key, value] : memory.items())
        if (std::ranges::find(kOfWeights, key) != std::end(kOfWeights))
            throw_corrupt_model(path, "\"memory\" of its metadata changes \"" + key +
                                          "\", which tells what the model's weights are");
    Json config;
    int64_t layers = 0, joined_layers = 0;
    try {
        layers = model::ModelConfig::from_json(model_json).layers();
        config = Json::parse(model_json);
        config.update(memory);
        if (memory.contains("n_lower") && !memory.contains("n_upper"))
            config["n_upper"] = layers - memory.at("n_lower").get<int64_t>();
        joined_layers = model::ModelConfig::from_json(config.dump()).layers();
    } catch (const Error& error) {
        throw_corrupt_model(path, error.what());
    } catch (const Json::exception&) {
        throw_corrupt_model(path,
                            "\"memory\" of its metadata has an \"n_lower\" that is no number");
    }
    if (joined_layers != layers)
        throw_corrupt_model(path, "\"memory\" of its metadata changes the number of layers");
    return config.dump();
}

class JoinedPackage final : public Package {
  public:
    JoinedPackage(std::shared_ptr<const Package> model, std::shared_ptr<const Package> file,
                  Metadata metadata, const Digest& fingerprint)
        : model_(std::move(model)),
          file_(std::move(file)),
          metadata_(std::move(metadata)),
          fingerprint_(fingerprint),
          tensors_(model_->tensors()) {
        for (const auto& tensor : file_->tensors()) tensors_.insert(tensor);
    }
    const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string& name, uint64_t offset,
                 std::span<std::byte> out) const override {
        if (file_->tensors().contains(name)) return file_->read_at(name, offset, out);
        model_->read_at(name, offset, out);
    }
    const Metadata& metadata() const override { return metadata_; }
    const Digest& fingerprint() const override { return fingerprint_; }

  private:
    const std::shared_ptr<const Package> model_;
    const std::shared_ptr<const Package> file_;
    const Metadata metadata_;
    const Digest fingerprint_;
    std::map<std::string, TensorInfo> tensors_;
};

void check_memory(const std::string& path, const Package& file, const Package& model) {
    if (!is_memory_file(file))
        throw_corrupt_model(path,
                            "its metadata has no \"memory\" and \"weights\", so it is no memory "
                            "file");
    const std::string own = to_hex(model.fingerprint());
    const std::string& other = file.metadata().at("weights");
    if (other != own)
        throw Error(Status::kModelMismatch, "rpt",
                    "memory file \"" + path + "\" belongs to the weights " + other.substr(0, 64) +
                        ", the model beside it has " + own +
                        "; move it away or fit one for this model");
    for (const auto& [name, info] : file.tensors())
        if (!name.starts_with("memory.") || model.tensors().contains(name))
            throw_corrupt_model(path, "tensor \"" + name + "\" has no place in a memory file");
}

}  // namespace

std::string memory_path_of(const std::string& model_path) {
    std::string name = model_path;
    while (name.size() > 1 && name.back() == '/') name.pop_back();
    for (const std::string_view ending : {".gguf", ".safetensors"})
        if (name.ends_with(ending)) {
            name.resize(name.size() - ending.size());
            break;
        }
    return name + ".memory.safetensors";
}

bool is_memory_file(const Package& package) {
    return package.metadata().contains("memory") && package.metadata().contains("weights");
}

bool has_untrained_memory(const Package& package) {
    return package.metadata().contains(kUntrained);
}

std::shared_ptr<const Package> join_memory(std::shared_ptr<const Package> model,
                                           const std::string& memory_path, bool verify,
                                           const CallControl& control) {
    return join_memory(std::move(model), Package::open(memory_path, verify, control), memory_path);
}

std::shared_ptr<const Package> join_memory(std::shared_ptr<const Package> model,
                                           std::shared_ptr<const Package> file,
                                           const std::string& name) {
    check_memory(name, *file, *model);
    const std::string& keys = file->metadata().at("memory");
    auto metadata = model->metadata();
    metadata["config"] = join_configs(name, model->config_json(), keys);
    if (has_untrained_memory(*file)) metadata[kUntrained] = "yes";
    const Digest of_keys = sha256(keys.data(), keys.size());
    Sha256 all;
    for (const Digest& digest : {model->fingerprint(), file->fingerprint(), of_keys})
        all.update(digest.data(), digest.size());
    return std::make_shared<const JoinedPackage>(std::move(model), std::move(file),
                                                 std::move(metadata), all.finish());
}

}  // namespace rpt::weights
