// Models in packages (core/weights/package.h): one tensor for each parameter, under the same name.

#include "base/error.h"
#include "core/weights/dequantise.h"
#include "core/weights/package_config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rpt_model.h"

namespace rpt::model {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); ++i)
        text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

[[noreturn]] void corrupt(const std::string& name, const std::string& what) {
    throw Error(Status::kCorrupt, "rpt", "model package: tensor '" + name + "' " + what);
}

// Every slot that the config has, from a tensor of the same name.
ModelWeights read_weights(const weights::TensorSource& source, const ModelConfig& config,
                          at::Device device) {
    ModelWeights slots;
    for (const NamedSlot& slot : list_slots(config, slots)) {
        const auto it = source.tensors().find(slot.name);
        if (it == source.tensors().end()) corrupt(slot.name, "is missing");
        if (it->second.shape != slot.shape) {
            corrupt(slot.name, "has shape " + shape_text(it->second.shape) + ", its config says " +
                                   shape_text(slot.shape));
        }
        const at::Tensor numbers = at::empty(slot.shape, at::kFloat);
        weights::read_floats(source, slot.name,
                             {numbers.mutable_data_ptr<float>(), size_t(numbers.numel())});
        *slot.tensor = numbers.to(device);
    }
    return slots;
}

}  // namespace

void save_model(const RptModel& model, const std::string& tokenizer_json,
                std::map<std::string, std::string> metadata, const std::string& path) {
    std::map<std::string, weights::TensorData> tensors;
    std::vector<at::Tensor> alive;
    for (const auto& [name, parameter] : model.parameters()) {
        const at::Tensor t = parameter.detach().to(at::kCPU, at::kFloat).contiguous();
        alive.push_back(t);
        tensors[name] = {weights::DType::kF32,
                         t.sizes().vec(),
                         {static_cast<const std::byte*>(t.const_data_ptr()), t.nbytes()}};
    }
    metadata["config"] = model.config().to_json();
    metadata["tokenizer"] = tokenizer_json;
    weights::write_package(path, tensors, std::move(metadata));
}

std::unique_ptr<RptModel> load_model(const weights::Package& package, at::Device device) {
    const ModelConfig config = weights::config_of(package);
    return std::make_unique<RptModel>(config, read_weights(package, config, device), device);
}

}  // namespace rpt::model
