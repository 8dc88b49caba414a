// make_tiny_model FOLDER: random models of a few kilobytes for the tests of the C interface.
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "core/text/bpe_trainer.h"
#include "lab/network/rpt_model.h"

namespace {

std::string tiny_tokenizer() {
    rpt::text::BpeTrainer trainer;
    trainer.add(
        "the sea was calm and a ship came from far with salt wind and stars over the water. "
        "the sea was calm and the ship came over the water with stars.");
    return trainer.train(300)->to_json();
}

rpt::model::ModelConfig tiny_config() {
    rpt::model::ModelConfig config;
    config.dim = 32;
    config.n_lower = 2;
    config.n_upper = 2;
    config.n_heads = config.n_kv_heads = 2;
    config.head_dim = 16;
    config.ffn_dim = 64;
    config.chunk = 8;
    config.stride = 16;
    config.neighbours = 2;
    config.cca_layers = {2, 3};
    config.gate_horizon = 4;
    return config;
}

void save(const rpt::model::ModelConfig& config, uint64_t seed, const std::string& tokenizer,
          const std::string& path, const std::map<std::string, std::string>& more = {}) {
    rpt::model::save_model(rpt::model::RptModel(config, seed), tokenizer, more, path);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    try {
        const std::string json = tiny_tokenizer();
        rpt::model::ModelConfig config = tiny_config();
        config.vocab = rpt::text::Tokenizer::from_json(json)->vocab_size();
        save(config, 1, json, std::string(argv[1]) + "/tiny.safetensors");
        save(config, 2, json, std::string(argv[1]) + "/other.safetensors");
        config.key_features = 48;
        save(config, 4, json, std::string(argv[1]) + "/wide_keys.safetensors");
        config.key_features = 0;
        // Larger blocks and fewer layers for tests of volume: here a call of the model costs more
        // than its arithmetic.
        config.chunk = 64;
        config.stride = 256;
        save(config, 5, json, std::string(argv[1]) + "/chat.safetensors",
             {{"chat_template", "{{ '[INST] ' + content + ' [/INST]' + answer + eos_token }}"}});
        config.dim = config.head_dim = 16;
        config.n_lower = config.n_upper = 1;
        config.n_heads = config.n_kv_heads = 1;
        config.ffn_dim = 16;
        config.cca_layers = {1};
        config.gate_horizon = 8;
        save(config, 3, json, std::string(argv[1]) + "/long.safetensors");
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 1;
    }
    return 0;
}
