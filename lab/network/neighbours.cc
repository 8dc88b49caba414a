#include "lab/network/neighbours.h"

#include <algorithm>
#include <cmath>

#include "lab/network/layers.h"
#include "lab/network/row_slices.h"

namespace rpt::model {
namespace {

at::Tensor attend_to_asking(const ModelConfig& config, const CrossAttentionWeights& w,
                            const RopeTable& rope, const at::Tensor& c, const at::Tensor& asking) {
    // c [N, K 2m, d] after step one; asking [N, n, d], no token for an opening
    const int64_t heads = config.n_heads, head_dim = config.head_dim;
    const int64_t rows = c.size(0), m = config.chunk;
    const at::Tensor q = at::linear(rms_norm(c, w.query_norm, config.norm_eps), w.query)
                             .view({rows, -1, 2 * m, heads, head_dim});
    const at::Tensor kv = at::linear(rms_norm(asking, w.source_norm, config.norm_eps), w.key_value)
                              .view({rows, asking.size(1), 2, heads, head_dim});
    // every neighbour's tokens stand at positions 0 .. 2m - 1, so all K share one set of keys
    const at::Tensor turned = rope.rotate(q, 0).flatten(1, 2);
    const at::Tensor k = with_null(w.null_key, rope.rotate(kv.select(2, 0), 0));
    const at::Tensor v = with_null(w.null_value, kv.select(2, 1));
    return at::linear(attend(turned, k, v), w.out);
}

at::Tensor augment(const ModelConfig& config, const ModelWeights& w, const RopeTable& rope,
                   const Neighbours& n, const at::Tensor& qkv, const at::Tensor& asking) {
    const int64_t rows = n.states.size(0), k = n.states.size(1), tokens = n.states.size(2);
    const int64_t d = n.states.size(3);
    const at::Tensor own =
        bidirectional_attention(config, *w.augment_self, rope, qkv, n.present.flatten(0, 1));
    const at::Tensor c = (n.states + own.view({rows, k, tokens, d})).flatten(1, 2);
    const at::Tensor read = attend_to_asking(config, *w.augment_query, rope, c, asking);
    return (c + read).view({rows, k, tokens, d});
}

}  // namespace

at::Tensor neighbour_rows(const at::Tensor& indices) {
    const int64_t batch = indices.size(0), chunks = indices.size(1);
    const at::Tensor own = at::arange(batch, indices.options()).unsqueeze(1).unsqueeze(1);
    const at::Tensor j = indices.clamp_min(0);
    return (own + j.div(chunks, "floor")).remainder(batch) * chunks + j.remainder(chunks);
}

at::Tensor present_tokens(const at::Tensor& indices, int64_t m) {
    const int64_t batch = indices.size(0), chunks = indices.size(1), k = indices.size(2);
    const at::Tensor has_first = indices.ge(0);
    const at::Tensor has_second = has_first.logical_and(indices.remainder(chunks).lt(chunks - 1));
    return at::stack({has_first, has_second}, -1)
        .unsqueeze(-1)
        .expand({batch, chunks, k, 2, m})
        .reshape({batch * chunks, k, 2 * m});
}

at::Tensor gather_pairs(const at::Tensor& x, const at::Tensor& indices) {
    return gather_pairs(x, indices, 0, indices.size(0) * indices.size(1));
}

at::Tensor gather_pairs(const at::Tensor& x, const at::Tensor& indices, int64_t begin,
                        int64_t count) {
    const int64_t chunks = indices.size(1), k = indices.size(2);
    const at::Tensor first = neighbour_rows(indices).flatten(0, 1).narrow(0, begin, count);
    const at::Tensor last = first.remainder(chunks).eq(chunks - 1);
    const at::Tensor second = first + last.logical_not().to(at::kLong);
    const at::Tensor picked =
        x.flatten(1).index_select(0, at::stack({first, second}, -1).flatten());
    std::vector<int64_t> shape = x.sizes().vec();
    shape[0] = count * k;
    shape[1] *= 2;
    return picked.view(shape);
}

Neighbours gather_neighbours(const at::Tensor& states, const at::Tensor& indices) {
    const int64_t batch = states.size(0), chunks = states.size(1), m = states.size(2);
    return {gather_pairs(states.flatten(0, 1), indices)
                .view({batch * chunks, indices.size(2), 2 * m, states.size(3)}),
            present_tokens(indices, m)};
}

at::Tensor augment_neighbours(const ModelConfig& config, const ModelWeights& w,
                              const RopeTable& rope, const Neighbours& n,
                              const at::Tensor& asking) {
    const SelfAttentionWeights& self = *w.augment_self;
    const at::Tensor qkv =
        at::linear(rms_norm(n.states.flatten(0, 1), self.norm, config.norm_eps), self.qkv);
    return augment(config, w, rope, n, qkv, asking);
}

at::Tensor augment_gathered(const ModelConfig& config, const ModelWeights& w, const RopeTable& rope,
                            const Neighbours& n, const at::Tensor& states,
                            const at::Tensor& indices, const at::Tensor& asking) {
    const SelfAttentionWeights& self = *w.augment_self;
    const at::Tensor per_chunk =
        at::linear(rms_norm(states.flatten(0, 1), self.norm, config.norm_eps), self.qkv);
    return in_slices(n.states.size(0), kMemorySlice, [&](int64_t begin, int64_t count) {
        const Neighbours part{rows_of(n.states, begin, count), rows_of(n.present, begin, count)};
        return augment(config, w, rope, part, gather_pairs(per_chunk, indices, begin, count),
                       rows_of(asking, begin, count));
    });
}

at::Tensor pool_neighbours(const Neighbours& n) {
    const at::Tensor weight = n.present.unsqueeze(-1).to(n.states.scalar_type());
    return (n.states * weight).sum(2) / weight.sum(2).clamp_min(1.0);
}

namespace {

at::Tensor gate_scores_at_once(const ModelConfig& config, const GateWeights& w,
                               const at::Tensor& pooled, const at::Tensor& valid, int64_t n_last) {
    const int64_t batch = pooled.size(0), chunks = pooled.size(1), k = pooled.size(2);
    const at::Tensor g = pooled.flatten(1, 2);    // [B, n, d], n = l K, chunk-major
    const at::Tensor seen = valid.flatten(1, 2);  // [B, n]
    const int64_t n = g.size(1);

    Projected p = split_heads(
        config, at::linear(rms_norm(g, w.attention.norm, config.norm_eps), w.attention.qkv));
    // Positions count the neighbours that are there, so a masked one leaves no hole (spec 1.12.2).
    const at::Tensor position = seen.to(at::kLong).cumsum(1).sub_(1).clamp_min_(0);
    const at::Tensor factors = rotary_factors(config, 0, n)
                                   .to(g.device())
                                   .index_select(0, position.flatten())
                                   .view({batch, n, -1});
    at::Tensor q = rotate(p.q, factors, config.rope_pairing);
    at::Tensor keys = rotate(p.k, factors, config.rope_pairing);
    at::Tensor values = p.v;

    const at::Tensor order = at::arange(n, seen.options().dtype(at::kLong));
    const at::Tensor chunk = order.div(k, "floor");
    const at::Tensor earlier = order.unsqueeze(0).le(order.unsqueeze(1));
    const at::Tensor near = chunk.unsqueeze(0).gt(chunk.unsqueeze(1) - config.gate_horizon);
    const at::Tensor itself = order.unsqueeze(0).eq(order.unsqueeze(1));
    // a masked neighbour sees itself, so that no row is empty; nothing reads its result
    at::Tensor visible =
        earlier.logical_and(near).logical_and(seen.unsqueeze(1)).logical_or(itself).unsqueeze(1);
    if (w.attention.null_key.defined()) {
        keys = with_null(w.attention.null_key, keys);
        values = with_null(w.attention.null_value, values);
        visible = at::cat({at::ones_like(visible.narrow(3, 0, 1)), visible}, 3);
    }
    const int64_t from = (chunks - n_last) * k;
    q = q.narrow(1, from, n - from);
    const at::Tensor mask = additive_mask(visible.narrow(2, from, n - from));
    const at::Tensor out =
        g.narrow(1, from, n - from) + at::linear(attend(q, keys, values, mask), w.attention.out);
    const at::Tensor s = at::linear(rms_norm(out, w.norm, config.norm_eps), w.score, w.bias);
    return s.view({batch, n_last, k});
}

}  // namespace

at::Tensor gate_scores(const ModelConfig& config, const GateWeights& w, const at::Tensor& pooled,
                       const at::Tensor& valid, int64_t n_last) {
    const int64_t chunks = pooled.size(1);
    // A slice sees the chunks of its horizon; positions count from its beginning, and only their
    // differences matter.
    const auto slice = [&](int64_t begin, int64_t count) {
        const int64_t at = chunks - n_last + begin;
        const int64_t from = std::max<int64_t>(0, at - config.gate_horizon + 1);
        return gate_scores_at_once(config, w, pooled.narrow(1, from, at + count - from),
                                   valid.narrow(1, from, at + count - from), count)
            .transpose(0, 1);
    };
    if (!sliced(n_last, kMemorySlice)) return gate_scores_at_once(config, w, pooled, valid, n_last);
    return in_slices(n_last, kMemorySlice, slice).transpose(0, 1);
}

at::Tensor gate_multiplier(const ModelConfig& config, const at::Tensor& scores) {
    const double d = static_cast<double>(config.dim);
    const double scale = 1.0 / (config.gate_scale_sqrt ? std::sqrt(d) : d);
    const at::Tensor open = at::sigmoid(scores.to(at::kFloat) * scale);
    switch (config.gate) {
        case GateKind::kAffine:
            return config.gate_floor + (1.0 - config.gate_floor) * open;
        case GateKind::kMax:
            return open.clamp_min(config.gate_floor);
        case GateKind::kNone:
        case GateKind::kBias:
            break;
    }
    return {};
}

}  // namespace rpt::model
