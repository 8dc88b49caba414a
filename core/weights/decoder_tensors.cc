#include "core/weights/decoder_tensors.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "core/weights/safetensors_header.h"

namespace rpt::weights {
namespace {

enum class Size { kNone, kVocab, kDim, kQueries, kKeys, kHead, kFfn };
enum class When { kAlways, kBias, kNorm };

struct Row {
    const char* name;
    const char* gguf;
    const char* folder;
    Size rows, columns;
    When when = When::kAlways;
};

// Each behind "layers.I.", "blk.I." and "model.layers.I.".
constexpr Row kLayer[] = {
    {"attention.norm", "attn_norm.weight", "input_layernorm.weight", Size::kDim, Size::kNone},
    {"attention.query", "attn_q.weight", "self_attn.q_proj.weight", Size::kQueries, Size::kDim},
    {"attention.key", "attn_k.weight", "self_attn.k_proj.weight", Size::kKeys, Size::kDim},
    {"attention.value", "attn_v.weight", "self_attn.v_proj.weight", Size::kKeys, Size::kDim},
    {"attention.query_bias", "attn_q.bias", "self_attn.q_proj.bias", Size::kQueries, Size::kNone,
     When::kBias},
    {"attention.key_bias", "attn_k.bias", "self_attn.k_proj.bias", Size::kKeys, Size::kNone,
     When::kBias},
    {"attention.value_bias", "attn_v.bias", "self_attn.v_proj.bias", Size::kKeys, Size::kNone,
     When::kBias},
    {"attention.query_gain", "attn_q_norm.weight", "self_attn.q_norm.weight", Size::kHead,
     Size::kNone, When::kNorm},
    {"attention.key_gain", "attn_k_norm.weight", "self_attn.k_norm.weight", Size::kHead,
     Size::kNone, When::kNorm},
    {"attention.out", "attn_output.weight", "self_attn.o_proj.weight", Size::kDim, Size::kQueries},
    {"ffn.norm", "ffn_norm.weight", "post_attention_layernorm.weight", Size::kDim, Size::kNone},
    {"ffn.gate", "ffn_gate.weight", "mlp.gate_proj.weight", Size::kFfn, Size::kDim},
    {"ffn.up", "ffn_up.weight", "mlp.up_proj.weight", Size::kFfn, Size::kDim},
    {"ffn.out", "ffn_down.weight", "mlp.down_proj.weight", Size::kDim, Size::kFfn},
};
constexpr Row kEnds[] = {
    {"embedding", "token_embd.weight", "model.embed_tokens.weight", Size::kVocab, Size::kDim},
    {"final_norm", "output_norm.weight", "model.norm.weight", Size::kDim, Size::kNone},
};
constexpr Row kOutput = {"output", "output.weight", "lm_head.weight", Size::kVocab, Size::kDim};

int64_t size_of(Size size, const model::ModelConfig& c) {
    switch (size) {
        case Size::kVocab:
            return c.vocab;
        case Size::kDim:
            return c.dim;
        case Size::kQueries:
            return c.n_heads * c.head_dim;
        case Size::kKeys:
            return c.n_kv_heads * c.head_dim;
        case Size::kHead:
            return c.head_dim;
        case Size::kFfn:
            return c.ffn_dim;
        case Size::kNone:
            break;
    }
    return 0;
}

// What files hold besides and nobody needs: rotary factors, which follow from the configuration
// (read_rope_factors() has compared them), and a copy of the embedding where the output is tied.
bool is_redundant(std::string_view name, const model::ModelConfig& config, Naming naming) {
    if (naming == Naming::kGguf) return name == "rope_freqs.weight";
    return name.ends_with(".rotary_emb.inv_freq") || (config.tied_output && name == kOutput.folder);
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text;
    for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
    return "[" + text + "]";
}

}  // namespace

std::vector<DecoderTensor> decoder_tensors(const model::ModelConfig& config, Naming naming) {
    std::vector<DecoderTensor> tensors;
    const bool gguf = naming == Naming::kGguf;
    const auto add = [&](const Row& row, const std::string& ours, const std::string& theirs) {
        if (row.when == When::kBias && !config.attention_bias) return;
        if (row.when == When::kNorm && !config.query_key_norm) return;
        DecoderTensor tensor = {
            ours + row.name, theirs + (gguf ? row.gguf : row.folder), {size_of(row.rows, config)}};
        if (row.columns != Size::kNone) tensor.shape.push_back(size_of(row.columns, config));
        tensors.push_back(std::move(tensor));
    };
    for (const Row& row : kEnds) add(row, "", "");
    if (!config.tied_output) add(kOutput, "", "");
    for (int64_t i = 0; i < config.layers(); ++i) {
        const std::string number = std::to_string(i) + ".";
        for (const Row& row : kLayer)
            add(row, "layers." + number, (gguf ? "blk." : "model.layers.") + number);
    }
    return tensors;
}

std::map<std::string, std::string> match_tensors(const std::string& path,
                                                 const std::map<std::string, TensorInfo>& found,
                                                 const model::ModelConfig& config, Naming naming) {
    std::map<std::string, std::string> names;
    std::set<std::string_view> expected;
    const std::vector<DecoderTensor> tensors = decoder_tensors(config, naming);
    for (const DecoderTensor& tensor : tensors) {
        const std::string what = "tensor \"" + tensor.in_file + "\" ";
        const auto it = found.find(tensor.in_file);
        if (it == found.end()) throw_corrupt_model(path, what + "is missing");
        if (it->second.shape != tensor.shape)
            throw_corrupt_model(path, what + "has shape " + shape_text(it->second.shape) +
                                          ", its configuration says " + shape_text(tensor.shape));
        if (!is_floating(it->second.dtype)) throw_corrupt_model(path, what + "holds integers");
        names[tensor.name] = tensor.in_file;
        expected.insert(tensor.in_file);
    }
    for (const auto& [name, info] : found)
        if (!expected.contains(name) && !is_redundant(name, config, naming))
            throw Error(Status::kUnsupported, "rpt",
                        "model \"" + path + "\": tensor \"" + name +
                            "\" is of no kind of layer that is supported: attention of Llama, "
                            "Mistral, Qwen2 and Qwen3 with one feed-forward network a layer");
    return names;
}

}  // namespace rpt::weights
