#include "lab/memory/memory_file.h"

#include <nlohmann/json.hpp>

#include "core/weights/package_writer.h"

namespace rpt::memory {
namespace {

// Factor of cosines, what counts as near, bias, weights, shifts, scales: as core/reader reads them.
at::Tensor gate_numbers(const CopyParameters& p) {
    return at::cat({factor_of(p).detach().view({1}), at::full({1}, kNearCosine),
                    p.bias.detach().view({1}), p.weights.detach(), p.shift, p.scale});
}

}  // namespace

void write_memory(const CopyParameters& own, const CopyParameters& spaces,
                  const at::Tensor& state_scale, const model::ModelConfig& config,
                  const MemoryFacts& facts, const std::string& path) {
    const std::map<std::string, at::Tensor> tensors = {
        {"memory.pointer.mean", own.mean},
        {"memory.pointer.query", own.query.detach()},
        {"memory.pointer.key", own.key.detach()},
        {"memory.state_scale", state_scale},
        {"memory.copy", at::cat({gate_numbers(own), gate_numbers(spaces)})}};
    std::map<std::string, at::Tensor> alive;
    std::map<std::string, weights::TensorData> data;
    for (const auto& [name, tensor] : tensors) {
        const at::Tensor& t = alive[name] = tensor.to(at::kFloat).contiguous();
        data[name] = {weights::DType::kF32,
                      t.sizes().vec(),
                      {static_cast<const std::byte*>(t.const_data_ptr()), t.nbytes()}};
    }
    const nlohmann::ordered_json changed = {{"n_lower", config.n_lower},
                                            {"n_upper", config.n_upper},
                                            {"stride", config.stride},
                                            {"retrieval", "pointer"},
                                            {"pointer_layer", facts.pointer_layer},
                                            {"pointer_width", own.query.size(0)}};
    weights::write_package(path, data,
                           {{"memory", changed.dump()},
                            {"weights", to_hex(facts.weights)},
                            {"made_from", facts.made_from},
                            {"config", "{}"},
                            {"tokenizer", "{}"}});
}

}  // namespace rpt::memory
