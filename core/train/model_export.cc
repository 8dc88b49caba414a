#include "core/train/model_export.h"

#include <ATen/ATen.h>

#include <map>
#include <vector>

#include "base/error.h"
#include "core/train/checkpoint.h"
#include "core/weights/package.h"

namespace rpt::train {

ExportFacts export_model(const ExportOptions& options, const std::string& path) {
    const CheckpointModel loaded = load_checkpoint_model(options.checkpoint, at::kCPU);
    const Digest digest = sha256(options.tokenizer_json.data(), options.tokenizer_json.size());
    if (digest != loaded.tokenizer) {
        throw Error(Status::kModelMismatch, "rpt",
                    "checkpoint \"" + options.checkpoint +
                        "\" was trained with another tokenizer, of sha-256 " +
                        to_hex(loaded.tokenizer));
    }
    ExportFacts facts{loaded.step, 0};
    std::map<std::string, std::string> metadata = {{"name", options.name},
                                                   {"step", std::to_string(loaded.step)},
                                                   {"training", loaded.training_json}};
    for (const auto& [name, parameter] : loaded.model->parameters())
        facts.parameters += parameter.numel();
    if (!options.half) {
        model::save_model(*loaded.model, options.tokenizer_json, metadata, path);
        return facts;
    }
    std::vector<at::Tensor> kept;
    std::map<std::string, weights::TensorData> tensors;
    for (const auto& [name, parameter] : loaded.model->parameters()) {
        kept.push_back(parameter.detach().to(at::kCPU, at::kHalf).contiguous());
        const at::Tensor& half = kept.back();
        if (!half.isfinite().all().item<bool>()) {
            throw Error(Status::kTooLarge, "rpt",
                        "tensor \"" + name + "\" does not fit fp16; export without --half");
        }
        tensors[name] = {weights::DType::kF16,
                         half.sizes().vec(),
                         {static_cast<const std::byte*>(half.const_data_ptr()), half.nbytes()}};
    }
    metadata["config"] = loaded.model->config().to_json();
    metadata["tokenizer"] = options.tokenizer_json;
    weights::write_package(path, tensors, metadata);
    return facts;
}

}  // namespace rpt::train
