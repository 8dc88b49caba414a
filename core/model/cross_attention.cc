#include "core/model/cross_attention.h"

#include <c10/core/GradMode.h>

#include "core/model/layers.h"

namespace rpt::model {

CcaPlace cca_place(int64_t token, int64_t m) {
    const int64_t u = (token + 1) / m - 1;
    return {u, u < 0 ? 0 : m - 1 + (token + 1) % m};
}

at::Tensor memory_mask(const Neighbours& n) {
    const at::Tensor tokens = n.present.flatten(1);
    const at::Tensor seen = at::cat({at::ones_like(tokens.narrow(1, 0, 1)), tokens}, 1);
    return additive_mask(seen).unsqueeze(1).unsqueeze(1);
}

MemoryKv project_memory(const ModelConfig& config, const CrossAttentionWeights& w,
                        const RopeTable& rope, const Neighbours& n, const at::Tensor& multiplier,
                        const at::Tensor& mask) {
    const int64_t rows = n.states.size(0), k_count = n.states.size(1), tokens = n.states.size(2);
    const int64_t heads = config.n_heads, head_dim = config.head_dim;
    at::Tensor source = rms_norm(n.states, w.source_norm, config.norm_eps);
    if (multiplier.defined()) source = source * multiplier.unsqueeze(-1).unsqueeze(-1);
    const at::Tensor kv =
        at::linear(source, w.key_value).view({rows, k_count, tokens, 2, heads, head_dim});
    at::Tensor k = kv.select(3, 0);
    if (config.cca_position == CcaPosition::kRope) k = rope.rotate(k, 0);
    k = with_null(w.null_key, k.flatten(1, 2));

    const at::Tensor v = kv.select(3, 1);  // [N, K, 2m, H, d_h]
    if (!config.cca_value_shift) return {k, with_null(w.null_value, v.flatten(1, 2)), mask};
    // Token t gives what stands at t + 1: the last of the 2m, or the last before a gap, gives zero.
    const at::Tensor next_present = n.present.narrow(2, 1, tokens - 1);
    const at::Tensor next =
        v.narrow(2, 1, tokens - 1) * next_present.unsqueeze(-1).unsqueeze(-1).to(v.scalar_type());
    const at::Tensor shifted = at::constant_pad_nd(next, {0, 0, 0, 0, 0, 1}, 0.0);
    return {k, with_null(w.null_value, shifted.flatten(1, 2)), mask};
}

MemoryKv null_memory(const CrossAttentionWeights& w, int64_t n_chunks) {
    const auto repeated = [&](const at::Tensor& null) {
        return null.unsqueeze(0).unsqueeze(0).expand({n_chunks, 1, null.size(0), null.size(1)});
    };
    return {repeated(w.null_key), repeated(w.null_value), {}};
}

at::Tensor memory_queries(const ModelConfig& config, const CrossAttentionWeights& w,
                          const RopeTable& rope, const at::Tensor& x, int64_t first) {
    const at::Tensor q = at::linear(rms_norm(x, w.query_norm, config.norm_eps), w.query)
                             .unflatten(-1, {config.n_heads, config.head_dim});
    return config.cca_position == CcaPosition::kRope ? rope.rotate(q, first) : q;
}

at::Tensor chunked_cross_attention(const ModelConfig& config, const CrossAttentionWeights& w,
                                   const RopeTable& rope, const at::Tensor& x,
                                   const MemoryKv& memory, at::Tensor* null_mass) {
    const int64_t batch = x.size(0), length = x.size(1), m = config.chunk;
    const int64_t chunks = length / m;
    // group u: tokens (u+1)m-1 .. (u+2)m-2; the last group has one real token
    const at::Tensor grouped =
        at::constant_pad_nd(x.narrow(1, m - 1, length - m + 1), {0, 0, 0, m - 1}, 0.0)
            .view({batch * chunks, m, x.size(2)});
    const at::Tensor q = memory_queries(config, w, rope, grouped, m - 1);
    if (null_mass != nullptr) {
        const c10::NoGradGuard no_grad;
        at::Tensor weights;
        attend_slow(q, memory.k, memory.v, memory.mask, &weights);
        *null_mass = *null_mass + weights.select(-1, 0).mean();
    }
    const at::Tensor out = at::linear(attend(q, memory.k, memory.v, memory.mask), w.out);
    at::Tensor placed = at::constant_pad_nd(
        out.view({batch, length, x.size(2)}).narrow(1, 0, length - m + 1), {0, 0, m - 1, 0}, 0.0);
    if (!config.carry_neighbours) {
        // as if every block began anew: its first m - 1 tokens read nothing
        const at::Tensor offset =
            at::arange(length, x.options().dtype(at::kLong)).remainder(config.stride);
        placed = placed * offset.ge(m - 1).unsqueeze(-1).to(placed.scalar_type());
    }
    return placed;
}

}  // namespace rpt::model
