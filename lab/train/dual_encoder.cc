#include "lab/train/dual_encoder.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "core/weights/package.h"
#include "core/weights/package_writer.h"
#include "lab/network/layers.h"

namespace rpt::train {
namespace {

// In the file, on disk, never change.
constexpr const char* kKind = "rpt-dual-encoder";

constexpr int64_t kEncodedRows = 1024;  // chunks at once where nothing is trained

model::ModelConfig layer_config(const DualEncoderShape& s) {
    if (s.vocab <= 0 || s.chunk <= 0 || s.layers <= 0 || s.heads <= 0 || s.dim % s.heads != 0 ||
        s.dim / s.heads % 2 != 0) {
        throw Error(Status::kArgument, "rpt",
                    "dual encoder of dim " + std::to_string(s.dim) + ", " +
                        std::to_string(s.layers) + " layers, " + std::to_string(s.heads) +
                        " heads: sizes must be positive and heads divide dim into even parts");
    }
    model::ModelConfig config;
    config.vocab = s.vocab;
    config.dim = s.dim;
    config.n_heads = config.n_kv_heads = s.heads;
    config.head_dim = s.dim / s.heads;
    config.ffn_dim = 4 * s.dim;
    return config;
}

const std::string& note(const weights::Package& package, const std::string& key,
                        const std::string& path) {
    const auto it = package.metadata().find(key);
    if (it == package.metadata().end())
        throw Error(Status::kCorrupt, "rpt", "\"" + path + "\" is no dual encoder");
    return it->second;
}

Digest digest_of(const std::string& hex, const std::string& path) {
    Digest digest{};
    if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos)
        throw Error(Status::kCorrupt, "rpt", "\"" + path + "\": tokenizer hash is not valid");
    for (size_t i = 0; i < digest.size(); ++i)
        digest[i] = static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    return digest;
}

DualEncoderShape shape_of(const std::string& text, const std::string& path) {
    try {
        const auto json = nlohmann::json::parse(text);
        return {json.at("vocab"), json.at("chunk"), json.at("dim"), json.at("layers"),
                json.at("heads")};
    } catch (const nlohmann::json::exception&) {
        throw Error(Status::kCorrupt, "rpt", "\"" + path + "\": sizes cannot be read");
    }
}

}  // namespace

DualEncoder::DualEncoder(const DualEncoderShape& shape, uint64_t seed, at::Device device)
    : shape_(shape),
      layer_config_(layer_config(shape)),
      rope_(std::make_unique<model::RopeTable>(layer_config_, device)),
      device_(device) {
    at::Generator generator = at::detail::createCPUGenerator(seed);
    const auto normal = [&](at::IntArrayRef sizes, double std) {
        return at::empty(sizes, at::kFloat).normal_(0.0, std, generator);
    };
    const int64_t d = shape.dim, f = layer_config_.ffn_dim;
    const double in = 1.0 / std::sqrt(static_cast<double>(d));
    // outputs of residual layers start small (spec 8.2.7)
    const double out = in / std::sqrt(2.0 * static_cast<double>(shape.layers));
    const model::ModelConfig& c = layer_config_;
    query_.embedding = normal({shape.vocab, d}, 1.0);
    for (int64_t i = 0; i < shape.layers; ++i) {
        Layer layer;
        layer.attention.norm = at::ones({d});
        layer.attention.qkv = normal({3 * d, d}, in);
        layer.attention.out = normal({d, d}, out);
        layer.attention.null_key = at::zeros({c.n_heads, c.head_dim});
        layer.attention.null_value = at::zeros({c.n_heads, c.head_dim});
        layer.ffn = {
            at::ones({d}), normal({f, d}, in),
            normal({d, f}, out * std::sqrt(static_cast<double>(d) / static_cast<double>(f)))};
        query_.layers.push_back(layer);
    }
    query_.norm = at::ones({d});
    passage_ = query_;
    for (auto& [name, encoder] : {std::pair<std::string, Encoder*>{"query.", &query_},
                                  std::pair<std::string, Encoder*>{"passage.", &passage_}}) {
        for (auto& [slot, tensor] : slots(name, *encoder)) {
            *tensor = tensor->clone().to(device).requires_grad_(true);
            parameters_.emplace_back(slot, *tensor);
        }
    }
}

std::vector<std::pair<std::string, at::Tensor*>> DualEncoder::slots(const std::string& prefix,
                                                                    Encoder& encoder) const {
    std::vector<std::pair<std::string, at::Tensor*>> list = {
        {prefix + "embedding", &encoder.embedding}};
    for (size_t i = 0; i < encoder.layers.size(); ++i) {
        const std::string at = prefix + "layers." + std::to_string(i) + ".";
        Layer& layer = encoder.layers[i];
        list.emplace_back(at + "attention.norm", &layer.attention.norm);
        list.emplace_back(at + "attention.qkv", &layer.attention.qkv);
        list.emplace_back(at + "attention.out", &layer.attention.out);
        list.emplace_back(at + "attention.null_key", &layer.attention.null_key);
        list.emplace_back(at + "attention.null_value", &layer.attention.null_value);
        list.emplace_back(at + "ffn.norm", &layer.ffn.norm);
        list.emplace_back(at + "ffn.in", &layer.ffn.in);
        list.emplace_back(at + "ffn.out", &layer.ffn.out);
    }
    list.emplace_back(prefix + "norm", &encoder.norm);
    return list;
}

at::Tensor DualEncoder::encode(const Encoder& encoder, const at::Tensor& tokens) const {
    at::Tensor x = at::embedding(encoder.embedding, tokens);
    for (const Layer& layer : encoder.layers) {
        const at::Tensor qkv = at::linear(
            model::rms_norm(x, layer.attention.norm, layer_config_.norm_eps), layer.attention.qkv);
        x = x + model::bidirectional_attention(layer_config_, layer.attention, *rope_, qkv, {});
        x = x + model::feed_forward(layer_config_, layer.ffn, x);
    }
    return model::rms_norm(x.mean(1), encoder.norm, layer_config_.norm_eps);
}

at::Tensor DualEncoder::score(const at::Tensor& queries, const at::Tensor& passages) const {
    return at::mm(queries, passages.t()) * (1.0 / std::sqrt(static_cast<double>(shape_.dim)));
}

at::Tensor DualEncoder::span_scores(std::span<const int32_t> inputs) const {
    const at::NoGradGuard no_grad;
    RPT_CHECK(static_cast<int64_t>(inputs.size()) % shape_.chunk == 0);
    const at::Tensor tokens = at::tensor(std::vector<int64_t>(inputs.begin(), inputs.end()))
                                  .view({-1, shape_.chunk})
                                  .to(device_);
    std::vector<at::Tensor> queries, passages;
    for (const at::Tensor& rows : tokens.split(kEncodedRows)) {
        queries.push_back(encode_queries(rows));
        passages.push_back(encode_passages(rows));
    }
    return score(at::cat(queries), at::cat(passages)).to(at::kCPU, at::kFloat).contiguous();
}

void DualEncoder::save(const std::string& path, const Digest& tokenizer) const {
    std::vector<at::Tensor> kept;  // the CPU copies that are written
    std::map<std::string, weights::TensorData> tensors;
    for (const auto& [name, parameter] : parameters_) {
        kept.push_back(parameter.detach().to(at::kCPU).contiguous());
        const at::Tensor& plain = kept.back();
        tensors[name] = {
            weights::DType::kF32,
            {plain.sizes().begin(), plain.sizes().end()},
            {static_cast<const std::byte*>(plain.data_ptr()), static_cast<size_t>(plain.nbytes())}};
    }
    const nlohmann::ordered_json sizes = {{"vocab", shape_.vocab},
                                          {"chunk", shape_.chunk},
                                          {"dim", shape_.dim},
                                          {"layers", shape_.layers},
                                          {"heads", shape_.heads}};
    weights::write_package(
        path, tensors,
        {{"kind", kKind}, {"sizes", sizes.dump()}, {"tokenizer_sha256", to_hex(tokenizer)}});
}

DualEncoder::Loaded DualEncoder::load(const std::string& path, at::Device device) {
    const auto package = weights::Package::open(path);
    if (note(*package, "kind", path) != kKind)
        throw Error(Status::kCorrupt, "rpt", "\"" + path + "\" is no dual encoder");
    Loaded loaded;
    loaded.tokenizer = digest_of(note(*package, "tokenizer_sha256", path), path);
    loaded.encoder =
        std::make_unique<DualEncoder>(shape_of(note(*package, "sizes", path), path), 0, device);
    const at::NoGradGuard no_grad;
    for (const auto& [name, parameter] : loaded.encoder->parameters()) {
        const auto it = package->tensors().find(name);
        if (it == package->tensors().end() || it->second.dtype != weights::DType::kF32 ||
            it->second.shape !=
                std::vector<int64_t>(parameter.sizes().begin(), parameter.sizes().end())) {
            throw Error(
                Status::kCorrupt, "rpt",
                "\"" + path + "\": tensor \"" + name + "\" is missing or has another shape");
        }
        at::Tensor plain = at::empty(parameter.sizes(), at::kFloat);
        package->read(name, {static_cast<std::byte*>(plain.data_ptr()), plain.nbytes()});
        parameter.detach().copy_(plain);
    }
    return loaded;
}

}  // namespace rpt::train
