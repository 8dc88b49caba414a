// The decoder that reads and predicts: any Llama-like trunk, cut into a lower and an upper half.
#pragma once

#include <cstdint>

namespace rpt::model {

enum class FfnKind { kGelu, kSwiglu };             // spec 1.6; inner size is `ffn_dim`
enum class RopePairing { kInterleaved, kHalves };  // (x_2k, x_2k+1) or (x_k, x_k+d_h/2)

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
    double norm_eps = 1e-6;
    bool tied_output = true;
    bool final_norm = true;
    bool null_self_kv = false;  // a learnt null key/value in self-attention
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
