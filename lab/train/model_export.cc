#include "lab/train/model_export.h"

#include <ATen/ATen.h>

#include <map>
#include <vector>

#include "base/error.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"
#include "lab/train/checkpoint.h"

namespace rpt::train {
namespace {

std::map<std::string, std::string> metadata_of(const ExportOptions& options,
                                               const TrainedModel& trained) {
    std::map<std::string, std::string> metadata;
    if (is_checkpoint(*trained.file)) {
        metadata = {{"name", "unnamed"},
                    {"step", std::to_string(trained.step)},
                    {"training", trained.training_json}};
    } else {
        metadata = trained.file->metadata();
    }
    metadata["config"] = trained.file->config_json();
    if (!options.tokenizer_json.empty()) metadata["tokenizer"] = options.tokenizer_json;
    if (!options.name.empty()) metadata["name"] = options.name;
    if (options.read_neighbours > 0)
        metadata[weights::kReadNeighboursKey] = std::to_string(options.read_neighbours);
    return metadata;
}

void require_same_tokenizer(const ExportOptions& options, const TrainedModel& trained) {
    if (options.tokenizer_json.empty()) return;
    const Digest digest = sha256(options.tokenizer_json.data(), options.tokenizer_json.size());
    if (digest == trained.tokenizer) return;
    throw Error(Status::kModelMismatch, "rpt",
                "\"" + options.source + "\" was trained with another tokenizer, of sha-256 " +
                    to_hex(trained.tokenizer));
}

}  // namespace

ExportFacts export_model(const ExportOptions& options, const std::string& path) {
    const TrainedModel trained = load_trained_model(options.source, at::kCPU);
    require_same_tokenizer(options, trained);
    if (options.tokenizer_json.empty() && is_checkpoint(*trained.file)) {
        throw Error(Status::kArgument, "rpt",
                    "checkpoint \"" + options.source +
                        "\" holds no tokenizer; name the one of its shards with --tokenizer");
    }
    ExportFacts facts{trained.step, 0};
    const at::ScalarType type = options.half ? at::kHalf : at::kFloat;
    std::vector<at::Tensor> kept;
    std::map<std::string, weights::TensorData> tensors;
    for (const auto& [name, parameter] : trained.model->parameters()) {
        facts.parameters += parameter.numel();
        kept.push_back(parameter.detach().to(at::kCPU, type).contiguous());
        const at::Tensor& plain = kept.back();
        if (options.half && !plain.isfinite().all().item<bool>()) {
            throw Error(Status::kTooLarge, "rpt",
                        "tensor \"" + name + "\" does not fit fp16; export without --half");
        }
        tensors[name] = {options.half ? weights::DType::kF16 : weights::DType::kF32,
                         plain.sizes().vec(),
                         {static_cast<const std::byte*>(plain.const_data_ptr()), plain.nbytes()}};
    }
    weights::write_package(path, tensors, metadata_of(options, trained));
    return facts;
}

}  // namespace rpt::train
