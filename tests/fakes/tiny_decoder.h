// Tiny decoders of each family as people's files hold them: two layers, random-looking weights, a
// byte-level vocabulary.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/text/byte_alphabet.h"
#include "core/weights/decoder_tensors.h"
#include "tests/fakes/gguf_builder.h"

namespace rpt::fakes {

struct TinyDecoder {
    std::string architecture = "llama";
    bool bias = false, norms = false, tied = true;

    static constexpr int64_t kVocab = 260;

    model::ModelConfig config() const {
        model::ModelConfig c;
        c.vocab = kVocab;
        c.dim = 8;
        c.n_lower = c.n_upper = 1;
        c.n_heads = 2;
        c.n_kv_heads = 1;
        c.head_dim = 4;
        c.ffn_dim = 12;
        c.ffn = model::FfnKind::kSwiglu;
        c.rope_theta = 5000;
        c.rope_pairing = architecture == "llama" ? model::RopePairing::kInterleaved
                                                 : model::RopePairing::kHalves;
        c.norm_eps = 0x1p-17;
        c.tied_output = tied;
        c.attention_bias = bias;
        c.query_key_norm = norms;
        c.sink = true;
        c.scale_logits = false;
        c.retrieval = model::RetrievalKind::kNone;
        return c;
    }

    // Numbers of each tensor, under the names of `naming`.
    std::map<std::string, std::pair<std::vector<int64_t>, std::vector<float>>> numbers(
        weights::Naming naming) const {
        std::map<std::string, std::pair<std::vector<int64_t>, std::vector<float>>> tensors;
        float seed = 0;
        for (const auto& tensor : weights::decoder_tensors(config(), naming)) {
            size_t n = 1;
            for (const int64_t size : tensor.shape) n *= size_t(size);
            std::vector<float> values(n);
            for (float& value : values) value = std::sin(seed += 1.7f);
            tensors[tensor.in_file] = {tensor.shape, std::move(values)};
        }
        return tensors;
    }

    // 256 bytes, <|im_start|>, <|im_end|>, "th"; the embedding has a row more.
    static std::vector<std::string> tokens() {
        std::vector<std::string> tokens;
        for (int byte = 0; byte < 256; ++byte)
            tokens.push_back(text::spell_bytes(std::string(1, char(byte))));
        for (const char* name : {"<|im_start|>", "<|im_end|>", "th"}) tokens.push_back(name);
        return tokens;
    }

    // All keys of the file, without tensors.
    GgufBuilder keys() const {
        const std::string a = architecture + ".";
        GgufBuilder file;
        file.text("general.architecture", architecture)
            .u32(a + "block_count", 2)
            .u32(a + "embedding_length", 8)
            .u32(a + "feed_forward_length", 12)
            .u32(a + "attention.head_count", 2)
            .u32(a + "attention.head_count_kv", 1)
            .f32(a + "rope.freq_base", 5000)
            .f32(a + "attention.layer_norm_rms_epsilon", 0x1p-17f);
        add_vocabulary(file);
        return file;
    }
    static void add_vocabulary(GgufBuilder& file, const std::string& model = "gpt2") {
        std::vector<int32_t> types(259, 1);
        types[256] = types[257] = 3;
        file.text("tokenizer.ggml.model", model)
            .text("tokenizer.ggml.pre", "smollm")
            .texts("tokenizer.ggml.tokens", tokens())
            .integers("tokenizer.ggml.token_type", types)
            .texts("tokenizer.ggml.merges", {"t h"})
            .u32("tokenizer.ggml.eos_token_id", 257)
            .text("tokenizer.chat_template", "{{ '<|im_start|>' }}");
    }
    GgufBuilder gguf() const {
        GgufBuilder file = keys();
        add_tensors(file);
        return file;
    }
    void add_tensors(GgufBuilder& file, const std::string& without = "") const {
        for (const auto& [name, tensor] : numbers(weights::Naming::kGguf))
            if (name != without)
                file.floats(name, {tensor.first.begin(), tensor.first.end()}, tensor.second);
    }
};

}  // namespace rpt::fakes
