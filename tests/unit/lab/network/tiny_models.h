// Small models of every family for tests: two lower and two upper layers, chunks of 4, blocks of 8.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <string>
#include <utility>
#include <vector>

#include "lab/network/rpt_model.h"

namespace rpt::model {

inline ModelConfig tiny_config() {
    ModelConfig c;
    c.vocab = 37;
    c.dim = 32;
    c.n_lower = c.n_upper = 2;
    c.n_heads = c.n_kv_heads = 2;
    c.head_dim = 16;
    c.ffn_dim = 64;
    c.chunk = 4;
    c.stride = 8;
    c.cca_layers = {2, 3};
    c.gate_horizon = 3;
    return c;
}

// Decoders in the form of pretrained ones; the first token stays in sight.
inline std::vector<std::pair<std::string, ModelConfig>> frozen_variants() {
    std::vector<std::pair<std::string, ModelConfig>> all;
    const auto add = [&](const char* name, auto change) {
        ModelConfig c = tiny_config();
        c.retrieval = RetrievalKind::kPointer;
        c.cca_layers.clear();
        c.pointer_layer = 3;
        c.pointer_width = 12;
        c.sink = true;
        c.n_heads = 6;
        c.n_kv_heads = 2;
        c.head_dim = 8;
        c.ffn = FfnKind::kSwiglu;
        c.scale_logits = false;
        change(c);
        all.emplace_back(name, c);
    };
    add("llama", [](ModelConfig&) {});
    add("llama_linear_low_pointers", [](ModelConfig& c) {
        c.rope_scaling = RopeScaling::kLinear;
        c.rope_factor = 4;
        c.pointer_layer = 1;
    });
    add("llama3_pointers_between", [](ModelConfig& c) {
        c.rope_scaling = RopeScaling::kLlama3;
        c.rope_factor = 8;
        c.rope_original_context = 16;
        c.rope_pairing = RopePairing::kHalves;
        c.pointer_layer = 2;
        c.tied_output = false;
    });
    add("qwen2", [](ModelConfig& c) {
        c.attention_bias = true;
        c.rope_pairing = RopePairing::kHalves;
        c.pointer_layer = 4;
    });
    add("qwen3", [](ModelConfig& c) {
        c.query_key_norm = true;
        c.rope_pairing = RopePairing::kHalves;
        c.n_heads = c.n_kv_heads = 3;
    });
    add("qwen2_without_memory", [](ModelConfig& c) {
        c.attention_bias = true;
        c.retrieval = RetrievalKind::kNone;
        c.pointer_layer = 0;
    });
    return all;
}

// Every switch at least once away from its default.
inline std::vector<std::pair<std::string, ModelConfig>> tiny_variants() {
    std::vector<std::pair<std::string, ModelConfig>> all;
    const auto add = [&](const char* name, auto change) {
        ModelConfig c = tiny_config();
        change(c);
        all.emplace_back(name, c);
    };
    add("rpt", [](ModelConfig&) {});
    add("transformer_xl", [](ModelConfig& c) {
        c.retrieval = RetrievalKind::kNone;
        c.cca_layers.clear();
    });
    add("retro", [](ModelConfig& c) { c.retrieval = RetrievalKind::kGiven; });
    add("retro_plain", [](ModelConfig& c) {
        c.retrieval = RetrievalKind::kGiven;
        c.augment = false;
        c.cca_layers = {3};
        c.cca_kv_norm = false;
    });
    add("usual_start_rope", [](ModelConfig& c) {
        c.cca_start = CcaStart::kUsual;
        c.cca_position = CcaPosition::kRope;
        c.cca_value_shift = false;
        c.gate = GateKind::kNone;
    });
    add("grouped_swiglu_halves", [](ModelConfig& c) {
        c.n_heads = 4;
        c.n_kv_heads = 2;
        c.head_dim = 8;
        c.ffn = FfnKind::kSwiglu;
        c.rope_pairing = RopePairing::kHalves;
        c.tied_output = false;
        c.final_norm = false;
        c.scale_logits = false;
        c.scale_embedding = true;
    });
    add("null_self_max_gate", [](ModelConfig& c) {
        c.null_self_kv = true;
        c.gate = GateKind::kMax;
        c.gate_scale_sqrt = false;
        c.cca_start = CcaStart::kCopy;
    });
    add("bias_gate", [](ModelConfig& c) { c.gate = GateKind::kBias; });
    add("no_carry_window_start", [](ModelConfig& c) {
        c.carry_neighbours = false;
        c.pool = PoolRule::kWindowStart;
        c.gate_horizon = 1;
    });
    const auto alone = [&](const char* name, auto change) {
        add(name, [&](ModelConfig& c) {
            c.retrieval = RetrievalKind::kNone;
            c.cca_layers.clear();
            change(c);
        });
    };
    const auto memorize = [](ModelConfig& c, std::vector<int64_t> layers) {
        c.memorizing_layers = std::move(layers);
        c.memorizing_tokens = 12;  // one block and a half
        c.memorizing_top_k = 3;
    };
    const auto recur = [](ModelConfig& c, std::vector<int64_t> layers) {
        c.recurrent_layers = std::move(layers);
        c.recurrent_states = 3;
    };
    const auto scan = [](ModelConfig& c, std::vector<int64_t> layers) {
        c.griffin_layers = std::move(layers);
        c.griffin_width = 24;
        c.griffin_gate_blocks = 4;
    };
    alone("memorizing", [&](ModelConfig& c) { memorize(c, {2}); });
    alone("block_recurrent", [&](ModelConfig& c) { recur(c, {1, 3}); });
    alone("griffin", [&](ModelConfig& c) { scan(c, {2, 3}); });
    add("every_memory", [&](ModelConfig& c) {
        c.n_kv_heads = 1;
        c.null_self_kv = true;
        memorize(c, {1, 2});
        recur(c, {3});
        scan(c, {0, 2});
    });
    add("wide_keys", [](ModelConfig& c) { c.key_features = 3 * c.dim; });
    add("wide_head", [](ModelConfig& c) { c.head_dim = 24; });
    add("pointers_of_rpt", [](ModelConfig& c) {
        c.pointer_layer = 2;
        c.pointer_width = 12;
    });
    for (auto& variant : frozen_variants()) all.push_back(std::move(variant));
    return all;
}

// Models whose scores enter cross-attention, and the other way past the residual.
inline std::vector<std::pair<std::string, ModelConfig>> weighed_variants() {
    std::vector<std::pair<std::string, ModelConfig>> all;
    const auto add = [&](const char* name, auto change) {
        ModelConfig c = tiny_config();
        c.retrieval = RetrievalKind::kGca;
        c.augment = false;
        c.cca_fuse = CcaFuse::kWeighted;
        c.cca_opt_out = CcaOptOut::kZeroSlot;
        change(c);
        all.emplace_back(name, c);
    };
    add("gca", [](ModelConfig&) {});
    add("gca_null_kv_bypass_cosine", [](ModelConfig& c) {
        c.cca_opt_out = CcaOptOut::kNullKv;
        c.cca_residual = CcaResidual::kBypass;
        c.score_norm = ScoreNorm::kCosine;
    });
    add("gca_no_sink_rope_outputs", [](ModelConfig& c) {
        c.gca_sink = false;
        c.cca_position = CcaPosition::kRope;
        c.score_norm = ScoreNorm::kOutputs;
    });
    add("gca_usual_start", [](ModelConfig& c) {
        c.retrieval = RetrievalKind::kGcaLambdaRank;
        c.cca_start = CcaStart::kUsual;
        c.cca_value_shift = false;
    });
    add("gca_wide_keys", [](ModelConfig& c) { c.key_features = 3 * c.dim; });
    add("gca_bias", [](ModelConfig& c) {
        c.cca_fuse = CcaFuse::kBias;
        c.cca_opt_out = CcaOptOut::kNullKv;
    });
    add("rpt_bypass_zero_slot", [](ModelConfig& c) {
        c.retrieval = RetrievalKind::kLambdaRank;
        c.cca_fuse = CcaFuse::kJoint;
        c.cca_residual = CcaResidual::kBypass;
    });
    return all;
}

inline std::vector<std::pair<std::string, ModelConfig>> all_variants() {
    auto all = tiny_variants();
    for (auto& variant : weighed_variants()) all.push_back(std::move(variant));
    return all;
}

// Biases, gains and scales start as zeros and ones, which would hide a wrong place for them.
inline void roughen(const RptModel& model) {
    const c10::NoGradGuard no_grad;
    at::manual_seed(9);
    for (const auto& [name, parameter] : model.parameters()) {
        const auto ends = [&, &n = name](const char* with) { return n.ends_with(with); };
        if (ends("norm")) at::Tensor(parameter).add_(at::randn_like(parameter), 0.05);
        if (ends("_bias") || ends("_gain") || ends("pointer.mean"))
            at::Tensor(parameter).add_(at::randn_like(parameter), 0.2);
        if (ends("state_scale")) at::Tensor(parameter).copy_(at::rand_like(parameter) + 0.5);
        if (ends("pointer.query")) at::Tensor(parameter).add_(at::randn_like(parameter), 0.2);
    }
}

inline at::Tensor tiny_tokens(const ModelConfig& c, int64_t batch, int64_t length,
                              uint64_t seed = 5) {
    at::manual_seed(seed);
    return at::randint(c.vocab, {batch, length}, at::kLong);
}

// Allowed neighbours for every chunk, K of them, some left out.
inline at::Tensor tiny_neighbours(const ModelConfig& c, int64_t batch, int64_t chunks, int64_t k) {
    if (!c.has_cca()) return {};
    at::Tensor n = at::full({batch, chunks, k}, -1, at::kLong);
    for (int64_t b = 0; b < batch; ++b) {
        for (int64_t i = 0; i < chunks; ++i) {
            const int64_t last = last_retrievable(c, i);
            for (int64_t r = 0; r < k && r <= last; ++r) {
                if ((b + i + r) % 4 != 3) n[b][i][r] = (3 * i + 5 * r + b) % (last + 1);
            }
        }
    }
    return n;
}

}  // namespace rpt::model
