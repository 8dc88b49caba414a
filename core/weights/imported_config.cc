#include "core/weights/imported_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/error.h"
#include "core/weights/safetensors_header.h"

namespace rpt::weights {
namespace {

using model::RopePairing;
using model::RopeScaling;

constexpr DecoderFamily kFamilies[] = {
    {"llama", "llama", false, false, RopePairing::kInterleaved},
    {"mistral", "llama", false, false, RopePairing::kInterleaved},
    {"qwen2", "qwen2", true, false, RopePairing::kHalves},
    {"qwen3", "qwen3", false, true, RopePairing::kHalves},
};

const DecoderFamily& family(const std::string& path, const char* what, const std::string& name,
                            std::string_view DecoderFamily::*key) {
    const auto found = std::ranges::find(kFamilies, name, key);
    if (found != std::end(kFamilies)) return *found;
    throw_unsupported_model(path, std::string(what) + " \"" + name.substr(0, 40) +
                                      "\" is not supported; Llama, Mistral, Qwen2 and Qwen3 are");
}

// What llama3 scaling divides the angle of a pair by (docs/format/model.md).
double rope_divisor(const model::ModelConfig& c, double pair) {
    const double angle = std::pow(c.rope_theta, -2 * pair / double(c.head_dim));
    const double turns = double(c.rope_original_context) * angle / (2 * std::numbers::pi);
    const double kept = std::clamp(
        (turns - c.rope_low_frequency) / (c.rope_high_frequency - c.rope_low_frequency), 0.0, 1.0);
    return 1 / (kept + (1 - kept) / c.rope_factor);
}

}  // namespace

void throw_unsupported_model(const std::string& path, const std::string& why) {
    throw Error(Status::kUnsupported, "rpt", "model \"" + path + "\": " + why);
}

const DecoderFamily& family_of_type(const std::string& path, const std::string& model_type) {
    return family(path, "model_type", model_type, &DecoderFamily::name);
}

const DecoderFamily& family_of_architecture(const std::string& path,
                                            const std::string& architecture) {
    return family(path, "architecture", architecture, &DecoderFamily::architecture);
}

model::ModelConfig start_of_import(const DecoderFamily& family) {
    model::ModelConfig config;
    config.ffn = model::FfnKind::kSwiglu;
    config.attention_bias = family.attention_bias;
    config.query_key_norm = family.query_key_norm;
    config.scale_logits = false;
    config.sink = true;
    config.chunk = 64;
    config.stride = 256;
    config.retrieval = model::RetrievalKind::kNone;
    return config;
}

void split_layers(const std::string& path, model::ModelConfig& config, int64_t layers) {
    if (layers < 2)
        throw_unsupported_model(
            path, "it has " + std::to_string(layers) + " layers; two halves need two");
    config.n_lower = layers / 2;
    config.n_upper = layers - config.n_lower;
}

void check_sliding_window(const std::string& path, int64_t window) {
    if (window > 0 && window < kLongestWindow)
        throw_unsupported_model(path, "it attends to " + std::to_string(window) +
                                          " tokens; windows below " +
                                          std::to_string(kLongestWindow) + " are not supported");
}

void read_rope_factors(const std::string& path, const std::vector<float>& factors,
                       model::ModelConfig& config) {
    const auto fits = [&](const model::ModelConfig& tried) {
        for (size_t i = 0; i < factors.size(); ++i) {
            const double wanted = rope_divisor(tried, double(i));
            if (!(std::abs(double(factors[i]) - wanted) <= 1e-3 * wanted)) return false;
        }
        return true;
    };
    if (int64_t(factors.size()) != config.head_dim / 2)
        throw_corrupt_model(
            path, "tensor \"rope_freqs.weight\" has " + std::to_string(factors.size()) +
                      " factors, its heads ask for " + std::to_string(config.head_dim / 2));
    if (std::ranges::all_of(factors, [](float factor) { return factor == 1; })) return;
    model::ModelConfig scaled = config;
    scaled.rope_scaling = RopeScaling::kLlama3;
    scaled.rope_factor = *std::ranges::max_element(factors);
    // the values that every model of the family was published with
    scaled.rope_low_frequency = 1;
    scaled.rope_high_frequency = 4;
    scaled.rope_original_context = 8192;
    if (!fits(scaled))
        throw_unsupported_model(path,
                                "tensor \"rope_freqs.weight\" scales rotary angles in another way "
                                "than Llama 3; import the model from its folder of safetensors");
    config = scaled;
}

std::string imported_config_json(const std::string& path, const model::ModelConfig& c) {
    nlohmann::ordered_json json = {{"vocab", c.vocab},       {"dim", c.dim},
                                   {"n_lower", c.n_lower},   {"n_upper", c.n_upper},
                                   {"n_heads", c.n_heads},   {"n_kv_heads", c.n_kv_heads},
                                   {"head_dim", c.head_dim}, {"ffn", "swiglu"},
                                   {"ffn_dim", c.ffn_dim},   {"rope_theta", c.rope_theta}};
    json["rope_pairing"] = c.rope_pairing == RopePairing::kHalves ? "halves" : "interleaved";
    if (c.rope_scaling == RopeScaling::kLinear) {
        json["rope_scaling"] = "linear";
        json["rope_factor"] = c.rope_factor;
    }
    if (c.rope_scaling == RopeScaling::kLlama3) {
        json["rope_scaling"] = "llama3";
        json["rope_factor"] = c.rope_factor;
        json["rope_low_frequency"] = c.rope_low_frequency;
        json["rope_high_frequency"] = c.rope_high_frequency;
        json["rope_original_context"] = c.rope_original_context;
    }
    json["norm_eps"] = c.norm_eps;
    json["tied_output"] = c.tied_output;
    if (c.attention_bias) json["attention_bias"] = true;
    if (c.query_key_norm) json["query_key_norm"] = true;
    json["sink"] = c.sink;
    json["scale_logits"] = c.scale_logits;
    json["chunk"] = c.chunk;
    json["stride"] = c.stride;
    json["retrieval"] = "none";
    const std::string text = json.dump();
    try {
        RPT_CHECK(model::ModelConfig::from_json(text) == c);
    } catch (const Error& error) {
        if (error.status() == Status::kInternal) throw;
        throw_corrupt_model(path, error.what());
    }
    return text;
}

}  // namespace rpt::weights
