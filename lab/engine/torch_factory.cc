#include "lab/engine/torch_factory.h"

#include <array>

#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "lab/engine/torch_engine.h"
#include "lab/network/float_products.h"

namespace rpt::engine {
namespace {

at::Device pick_device(const EngineOptions& options) {
    const bool wants_cuda = options.device == Device::kCuda;
    const bool has_cuda = options.device != Device::kCpu && at::hasCUDA();
    if (!has_cuda) {
        if (wants_cuda) {
            throw Error(Status::kDevice, "torch",
                        "device cuda: not there or not in this build; use cpu or auto");
        }
        return at::kCPU;
    }
    const int64_t count = static_cast<int64_t>(at::detail::getCUDAHooks().deviceCount());
    if (options.device_index < 0 || options.device_index >= count) {
        throw Error(Status::kDevice, "torch",
                    "device cuda:" + std::to_string(options.device_index) + ": there are " +
                        std::to_string(count) + " devices");
    }
    return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(options.device_index));
}

}  // namespace

std::string unread_part(const model::ModelConfig& config) {
    const auto layer = [](const std::vector<int64_t>& layers, const char* kind) {
        return "layer " + std::to_string(layers.front()) + " " + kind;
    };
    if (!config.memorizing_layers.empty())
        return layer(config.memorizing_layers, "attends to far keys (memorizing_layers)");
    if (!config.recurrent_layers.empty())
        return layer(config.recurrent_layers, "is block-recurrent (recurrent_layers)");
    if (!config.griffin_layers.empty())
        return layer(config.griffin_layers, "has a gated recurrence (griffin_layers)");
    if (config.has_cca() && config.cca_residual == model::CcaResidual::kBypass)
        return "cross-attention goes past the residual (cca_residual bypass)";
    return "";
}

std::string TorchFactory::refusal(const model::ModelConfig& config,
                                  const EngineOptions& options) const {
    if (options.precision == Precision::kBf16 || options.precision == Precision::kF16)
        return "it computes in fp32; ask for precision model or f32";
    if (const std::string part = unread_part(config); !part.empty())
        return part + ", which the library does not read; evaluate it with rpt-lab eval";
    return "";
}

std::shared_ptr<const Engine> TorchFactory::open(const weights::Package& package,
                                                 const EngineOptions& options) const {
    const at::Device device = pick_device(options);
    if (device.is_cpu()) model::use_fast_float_products();
    try {
        return std::make_shared<const TorchEngine>(package, device);
    } catch (const c10::Error& error) {
        throw Error(Status::kDevice, "torch",
                    "model: " + std::string(error.what_without_backtrace()).substr(0, 200));
    }
}

void forget_neighbours(const Engine& engine) {
    if (const auto* ours = dynamic_cast<const TorchEngine*>(&engine)) ours->upper_memo().clear();
}

std::shared_ptr<const Engine> open_torch_engine(const std::string& path,
                                                const EngineOptions& options) {
    const auto package = weights::open_model(path);
    const TorchFactory factory;
    if (const auto refusal = factory.refusal(weights::config_of(*package), options);
        !refusal.empty())
        throw Error(Status::kUnsupported, "rpt", "model \"" + path + "\": " + refusal);
    return factory.open(*package, options);
}

}  // namespace rpt::engine
