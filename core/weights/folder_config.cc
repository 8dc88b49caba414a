#include "core/weights/folder_config.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "core/weights/imported_config.h"
#include "core/weights/safetensors_header.h"

namespace rpt::weights {
namespace {

using nlohmann::json;

// Members of an object; a null counts as missing.
class Keys {
  public:
    Keys(const std::string& path, const json& object) : path_(path), object_(object) {}

    int64_t integer(const char* key, std::optional<int64_t> fallback = {}) const {
        const json* value = find(key, !fallback);
        if (!value) return *fallback;
        if (!value->is_number_integer() ||
            (value->is_number_unsigned() && value->get<uint64_t>() > uint64_t(INT64_MAX)))
            wrong(key, "a whole number");
        return value->get<int64_t>();
    }
    double real(const char* key, std::optional<double> fallback = {}) const {
        const json* value = find(key, !fallback);
        if (!value) return *fallback;
        if (!value->is_number()) wrong(key, "a number");
        return value->get<double>();
    }
    bool truth(const char* key, bool fallback) const {
        const json* value = find(key, false);
        if (!value) return fallback;
        if (!value->is_boolean()) wrong(key, "true or false");
        return value->get<bool>();
    }
    std::string text(const char* key, std::optional<std::string> fallback = {}) const {
        const json* value = find(key, !fallback);
        if (!value) return *fallback;
        if (!value->is_string()) wrong(key, "a string");
        return value->get<std::string>();
    }
    // An empty object if there is none.
    json object(const char* key) const {
        const json* value = find(key, false);
        if (!value) return json::object();
        if (!value->is_object()) wrong(key, "an object");
        return *value;
    }
    bool has(const char* key) const { return find(key, false) != nullptr; }

  private:
    const json* find(const char* key, bool required) const {
        const auto found = object_.find(key);
        if (found != object_.end() && !found->is_null()) return &*found;
        if (required)
            throw_corrupt_model(path_, std::string("its config.json has no key \"") + key + "\"");
        return nullptr;
    }
    [[noreturn]] void wrong(const char* key, const char* wanted) const {
        throw_corrupt_model(path_,
                            std::string("key \"") + key + "\" of its config.json is not " + wanted);
    }

    const std::string& path_;
    const json& object_;
};

// `rope_scaling` beside `rope_theta`, or both within `rope_parameters`.
void read_rope(const std::string& path, const Keys& keys, model::ModelConfig& config) {
    const json newer = keys.object("rope_parameters");
    const json scaling = newer.empty() ? keys.object("rope_scaling") : newer;
    const Keys rope(path, scaling);
    config.rope_theta = rope.real("rope_theta", keys.real("rope_theta", 10000.0));
    for (const Keys* place : {&keys, &rope})
        if (place->real("partial_rotary_factor", 1.0) != 1)
            throw_unsupported_model(path,
                                    "key \"partial_rotary_factor\": heads that are rotated in "
                                    "part are not supported");
    const std::string kind = rope.text("rope_type", rope.text("type", "default"));
    if (kind == "default") return;
    if (kind != "linear" && kind != "llama3")
        throw_unsupported_model(path, "its rotary angles are scaled by \"" + kind.substr(0, 40) +
                                          "\"; linear and llama3 are supported");
    config.rope_factor = rope.real("factor");
    if (kind == "linear") {
        if (config.rope_factor != 1) config.rope_scaling = model::RopeScaling::kLinear;
        return;
    }
    config.rope_scaling = model::RopeScaling::kLlama3;
    config.rope_low_frequency = rope.real("low_freq_factor");
    config.rope_high_frequency = rope.real("high_freq_factor");
    config.rope_original_context = rope.integer("original_max_position_embeddings");
}

void refuse_unread(const std::string& path, const Keys& keys, const DecoderFamily& family) {
    if (keys.has("quantization_config"))
        throw_unsupported_model(path,
                                "key \"quantization_config\": quantised safetensors are not "
                                "supported; use a GGUF file of the model");
    if (const std::string act = keys.text("hidden_act", "silu"); act != "silu")
        throw_unsupported_model(
            path, "key \"hidden_act\" is \"" + act.substr(0, 40) + "\"; silu is supported");
    if (!family.attention_bias && keys.truth("attention_bias", false))
        throw_unsupported_model(path, "key \"attention_bias\" is true, which is not supported");
    if (keys.truth("mlp_bias", false))
        throw_unsupported_model(path, "key \"mlp_bias\" is true, which is not supported");
    if (keys.truth("use_sliding_window", family.name == "mistral"))
        check_sliding_window(path, keys.integer("sliding_window", 0));
}

}  // namespace

model::ModelConfig read_folder_config(const std::string& path, std::string_view text) {
    json root;
    try {
        root = json::parse(text);
    } catch (const json::exception&) {
        throw_corrupt_model(path, "its config.json is not JSON");
    }
    if (!root.is_object()) throw_corrupt_model(path, "its config.json is no JSON object");
    const Keys keys(path, root);
    const DecoderFamily& family = family_of_type(path, keys.text("model_type"));
    refuse_unread(path, keys, family);
    model::ModelConfig config = start_of_import(family);
    config.rope_pairing = model::RopePairing::kHalves;
    split_layers(path, config, keys.integer("num_hidden_layers"));
    config.vocab = keys.integer("vocab_size");
    config.dim = keys.integer("hidden_size");
    config.ffn_dim = keys.integer("intermediate_size");
    config.n_heads = keys.integer("num_attention_heads");
    config.n_kv_heads = keys.integer("num_key_value_heads", config.n_heads);
    config.head_dim =
        keys.integer("head_dim", config.n_heads > 0 ? config.dim / config.n_heads : 0);
    config.norm_eps = keys.real("rms_norm_eps");
    config.tied_output = keys.truth("tie_word_embeddings", false);
    read_rope(path, keys, config);
    return config;
}

}  // namespace rpt::weights
