// The decoder that reads and predicts: any Llama-like trunk, cut into a lower and an upper half.
#pragma once

#include <cstdint>

namespace rpt::model {

enum class FfnKind { kGelu, kSwiglu };             // spec 1.6; inner size is `ffn_dim`
enum class RopePairing { kInterleaved, kHalves };  // (x_2k, x_2k+1) or (x_k, x_k+d_h/2)
// How a model that was trained on short texts was stretched to long ones. Linear: every angle is
// divided by the factor. Llama 3: the angles that turn fewer than `rope_low_frequency` times within
// the original context are divided, those that turn more than `rope_high_frequency` times are kept,
// and between the two the share of both changes evenly with the number of turns.
enum class RopeScaling { kNone, kLinear, kLlama3 };

struct TrunkConfig {
    int64_t vocab = 8192;
    int64_t dim = 256;
    int64_t n_lower = 3;
    int64_t n_upper = 3;
    int64_t n_heads = 4;
    int64_t n_kv_heads = 4;  // < n_heads: grouped-query attention; must divide n_heads
    int64_t head_dim = 64;
    FfnKind ffn = FfnKind::kGelu;
    int64_t ffn_dim = 1024;
    double rope_theta = 10000.0;
    RopePairing rope_pairing = RopePairing::kInterleaved;
    RopeScaling rope_scaling = RopeScaling::kNone;
    double rope_factor = 1.0;              // linear, llama3
    double rope_low_frequency = 1.0;       // llama3: turns
    double rope_high_frequency = 4.0;      // llama3: turns
    int64_t rope_original_context = 8192;  // llama3: tokens
    double norm_eps = 1e-6;
    bool tied_output = true;
    bool final_norm = true;
    bool null_self_kv = false;    // a learnt null key/value in self-attention
    bool attention_bias = false;  // biases of queries, keys and values (Qwen2)
    // An RMS norm of each head's query and key, before they are rotated (Qwen3).
    bool query_key_norm = false;
    // From block 2 on, where the first token of a sequence has left the window, every token still
    // attends to that token's key and value; its key is rotated to the place before the window's
    // first row. So within two blocks a windowed pass equals a full causal one, and later it does
    // not lose the token on which a pretrained model rests its attention.
    bool sink = false;
    // true: logits / sqrt(dim), embeddings start as N(0, 1); false: they start as N(0, 1 / dim)
    bool scale_logits = true;
    // Embeddings times sqrt(dim) on their way in. Without scale_logits this is the same start as
    // with it, but an optimiser of fixed step size moves the rows sqrt(dim) times faster.
    bool scale_embedding = false;
    int64_t chunk = 64;    // m, tokens
    int64_t stride = 256;  // S, tokens of a block; a multiple of chunk. The window is 2 S.

    int64_t layers() const { return n_lower + n_upper; }
    int64_t chunks_per_block() const { return stride / chunk; }
    bool operator==(const TrunkConfig&) const = default;
};

}  // namespace rpt::model
