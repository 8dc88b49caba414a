// Models in packages (core/weights/package.h): one tensor for each parameter, under the same name,
// or the parts that it is joined from (docs/format/model.md).

#include "base/error.h"
#include "core/weights/dequantise.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"
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

// A tensor of the package that gives so many rows of a parameter.
struct Part {
    std::string name;
    int64_t rows;
};

// What a fused parameter is joined from, top rows first; empty for the others.
std::vector<Part> parts_of(const ModelConfig& c, const std::string& name) {
    const int64_t heads = c.n_heads * c.head_dim, groups = c.n_kv_heads * c.head_dim;
    const auto ends = [&](std::string_view with) {
        return name.starts_with("layers.") && name.ends_with(with);
    };
    const auto beside = [&](std::string_view with, const char* part) {
        return name.substr(0, name.size() - with.size()) + part;
    };
    const auto projections = [&](std::string_view fused, const std::string& suffix) {
        const std::string attention = beside(fused, ".attention.");
        return std::vector<Part>{{attention + "query" + suffix, heads},
                                 {attention + "key" + suffix, groups},
                                 {attention + "value" + suffix, groups}};
    };
    if (ends(".attention.qkv")) return projections(".attention.qkv", "");
    if (ends(".attention.qkv_bias")) return projections(".attention.qkv_bias", "_bias");
    if (ends(".ffn.in") && c.ffn == FfnKind::kSwiglu)
        return {{beside(".in", ".gate"), c.ffn_dim}, {beside(".in", ".up"), c.ffn_dim}};
    return {};
}

// The tensor `name` of the package into `rows`, which has the shape that it must have.
void read_rows(const weights::TensorSource& source, const std::string& name, at::Tensor rows) {
    const auto it = source.tensors().find(name);
    if (it == source.tensors().end()) corrupt(name, "is missing");
    if (it->second.shape != rows.sizes().vec()) {
        corrupt(name, "has shape " + shape_text(it->second.shape) + ", its config says " +
                          shape_text(rows.sizes().vec()));
    }
    weights::read_floats(source, name,
                         {rows.mutable_data_ptr<float>(), static_cast<size_t>(rows.numel())});
}

// Every slot that the config has. Numbers are made fp32 where they stay: weights are in memory
// once.
ModelWeights read_weights(const weights::TensorSource& source, const ModelConfig& config,
                          at::Device device) {
    ModelWeights slots;
    for (const NamedSlot& slot : list_slots(config, slots)) {
        const at::Tensor numbers = at::empty(slot.shape, at::kFloat);
        const std::vector<Part> parts = parts_of(config, slot.name);
        const auto there = [&](const std::string& name) { return source.tensors().contains(name); };
        if (!parts.empty() && !there(slot.name) && there(parts[0].name)) {
            int64_t row = 0;
            for (const Part& part : parts) {
                read_rows(source, part.name, numbers.narrow(0, row, part.rows));
                row += part.rows;
            }
        } else {
            read_rows(source, slot.name, numbers);
        }
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
