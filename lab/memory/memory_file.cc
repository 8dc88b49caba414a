#include "lab/memory/memory_file.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "core/weights/package_writer.h"

namespace rpt::memory {
namespace {

// Factor of cosines, what counts as near, bias, weights, shifts, scales [18]: as core/reader reads
// them.
at::Tensor gate_numbers(const CopyParameters& p) {
    return at::cat({factor_of(p).detach().view({1}), at::full({1}, kNearCosine),
                    p.bias.detach().view({1}), p.weights.detach(), p.shift, p.scale});
}

at::Tensor read(const weights::TensorSource& source, const std::string& name, int64_t dim) {
    const auto found = source.tensors().find("memory." + name);
    if (found == source.tensors().end())
        throw Error(Status::kCorrupt, "rpt",
                    "model: it has no tensor memory." + name + "; fit a memory file for it first");
    const weights::TensorInfo& info = found->second;
    if (info.dtype != weights::DType::kF32 || static_cast<int64_t>(info.shape.size()) != dim)
        throw Error(Status::kCorrupt, "rpt",
                    "model: tensor memory." + name + " is of another type or shape");
    at::Tensor out = at::empty(info.shape, at::kFloat);
    source.read("memory." + name, {static_cast<std::byte*>(out.mutable_data_ptr()), out.nbytes()});
    return out;
}

}  // namespace

CopyParameters read_memory(const weights::TensorSource& source, bool for_spaces) {
    CopyParameters p;
    p.mean = read(source, "pointer.mean", 1);
    p.query = read(source, "pointer.query", 2);
    p.key = read(source, "pointer.key", 2);
    const at::Tensor all = read(source, "copy", 1);
    constexpr int64_t kNumbers = 3 + 3 * kGateInputs;
    if (all.size(0) != 2 * kNumbers)
        throw Error(Status::kCorrupt, "rpt",
                    "model: tensor memory.copy has " + std::to_string(all.size(0)) +
                        " numbers, not " + std::to_string(2 * kNumbers));
    const at::Tensor numbers = all.narrow(0, for_spaces ? kNumbers : 0, kNumbers);
    p.temperature = numbers[0].log();
    p.bias = numbers[2].clone();
    p.weights = numbers.narrow(0, 3, kGateInputs).clone();
    p.shift = numbers.narrow(0, 3 + kGateInputs, kGateInputs).clone();
    p.scale = numbers.narrow(0, 3 + 2 * kGateInputs, kGateInputs).clone();
    return p;
}

void write_pointer(const CopyParameters& own, const CopyParameters& spaces,
                   std::map<std::string, at::Tensor> tensors,
                   std::map<std::string, std::string> metadata, const std::string& path) {
    tensors["memory.pointer.mean"] = own.mean;
    tensors["memory.pointer.query"] = own.query.detach();
    tensors["memory.pointer.key"] = own.key.detach();
    tensors["memory.copy"] = at::cat({gate_numbers(own), gate_numbers(spaces)});
    std::map<std::string, weights::TensorData> data;
    for (auto& [name, t] : tensors) {
        t = t.to(at::kFloat).contiguous();
        data[name] = {weights::DType::kF32,
                      t.sizes().vec(),
                      {static_cast<const std::byte*>(t.const_data_ptr()), t.nbytes()}};
    }
    metadata["config"] = metadata["tokenizer"] = "{}";
    weights::write_package(path, data, metadata);
}

void write_memory(const CopyParameters& own, const CopyParameters& spaces,
                  const at::Tensor& state_scale, const model::ModelConfig& config,
                  const MemoryFacts& facts, const std::string& path) {
    const nlohmann::ordered_json changed = {{"n_lower", config.n_lower},
                                            {"n_upper", config.n_upper},
                                            {"stride", config.stride},
                                            {"retrieval", "pointer"},
                                            {"pointer_layer", facts.pointer_layer},
                                            {"pointer_width", own.query.size(0)}};
    write_pointer(own, spaces, {{"memory.state_scale", state_scale}},
                  {{"memory", changed.dump()},
                   {"weights", to_hex(facts.weights)},
                   {"made_from", facts.made_from}},
                  path);
}

}  // namespace rpt::memory
