// The configuration of a decoder that others trained.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model/config.h"

namespace rpt::weights {

// What a family fixes.
struct DecoderFamily {
    std::string_view name;          // model_type of config.json
    std::string_view architecture;  // general.architecture of GGUF files
    bool attention_bias;
    bool query_key_norm;
    // Rows of queries and keys in GGUF files: the converter interleaves Llama's rotary pairs.
    model::RopePairing gguf_pairing;
};

// kUnsupported, naming `path` and the families that are supported.
const DecoderFamily& family_of_type(const std::string& path, const std::string& model_type);
const DecoderFamily& family_of_architecture(const std::string& path,
                                            const std::string& architecture);

// A decoder of this family with all that is not told by its files: split in the middle, window of
// 512 tokens with the first token in sight, no memory.
model::ModelConfig start_of_import(const DecoderFamily& family);
// Splits `layers` into halves; kUnsupported below two.
void split_layers(const std::string& path, model::ModelConfig& config, int64_t layers);

// Models whose own window is shorter than the longest that readers use cannot be read.
inline constexpr int64_t kLongestWindow = 2048;
void check_sliding_window(const std::string& path, int64_t window);
[[noreturn]] void throw_unsupported_model(const std::string& path, const std::string& why);

// Llama 3's scaling as GGUF files have it: what each rotary angle is divided by, [head_dim / 2].
// Sets the configuration's scaling; kUnsupported where these are no factors of Llama 3.
void read_rope_factors(const std::string& path, const std::vector<float>& factors,
                       model::ModelConfig& config);

// The configuration as packages of imported models hold it: the keys that files tell, in a fixed
// order. It belongs to the fingerprint, so the same model gives the same text for ever; fields that
// the library gains later keep their defaults. Checks it: kCorrupt naming `path` and the field.
std::string imported_config_json(const std::string& path, const model::ModelConfig& config);

}  // namespace rpt::weights
