#include "core/weights/gguf_model.h"

#include "base/error.h"
#include "core/text/gguf_vocabulary.h"
#include "core/weights/decoder_tensors.h"
#include "core/weights/dequantise.h"
#include "core/weights/gguf_file.h"
#include "core/weights/imported_config.h"
#include "core/weights/imported_package.h"
#include "core/weights/safetensors_header.h"

namespace rpt::weights {
namespace {

using model::ModelConfig;

// The keys "llama.block_count" and so on.
class FamilyKeys {
  public:
    FamilyKeys(const GgufMetadata& metadata, std::string family)
        : metadata_(metadata), family_(std::move(family)) {}
    int64_t integer(const char* key, std::optional<int64_t> fallback = {}) const {
        return metadata_.integer(family_ + "." + key, fallback);
    }
    double real(const char* key, std::optional<double> fallback = {}) const {
        return metadata_.real(family_ + "." + key, fallback);
    }
    std::string text(const char* key, const std::string& fallback) const {
        return metadata_.text(family_ + "." + key, fallback);
    }

  private:
    const GgufMetadata& metadata_;
    const std::string family_;
};

void read_rope(const std::string& path, const GgufFile& file, const FamilyKeys& keys,
               ModelConfig& config) {
    config.rope_theta = keys.real("rope.freq_base", 10000.0);
    if (const int64_t rotated = keys.integer("rope.dimension_count", config.head_dim);
        rotated != config.head_dim)
        throw_unsupported_model(path, "it rotates " + std::to_string(rotated) + " of " +
                                          std::to_string(config.head_dim) +
                                          " numbers of a head; all or none are supported");
    const double old_scale = keys.real("rope.scale_linear", 1.0);
    const std::string scaling = keys.text("rope.scaling.type", old_scale == 1 ? "none" : "linear");
    if (scaling == "linear") {
        config.rope_factor = keys.real("rope.scaling.factor", old_scale);
        if (config.rope_factor != 1) config.rope_scaling = model::RopeScaling::kLinear;
    } else if (scaling != "none") {
        throw_unsupported_model(path, "its rotary angles are scaled by \"" + scaling.substr(0, 40) +
                                          "\"; linear and Llama 3's scaling are supported");
    }
    const char* factors_name = "rope_freqs.weight";
    const auto factors = file.tensors().find(factors_name);
    if (factors == file.tensors().end()) return;
    if (config.rope_scaling != model::RopeScaling::kNone)
        throw_unsupported_model(path, "its rotary angles are scaled twice");
    // a short file names no long tensor: its bytes are there
    if (factors->second.dtype != DType::kF32)
        throw_corrupt_model(path,
                            std::string("tensor \"") + factors_name + "\" is not of type F32");
    std::vector<float> values(factors->second.bytes / sizeof(float));
    read_floats(file, factors_name, values);
    read_rope_factors(path, values, config);
}

ModelConfig read_config(const std::string& path, const GgufFile& file) {
    const std::string architecture = file.metadata().text("general.architecture");
    const DecoderFamily& family = family_of_architecture(path, architecture);
    const FamilyKeys keys(file.metadata(), architecture);
    if (const int64_t experts = keys.integer("expert_count", 0); experts > 0)
        throw_unsupported_model(path,
                                "it is a mixture of " + std::to_string(experts) +
                                    " experts; one feed-forward network a layer is supported");
    ModelConfig config = start_of_import(family);
    config.rope_pairing = family.gguf_pairing;
    split_layers(path, config, keys.integer("block_count"));
    config.dim = keys.integer("embedding_length");
    config.ffn_dim = keys.integer("feed_forward_length");
    config.n_heads = keys.integer("attention.head_count");
    config.n_kv_heads = keys.integer("attention.head_count_kv", config.n_heads);
    config.head_dim =
        keys.integer("attention.key_length", config.n_heads > 0 ? config.dim / config.n_heads : 0);
    if (keys.integer("attention.value_length", config.head_dim) != config.head_dim)
        throw_unsupported_model(path, "its keys and values differ in width");
    config.norm_eps = keys.real("attention.layer_norm_rms_epsilon");
    check_sliding_window(path, keys.integer("attention.sliding_window", 0));
    config.tied_output = !file.tensors().contains("output.weight");
    // what the file has beside its rows, "llama.vocab_size", is not always there
    const auto embedding = file.tensors().find("token_embd.weight");
    if (embedding == file.tensors().end() || embedding->second.shape.size() != 2)
        throw_corrupt_model(path, "tensor \"token_embd.weight\" is missing or no matrix");
    config.vocab = embedding->second.shape[0];
    read_rope(path, file, keys, config);
    return config;
}

text::GgufTokenizer read_tokenizer(const GgufMetadata& metadata) {
    const auto key = [](const char* name) { return std::string("tokenizer.ggml.") + name; };
    const auto id = [&](const char* name) { return metadata.integer(key(name), -1); };
    text::GgufTokenizer tokenizer;
    tokenizer.model = metadata.text(key("model"), "");
    tokenizer.pre = metadata.text(key("pre"), "");
    tokenizer.tokens = metadata.texts(key("tokens"));
    tokenizer.types = metadata.integers(key("token_type"));
    tokenizer.merges = metadata.texts(key("merges"));
    tokenizer.bos = id("bos_token_id");
    tokenizer.eos = id("eos_token_id");
    tokenizer.eot = id("eot_token_id");
    tokenizer.padding = id("padding_token_id");
    tokenizer.fim_prefix = id("fim_pre_token_id");
    tokenizer.fim_suffix = id("fim_suf_token_id");
    tokenizer.fim_middle = id("fim_mid_token_id");
    tokenizer.fim_separator = id("fim_sep_token_id");
    return tokenizer;
}

void add_tokenizer(const std::string& path, const GgufMetadata& keys, int64_t rows,
                   Metadata& metadata) {
    text::Vocabulary vocabulary = text::gguf_vocabulary(read_tokenizer(keys));
    if (int64_t(vocabulary.tokens.size()) > rows)
        throw_corrupt_model(path, "it has " + std::to_string(vocabulary.tokens.size()) +
                                      " tokens, but tensor \"token_embd.weight\" " +
                                      std::to_string(rows) + " rows");
    text::fill_vocabulary(vocabulary, size_t(rows));
    const auto tokenizer = text::Tokenizer::from_vocabulary(std::move(vocabulary));
    metadata["tokenizer"] = tokenizer->to_json();
    metadata["roles"] = tokenizer->roles_json();
    if (const std::string form = keys.text("tokenizer.chat_template", ""); !form.empty())
        metadata["chat_template"] = form;
}

}  // namespace

std::shared_ptr<const Package> open_gguf_model(const std::string& path,
                                               const CallControl& control) {
    const auto file = std::make_shared<const GgufFile>(path);
    const ModelConfig config = read_config(path, *file);
    Metadata metadata;
    metadata["config"] = imported_config_json(path, config);
    std::map<std::string, TensorOrigin> origins;
    for (const auto& [ours, theirs] : match_tensors(path, file->tensors(), config, Naming::kGguf))
        origins[ours] = {file, theirs};
    add_tokenizer(path, file->metadata(), config.vocab, metadata);
    control.check();
    return std::make_shared<const ImportedPackage>(std::move(origins), std::move(metadata),
                                                   control);
}

}  // namespace rpt::weights
