#include "core/engine/model_cost.h"

#include <algorithm>
#include <cstdint>

namespace rpt::engine {
namespace {

double layer_weights(const model::ModelConfig& c) {
    const int64_t attention = (2 * c.n_heads + 2 * c.n_kv_heads) * c.head_dim * c.dim;
    const int64_t ffn = (c.ffn == model::FfnKind::kSwiglu ? 3 : 2) * c.ffn_dim * c.dim;
    return static_cast<double>(attention + ffn);
}

// Keys that a token sees on average: its own block up to itself and the block before.
double mean_window(const model::ModelConfig& c) {
    return 1.5 * static_cast<double>(c.stride);
}

}  // namespace

double lower_flops_per_token(const model::ModelConfig& c) {
    const double width = static_cast<double>(c.n_heads * c.head_dim),
                 d = static_cast<double>(c.dim);
    const double m = static_cast<double>(c.chunk);
    const double layers = static_cast<double>(std::max(c.n_lower, c.pointer_layer));
    double flops = layers * (2 * layer_weights(c) + 4 * mean_window(c) * width);
    if (c.has_memory()) flops += 2 * 4 * width * d + 4 * m * width;
    if (c.has_chunk_keys()) flops += 2 * 2 * d * d / m;
    if (c.has_pointers()) flops += 2 * 2 * static_cast<double>(c.pointer_width) * d;
    return flops;
}

double decode_bytes_per_token(const model::ModelConfig& c) {
    const double width = static_cast<double>(c.n_heads * c.head_dim),
                 d = static_cast<double>(c.dim);
    const double kv = 2 * mean_window(c) * static_cast<double>(c.n_kv_heads * c.head_dim);
    const double memory =
        2 * width * d + 2 * static_cast<double>(c.neighbours * 2 * c.chunk) * width;
    return 4 *
           (static_cast<double>(c.layers()) * (layer_weights(c) + kv) +
            static_cast<double>(c.cca_layers.size()) * memory + static_cast<double>(c.vocab) * d);
}

}  // namespace rpt::engine
