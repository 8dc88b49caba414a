#include "lab/network/cross_attention.h"

#include <c10/core/GradMode.h>

#include <cmath>

#include "lab/network/layers.h"
#include "lab/network/neighbour_weights.h"
#include "lab/network/row_slices.h"

namespace rpt::model {
namespace {

// 1 for the null key, then the tokens that are present [.., tokens].
at::Tensor with_null_seen(const at::Tensor& present) {
    return at::cat({at::ones_like(present.narrow(-1, 0, 1)), present}, -1);
}

// `kv` [N, K, 2m, 2, H, d_h] of N chunks' neighbours becomes what they are read from.
MemoryKv arrange(const ModelConfig& config, const CrossAttentionWeights& w, const RopeTable& rope,
                 const at::Tensor& kv, const at::Tensor& present, const MemoryUse& use) {
    const int64_t tokens = kv.size(2);
    at::Tensor k = kv.select(3, 0);
    if (config.cca_position == CcaPosition::kRope) k = rope.rotate(k, 0);
    at::Tensor v = kv.select(3, 1);  // [N, K, 2m, H, d_h]
    if (config.cca_value_shift) {
        // Token t gives what stands at t + 1: the last of the 2m, or the last before a gap, gives
        // zero.
        const at::Tensor next_present = present.narrow(2, 1, tokens - 1);
        const at::Tensor next = v.narrow(2, 1, tokens - 1) *
                                next_present.unsqueeze(-1).unsqueeze(-1).to(v.scalar_type());
        v = at::constant_pad_nd(next, {0, 0, 0, 0, 0, 1}, 0.0);
    }
    const at::Tensor null_k = null_or_zeros(config, w.null_key, k);
    const at::Tensor null_v = null_or_zeros(config, w.null_value, v);
    if (!use.weights.defined()) {
        return {
            with_null(null_k, k.flatten(1, 2)), with_null(null_v, v.flatten(1, 2)), use.mask, {}};
    }
    const int64_t rows = k.size(0), count = k.size(1);
    const auto each = [&](const at::Tensor& null, const at::Tensor& x) {
        return with_null(null, x.flatten(0, 1)).unflatten(0, {rows, count}).flatten(1, 2);
    };
    return {each(null_k, k), each(null_v, v), use.mask, use.weights};
}

// softmax(q k^T / sqrt(d_h) + mask) of each neighbour by itself, times its weight:
// [N H, n, K, 1 + 2m].
at::Tensor weighed_attention(const at::Tensor& q, const MemoryKv& memory) {
    const int64_t rows = q.size(0), n = q.size(1), heads = q.size(2), d = q.size(3);
    const int64_t length = memory.k.size(1), count = memory.weights.size(1);
    const auto by_head = [&](const at::Tensor& x) { return x.transpose(1, 2).flatten(0, 1); };
    const at::Tensor queries = by_head(q) * (1.0 / std::sqrt(static_cast<double>(d)));
    at::Tensor scores = at::bmm(queries, by_head(memory.k).transpose(1, 2));
    if (memory.mask.defined()) {
        scores = scores.view({rows, heads, n, length}) + memory.mask;
        scores = scores.flatten(0, 1);
    }
    const at::Tensor own =
        at::softmax(scores.view({rows * heads, n, count, length / count}), -1, at::kFloat);
    const at::Tensor weights = memory.weights.unsqueeze(1)
                                   .expand({rows, heads, count})
                                   .reshape({rows * heads, 1, count, 1});
    return own * weights;
}

}  // namespace

CcaPlace cca_place(int64_t token, int64_t m) {
    const int64_t u = (token + 1) / m - 1;
    return {u, u < 0 ? 0 : m - 1 + (token + 1) % m};
}

at::Tensor null_or_zeros(const ModelConfig& config, const at::Tensor& null, const at::Tensor& x) {
    return null.defined() ? null : at::zeros({config.n_heads, config.head_dim}, x.options());
}

MemoryUse use_of_memory(const ModelConfig& config, const at::Tensor& present,
                        const at::Tensor& scores, const at::Tensor& null_score) {
    MemoryUse use;
    if (config.cca_fuse == CcaFuse::kWeighted) {
        use.weights = neighbour_weights(scores, present.select(2, 0), null_score);
        use.mask = additive_mask(with_null_seen(present).flatten(1));
    } else {
        use.mask = additive_mask(with_null_seen(present.flatten(1)));
        if (config.cca_fuse == CcaFuse::kBias) {
            // a neighbour's tokens share its score; that of the null key is 0
            const at::Tensor each = scores.unsqueeze(2).expand(present.sizes()).flatten(1);
            use.mask = use.mask + at::constant_pad_nd(each, {1, 0}, 0.0);
        }
    }
    use.mask = use.mask.unsqueeze(1).unsqueeze(1);
    return use;
}

MemoryUse MemoryUse::rows(int64_t begin, int64_t count) const {
    return {rows_of(mask, begin, count), rows_of(weights, begin, count)};
}

at::Tensor project_chunks(const ModelConfig& config, const CrossAttentionWeights& w,
                          const at::Tensor& states) {
    return at::linear(rms_norm(states, w.source_norm, config.norm_eps), w.key_value)
        .unflatten(-1, {2, config.n_heads, config.head_dim});
}

MemoryKv project_memory(const ModelConfig& config, const CrossAttentionWeights& w,
                        const RopeTable& rope, const Neighbours& n, const at::Tensor& multiplier,
                        const MemoryUse& use) {
    at::Tensor source = rms_norm(n.states, w.source_norm, config.norm_eps);
    if (multiplier.defined()) source = source * multiplier.unsqueeze(-1).unsqueeze(-1);
    const at::Tensor kv =
        at::linear(source, w.key_value).unflatten(-1, {2, config.n_heads, config.head_dim});
    return arrange(config, w, rope, kv, n.present, use);
}

MemoryKv project_gathered(const ModelConfig& config, const CrossAttentionWeights& w,
                          const RopeTable& rope, const at::Tensor& chunk_kv,
                          const at::Tensor& indices, const at::Tensor& present,
                          const MemoryUse& use, int64_t begin) {
    const at::Tensor kv = gather_pairs(chunk_kv, indices, begin, present.size(0))
                              .view({present.size(0), present.size(1), present.size(2), 2,
                                     config.n_heads, config.head_dim});
    return arrange(config, w, rope, kv, present, use);
}

MemoryKv null_memory(const ModelConfig& config, const CrossAttentionWeights& w, int64_t n_chunks) {
    const auto repeated = [&](const at::Tensor& null) {
        return null_or_zeros(config, null, w.query)
            .unsqueeze(0)
            .unsqueeze(0)
            .expand({n_chunks, 1, config.n_heads, config.head_dim});
    };
    at::Tensor weights;
    if (config.cca_fuse == CcaFuse::kWeighted) {
        weights = at::zeros({n_chunks, 1}, w.query.options().requires_grad(false));
    }
    return {repeated(w.null_key), repeated(w.null_value), {}, weights};
}

at::Tensor memory_queries(const ModelConfig& config, const CrossAttentionWeights& w,
                          const RopeTable& rope, const at::Tensor& x, int64_t first) {
    const at::Tensor q = at::linear(rms_norm(x, w.query_norm, config.norm_eps), w.query)
                             .unflatten(-1, {config.n_heads, config.head_dim});
    return config.cca_position == CcaPosition::kRope ? rope.rotate(q, first) : q;
}

at::Tensor read_memory(const at::Tensor& q, const MemoryKv& memory, at::Tensor* nothing) {
    const int64_t rows = q.size(0), n = q.size(1), heads = q.size(2);
    if (!memory.weights.defined()) {
        if (nothing != nullptr) {
            const c10::NoGradGuard no_grad;
            at::Tensor weights;
            attend_slow(q, memory.k, memory.v, memory.mask, &weights);
            *nothing = weights.select(-1, 0).mean();
        }
        return attend(q, memory.k, memory.v, memory.mask);
    }
    const at::Tensor p = weighed_attention(q, memory);
    if (nothing != nullptr) {
        const int64_t tokens = p.size(3) - 1;
        *nothing = 1.0 - p.detach().narrow(3, 1, tokens).sum({2, 3}).mean();
    }
    const at::Tensor values = memory.v.transpose(1, 2).flatten(0, 1);
    return at::bmm(p.flatten(2).to(values.scalar_type()), values)
        .view({rows, heads, n, q.size(3)})
        .transpose(1, 2)
        .flatten(2);
}

at::Tensor chunked_cross_attention(const ModelConfig& config, const CrossAttentionWeights& w,
                                   const RopeTable& rope, const at::Tensor& x,
                                   const MemoryReader& read) {
    const int64_t batch = x.size(0), length = x.size(1), m = config.chunk;
    const int64_t chunks = length / m;
    // group u: tokens (u+1)m-1 .. (u+2)m-2; the last group has one real token
    const at::Tensor grouped =
        at::constant_pad_nd(x.narrow(1, m - 1, length - m + 1), {0, 0, 0, m - 1}, 0.0)
            .view({batch * chunks, m, x.size(2)});
    const at::Tensor out = at::linear(read(memory_queries(config, w, rope, grouped, m - 1)), w.out);
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

at::Tensor chunked_cross_attention(const ModelConfig& config, const CrossAttentionWeights& w,
                                   const RopeTable& rope, const at::Tensor& x,
                                   const MemoryKv& memory, at::Tensor* null_mass) {
    return chunked_cross_attention(config, w, rope, x, [&](const at::Tensor& q) {
        if (null_mass == nullptr) return read_memory(q, memory);
        at::Tensor nothing;
        const at::Tensor out = read_memory(q, memory, &nothing);
        *null_mass = *null_mass + nothing;
        return out;
    });
}

}  // namespace rpt::model
