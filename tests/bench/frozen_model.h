// A model of SmolLM2-135M's shape with random weights, for benchmarks.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/text/bpe_trainer.h"
#include "lab/engine/torch_engine.h"
#include "lab/engine/torch_factory.h"
#include "lab/network/rpt_model.h"

namespace rpt::bench {

// Pointers from layer 28 and blocks of 256.
inline model::ModelConfig smollm2() {
    model::ModelConfig c;
    c.vocab = 49152;
    c.dim = 576;
    c.n_lower = c.n_upper = 15;
    c.n_heads = 9;
    c.n_kv_heads = 3;
    c.head_dim = 64;
    c.ffn = model::FfnKind::kSwiglu;
    c.ffn_dim = 1536;
    c.norm_eps = 1e-5;
    c.rope_theta = 1e5;
    c.scale_logits = false;
    c.sink = true;
    c.retrieval = model::RetrievalKind::kPointer;
    c.pointer_layer = 28;
    return c;
}

inline std::shared_ptr<const engine::TorchEngine> frozen_engine() {
    static const auto engine = [] {
        const auto path = std::filesystem::temp_directory_path() / "rpt_frozen_bench.safetensors";
        model::save_model(model::RptModel(smollm2(), 1), text::BpeTrainer().train(262)->to_json(),
                          {}, path.string());
        auto opened = engine::open_torch_engine(path.string(), {});
        std::filesystem::remove(path);
        return std::dynamic_pointer_cast<const engine::TorchEngine>(opened);
    }();
    return engine;
}

inline std::vector<int32_t> some_ids(size_t n) {
    std::vector<int32_t> ids(n);
    for (size_t i = 0; i < n; ++i) ids[i] = static_cast<int32_t>(i * 37 % 250);
    return ids;
}

}  // namespace rpt::bench
