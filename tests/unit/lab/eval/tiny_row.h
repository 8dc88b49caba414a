// A row of the paper that is small enough to be read in a moment.
#pragma once

#include "core/model/config.h"
#include "lab/train/shard.h"

namespace rpt::eval {

inline const train::ShardVocabulary kTinyVocabulary{64, 0, 1, 2, {}};

inline model::ModelConfig tiny_row() {
    model::ModelConfig config;
    config.vocab = 64;
    config.dim = 16;
    config.n_lower = 1;
    config.n_upper = 2;
    config.n_heads = 2;
    config.n_kv_heads = 2;
    config.head_dim = 8;
    config.ffn_dim = 32;
    config.chunk = 4;
    config.stride = 8;
    config.cca_layers = {1, 2};
    return config;
}

}  // namespace rpt::eval
