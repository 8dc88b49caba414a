// Models in packages (core/weights/package.h): one tensor for each parameter, under the same name.

#include "base/error.h"
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

std::optional<at::ScalarType> torch_type(weights::DType type) {
    switch (type) {
        case weights::DType::kF32:
            return at::kFloat;
        case weights::DType::kF16:
            return at::kHalf;
        case weights::DType::kBf16:
            return at::kBFloat16;
        case weights::DType::kI8:
        case weights::DType::kI64:
            break;
    }
    return std::nullopt;
}

// In the type of the file; the copy to fp32 and to the device is the caller's.
at::Tensor read_tensor(const weights::TensorSource& source, const std::string& name,
                       const weights::TensorInfo& info) {
    const auto type = torch_type(info.dtype);
    if (!type) corrupt(name, "holds integers where numbers of a floating type belong");
    at::Tensor out = at::empty(info.shape, at::TensorOptions().dtype(*type));
    source.read(name, {static_cast<std::byte*>(out.mutable_data_ptr()), out.nbytes()});
    return out;
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
        *slot.tensor = read_tensor(source, slot.name, it->second).to(at::kFloat).to(device);
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
