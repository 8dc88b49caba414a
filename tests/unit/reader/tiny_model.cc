#include "tests/unit/reader/tiny_model.h"

#include "tests/fakes/fake_engine.h"

namespace rpt::reader {

model::ModelConfig tiny_model_config() {
    model::ModelConfig config = fakes::small_config(*fakes::small_tokenizer());
    config.dim = 32;
    config.n_lower = config.n_upper = 2;
    config.head_dim = 16;
    config.ffn_dim = 64;
    config.chunk = 8;
    config.stride = 16;
    config.cca_layers = {2, 3};
    config.gate_horizon = 4;
    return config;
}

void save_tiny_model(const model::RptModel& model, const std::string& path) {
    model::save_model(model, fakes::small_tokenizer()->to_json(), {}, path);
}

}  // namespace rpt::reader
