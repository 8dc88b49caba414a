#include "lab/proofs/small_models.h"

#include "lab/proofs/random_draws.h"

namespace rpt::proofs {

model::ModelConfig small_config(const std::string& row, const RunOptions& options, int64_t vocab) {
    Task task;
    task.vocab = vocab;
    RunOptions small = options;
    small.steps = 0;
    for (const char* text :
         {"model.dim=32", "model.n_lower=2", "model.n_upper=2", "model.n_heads=2",
          "model.n_kv_heads=2", "model.head_dim=16", "model.ffn_dim=64", "model.chunk=4",
          "model.stride=8", "model.gate_horizon=3", "model.memorizing_tokens=32",
          "model.memorizing_top_k=4", "model.recurrent_states=4", "model.griffin_width=32",
          "model.griffin_gate_blocks=4"})
        small.overrides.push_back(text);
    return row_config(task, row, small).model;
}

at::Tensor random_tokens(const model::ModelConfig& config, int64_t batch, int64_t length,
                         uint64_t seed) {
    RandomDraws draws(seed, 0);
    at::Tensor tokens = at::empty({batch, length}, at::kLong);
    int64_t* out = tokens.data_ptr<int64_t>();
    for (int64_t p = 0; p < tokens.numel(); ++p) out[p] = draws.below(config.vocab);
    return tokens;
}

}  // namespace rpt::proofs
