#include "core/calibration/untrained_memory.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "core/calibration/calibration_text.h"
#include "core/calibration/principal_directions.h"
#include "core/calibration/untrained_gate.h"
#include "core/engine/engine_factory.h"
#include "core/weights/memory_file.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"

namespace rpt::calibration {
namespace {

using weights::Package;

constexpr int64_t kWidth = 128;  // of a pointer
constexpr int64_t kLeftOut = 2;  // layers above the pointers
constexpr double kLeastScale = 1e-6;

// Tensors of fp32 by name, with their shapes.
struct Tensors {
    std::map<std::string, std::vector<float>> numbers;
    std::map<std::string, std::vector<int64_t>> shapes;

    void add(const std::string& name, std::vector<int64_t> shape, std::vector<float> values) {
        shapes[name] = std::move(shape);
        numbers[name] = std::move(values);
    }
};

// A memory that is not on the disk.
class MemoryInHand final : public Package {
  public:
    MemoryInHand(Tensors tensors, std::map<std::string, std::string> metadata)
        : values_(std::move(tensors)), metadata_(std::move(metadata)) {
        for (const auto& [name, shape] : values_.shapes)
            tensors_[name] = {weights::DType::kF32, shape,
                              values_.numbers.at(name).size() * sizeof(float)};
    }
    const std::map<std::string, weights::TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string& name, uint64_t offset,
                 std::span<std::byte> out) const override {
        const auto bytes = std::as_bytes(std::span(values_.numbers.at(name)));
        if (!out.empty()) std::memcpy(out.data(), bytes.subspan(offset).data(), out.size());
    }
    const std::map<std::string, std::string>& metadata() const override { return metadata_; }
    const Digest& fingerprint() const override { return fingerprint_; }

  private:
    const Tensors values_;
    const std::map<std::string, std::string> metadata_;
    std::map<std::string, weights::TensorInfo> tensors_;
    Digest fingerprint_{};
};

std::map<std::string, std::string> metadata_of(const Package& model, int64_t n_lower,
                                               const model::ModelConfig& config,
                                               int64_t pointer_layer, int64_t width) {
    const nlohmann::ordered_json changed = {
        {"n_lower", n_lower},     {"n_upper", config.layers() - n_lower}, {"stride", config.stride},
        {"retrieval", "pointer"}, {"pointer_layer", pointer_layer},       {"pointer_width", width}};
    return {{"memory", changed.dump()},
            {"weights", to_hex(model.fingerprint())},
            {"config", "{}"},
            {"tokenizer", "{}"}};
}

// Tokens of the calibration text, each piece a begin token and then what the window still holds.
std::vector<std::vector<int32_t>> pieces_of(const text::Tokenizer& tokenizer, size_t window) {
    std::vector<std::vector<int32_t>> pieces;
    for (const std::string_view text :
         {calibration_prose(), calibration_cpp(), calibration_python(), calibration_page()}) {
        pieces.push_back({tokenizer.bos()});
        for (const text::Token& token : tokenizer.encode(text)) {
            if (pieces.back().size() == window) pieces.push_back({tokenizer.bos()});
            pieces.back().push_back(token.id);
        }
    }
    return pieces;
}

// Progress of both runs through the text as one.
struct Walk {
    const CallControl& control;
    uint64_t done = 0;
};

// What the residual stream is like after `layer` layers. A memory that splits the model there hands
// it out as the states of its chunks. The begin tokens do not count: they are like no other.
Moments moments_after(const std::shared_ptr<const Package>& model, int64_t layer, Walk& walk) {
    const model::ModelConfig config = weights::config_of(*model);
    const auto d = static_cast<size_t>(config.dim);
    Tensors tensors;
    tensors.add("memory.pointer.mean", {config.dim}, std::vector<float>(d, 0));
    for (const char* map : {"memory.pointer.query", "memory.pointer.key"})
        tensors.add(map, {1, config.dim}, std::vector<float>(d, 1));
    tensors.add("memory.state_scale", {config.dim}, std::vector<float>(d, 1));
    const auto memory = std::make_shared<const MemoryInHand>(
        std::move(tensors), metadata_of(*model, layer, config, layer, 1));
    const auto engine =
        engine::open_engine(*weights::join_memory(model, memory, "calibration"), "calibrated", {});
    const auto pieces = pieces_of(*engine->tokenizer(), static_cast<size_t>(2 * config.stride));
    uint64_t total = 0;
    for (const auto& piece : pieces) total += 2 * piece.size();
    Moments moments(d);
    for (const auto& piece : pieces) {
        for (const engine::EncodedChunk& chunk : engine->encode_segment({}, piece))
            for (size_t token = chunk.index == 0 ? 1 : 0; token < chunk.n_tokens; ++token)
                moments.add(std::span(chunk.states).subspan(token * d, d));
        walk.control.report(walk.done += piece.size(), total);
    }
    return moments;
}

std::vector<float> to_floats(const std::vector<double>& values) {
    return {values.begin(), values.end()};
}

Tensors memory_of(const Moments& low, const Moments& pointed, int64_t width,
                  const CallControl& control) {
    const auto d = static_cast<int64_t>(low.width());
    std::vector<double> scale = low.mean_square();
    for (double& value : scale) value = std::max(std::sqrt(value), kLeastScale);
    const std::vector<float> directions = to_floats(principal_directions(
        pointed.covariance(), pointed.width(), static_cast<size_t>(width), control));
    Tensors out;
    out.add("memory.pointer.mean", {d}, to_floats(pointed.mean()));
    out.add("memory.pointer.query", {width, d}, directions);
    out.add("memory.pointer.key", {width, d}, directions);
    out.add("memory.state_scale", {d}, to_floats(scale));
    out.add("memory.copy", {2 * int64_t(kUntrainedGate.size())}, [] {
        std::vector<float> both(kUntrainedGate.begin(), kUntrainedGate.end());
        both.insert(both.end(), kUntrainedGate.begin(), kUntrainedGate.end());
        both[kUntrainedGate.size() + 2] = kUntrainedSpaceBias;
        return both;
    }());
    return out;
}

}  // namespace

void write_untrained_memory(const std::string& model_path, const std::string& out_path,
                            const CallControl& control) {
    const auto model = weights::open_model_alone(model_path, true);
    const model::ModelConfig config = weights::config_of(*model);
    if (config.retrieval != model::RetrievalKind::kNone)
        throw Error(Status::kUnsupported, "rpt",
                    "model \"" + model_path + "\": it has a memory of its own and needs no other");
    if (config.layers() < 2)
        throw Error(Status::kUnsupported, "rpt",
                    "model \"" + model_path + "\": a memory needs two layers, it has one");
    const int64_t split = config.layers() / 2;
    const int64_t pointer_layer = std::max<int64_t>(1, config.layers() - kLeftOut);
    const int64_t width = std::min(kWidth, config.dim);
    Walk walk{control};
    const Moments low = moments_after(model, split, walk);
    const Moments pointed = moments_after(model, pointer_layer, walk);
    const Tensors tensors = memory_of(low, pointed, width, control);
    std::map<std::string, weights::TensorData> data;
    for (const auto& [name, numbers] : tensors.numbers)
        data[name] = {weights::DType::kF32, tensors.shapes.at(name),
                      std::as_bytes(std::span(numbers))};
    auto metadata = metadata_of(*model, split, config, pointer_layer, width);
    metadata["untrained"] = "yes";
    metadata["made_from"] = std::to_string(pointed.count()) + " tokens of the library's own text";
    control.check();
    weights::write_package(out_path, data, metadata);
}

}  // namespace rpt::calibration
