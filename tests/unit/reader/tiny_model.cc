#include "tests/unit/reader/tiny_model.h"

#include "core/model/rpt_model.h"
#include "tests/fakes/fake_engine.h"

namespace rpt::reader {

void save_tiny_model(const std::string& path) {
    const std::shared_ptr<const text::Tokenizer> tokenizer = fakes::small_tokenizer();
    model::ModelConfig config = fakes::small_config(*tokenizer);
    config.dim = 32;
    config.n_lower = config.n_upper = 2;
    config.head_dim = 16;
    config.ffn_dim = 64;
    config.chunk = 8;
    config.stride = 16;
    config.cca_layers = {2, 3};
    config.gate_horizon = 4;
    model::save_model(model::RptModel(config, 7), tokenizer->to_json(), {}, path);
}

}  // namespace rpt::reader
