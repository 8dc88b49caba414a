#include "lab/network/layers.h"

#include <ATen/autocast_mode.h>

#include <cmath>
#include <limits>

#include "lab/network/float_products.h"
#include "lab/network/row_slices.h"

namespace rpt::model {
at::Tensor repeat_heads(const at::Tensor& x, int64_t heads) {
    const int64_t groups = x.size(-2);
    return groups == heads ? x : x.repeat_interleave(heads / groups, -2);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps) {
    if (!gain.defined()) return x;
    return at::rms_norm(x, gain.sizes(), gain, eps);
}

at::Tensor embed(const ModelConfig& config, const ModelWeights& w, const at::Tensor& tokens) {
    const at::Tensor rows = at::embedding(w.embedding, tokens);
    return config.scale_embedding ? rows * std::sqrt(static_cast<double>(config.dim)) : rows;
}

namespace {

// What a layer makes on the way should stay in the processor's caches.
constexpr int64_t kFeedForwardSlice = 1024;  // tokens
constexpr int64_t kScoresAtOnce = 1 << 21;   // attention scores of a slice

at::Tensor feed_rows(const ModelConfig& config, const FeedForwardWeights& w, const at::Tensor& x) {
    const at::Tensor inner = at::linear(rms_norm(x, w.norm, config.norm_eps), w.in);
    if (config.ffn == FfnKind::kGelu) return at::linear(at::gelu(inner, "tanh"), w.out);
    const int64_t f = config.ffn_dim;
    return at::linear(at::silu(inner.narrow(-1, 0, f)) * inner.narrow(-1, f, f), w.out);
}

// Grouped-query attention as attention of fewer heads to more rows: the query heads of a group
// read the same keys, so nothing is copied for each of them. [N, n, H, d] -> [N, G, H / G n, d].
at::Tensor fold_queries(const at::Tensor& q, int64_t groups) {
    return q.unflatten(2, {groups, q.size(2) / groups}).permute({0, 2, 3, 1, 4}).flatten(2, 3);
}

// The way back: [N, G, H / G n, d] -> [N, n, H d].
at::Tensor unfold_heads(const at::Tensor& x, int64_t n) {
    return x.unflatten(2, {x.size(2) / n, n}).permute({0, 3, 1, 2, 4}).flatten(2);
}

// A mask that broadcasts to [N, H, n, L], for folded queries.
at::Tensor fold_mask(const at::Tensor& mask, int64_t heads, int64_t groups, int64_t n) {
    if (!mask.defined()) return mask;
    const int64_t shared = heads / groups;
    const at::Tensor four = mask.dim() == 4 ? mask : mask.view({1, 1, n, mask.size(-1)});
    if (shared == 1 || (four.size(1) == 1 && four.size(2) == 1)) return four;
    if (four.size(1) == 1) return four.repeat({1, 1, shared, 1});
    return four.expand({four.size(0), heads, n, four.size(3)})
        .unflatten(1, {groups, shared})
        .flatten(2, 3);
}

// Batched products with the mask added by the first one. LibTorch's fused kernel multiplies in
// small pieces, and where oneDNN does the products each piece pays for a call: 1.3 to 4 times
// slower than this. `q` [N, G, n, d], `k` and `v` [N, L, G, d].
at::Tensor attend_by_products(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const at::Tensor& mask) {
    const int64_t rows = q.size(0), heads = q.size(1), n = q.size(2), d = q.size(3);
    const int64_t length = k.size(1);
    const auto by_head = [&](const at::Tensor& x) { return x.transpose(1, 2).flatten(0, 1); };
    const double scale = 1.0 / std::sqrt(static_cast<double>(d));
    const at::Tensor queries = q.flatten(0, 1), keys = by_head(k).transpose(1, 2);
    at::Tensor scores;
    if (mask.defined()) {
        const at::Tensor three =
            mask.size(0) == 1 && mask.size(1) == 1
                ? mask[0]
                : mask.expand({rows, heads, mask.size(2), length}).flatten(0, 1);
        scores = at::baddbmm(three, queries, keys, 1.0, scale);
    } else {
        scores = at::bmm(queries * scale, keys);
    }
    return at::bmm(at::softmax(scores, -1), by_head(v)).view({rows, heads, n, d});
}

at::Tensor attend_rows(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const at::Tensor& mask) {
    const int64_t n = q.size(1), heads = q.size(2), groups = k.size(2);
    const at::Tensor queries = fold_queries(q, groups);
    const at::Tensor folded = fold_mask(mask, heads, groups, n);
    // the fused kernels give a mask no gradient
    const bool learnt_mask = mask.defined() && mask.requires_grad();
    if (learnt_mask || (q.is_cpu() && q.scalar_type() == at::kFloat && fast_float_products_on() &&
                        !at::autocast::is_autocast_enabled(at::kCPU))) {
        return unfold_heads(attend_by_products(queries, k, v, folded), n);
    }
    std::optional<at::Tensor> bias;
    if (folded.defined()) {
        bias = folded.to(q.scalar_type())
                   .expand({q.size(0), folded.size(1), queries.size(2), k.size(1)});
    }
    return unfold_heads(at::scaled_dot_product_attention(queries, k.transpose(1, 2),
                                                         v.transpose(1, 2), bias, 0.0, false),
                        n);
}

}  // namespace

at::Tensor feed_forward(const ModelConfig& config, const FeedForwardWeights& w,
                        const at::Tensor& x) {
    if (!sliced(x.numel() / config.dim, kFeedForwardSlice)) return feed_rows(config, w, x);
    const at::Tensor rows = x.reshape({-1, config.dim});
    const auto feed = [&](int64_t begin, int64_t count) {
        return feed_rows(config, w, rows_of(rows, begin, count));
    };
    return in_slices(rows.size(0), kFeedForwardSlice, feed).view(x.sizes());
}

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const at::Tensor& mask) {
    const int64_t rows = q.size(0), scores = q.size(1) * q.size(2) * k.size(1);
    const bool own_masks = mask.defined() && mask.dim() == 4 && mask.size(0) == rows;
    const auto read = [&](int64_t begin, int64_t count) {
        return attend_rows(rows_of(q, begin, count), rows_of(k, begin, count),
                           rows_of(v, begin, count),
                           own_masks ? rows_of(mask, begin, count) : mask);
    };
    return in_slices(rows, std::max<int64_t>(1, kScoresAtOnce / std::max<int64_t>(1, scores)),
                     read);
}

at::Tensor attend_slow(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const at::Tensor& mask, at::Tensor* weights) {
    const int64_t heads = q.size(-2);
    const at::Tensor keys = repeat_heads(k, heads).permute({0, 2, 3, 1});
    at::Tensor scores = at::matmul(q.transpose(1, 2), keys).to(at::kFloat) *
                        (1.0 / std::sqrt(static_cast<double>(q.size(-1))));
    if (mask.defined()) scores = scores + mask;
    const at::Tensor p = at::softmax(scores, -1);
    if (weights != nullptr) *weights = p;
    return at::matmul(p.to(v.scalar_type()), repeat_heads(v, heads).transpose(1, 2))
        .transpose(1, 2)
        .flatten(2);
}

at::Tensor additive_mask(const at::Tensor& visible) {
    return at::zeros(visible.sizes(), visible.options().dtype(at::kFloat))
        .masked_fill_(visible.logical_not(), -std::numeric_limits<float>::infinity());
}

Projected split_heads(const ModelConfig& config, const at::Tensor& qkv) {
    return part_heads(config, qkv.unflatten(-1, {qkv.size(-1) / config.head_dim, config.head_dim}));
}

Projected part_heads(const ModelConfig& config, const at::Tensor& heads) {
    const int64_t groups = (heads.size(-2) - config.n_heads) / 2;
    return {heads.narrow(-2, 0, config.n_heads), heads.narrow(-2, config.n_heads, groups),
            heads.narrow(-2, config.n_heads + groups, groups)};
}

at::Tensor with_null(const at::Tensor& null, const at::Tensor& x) {
    const at::Tensor row = null.to(x.scalar_type()).unsqueeze(0).unsqueeze(0);
    return at::cat({row.expand({x.size(0), 1, x.size(2), x.size(3)}), x}, 1);
}

at::Tensor bidirectional_attention(const ModelConfig& config, const SelfAttentionWeights& w,
                                   const RopeTable& rope, const at::Tensor& qkv,
                                   const at::Tensor& present) {
    const at::Tensor heads = qkv.unflatten(-1, {qkv.size(-1) / config.head_dim, config.head_dim});
    const int64_t groups = (heads.size(-2) - config.n_heads) / 2;
    const at::Tensor qk = rope.rotate(heads.narrow(-2, 0, config.n_heads + groups), 0);
    at::Tensor mask;
    if (present.defined()) {
        const at::Tensor null_seen = at::ones_like(present.narrow(1, 0, 1));
        mask = additive_mask(at::cat({null_seen, present}, 1)).unsqueeze(1).unsqueeze(1);
    }
    const at::Tensor out =
        attend(qk.narrow(-2, 0, config.n_heads),
               with_null(w.null_key, qk.narrow(-2, config.n_heads, groups)),
               with_null(w.null_value, heads.narrow(-2, config.n_heads + groups, groups)), mask);
    return at::linear(out, w.out);
}

at::Tensor encode_chunks(const ModelConfig& config, const ModelWeights& w, const RopeTable& rope,
                         const at::Tensor& h, const at::Tensor& present) {
    const SelfAttentionWeights& encoder = *w.chunk_encoder;
    const at::Tensor qkv = at::linear(rms_norm(h, encoder.norm, config.norm_eps), encoder.qkv);
    return h + bidirectional_attention(config, encoder, rope, qkv, present);
}

}  // namespace rpt::model
