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

constexpr int64_t kFeedForwardSlice = 8192;  // tokens
constexpr int64_t kScoresAtOnce = 1 << 24;   // attention scores of a slice

at::Tensor feed_rows(const ModelConfig& config, const FeedForwardWeights& w, const at::Tensor& x) {
    const at::Tensor inner = at::linear(rms_norm(x, w.norm, config.norm_eps), w.in);
    if (config.ffn == FfnKind::kGelu) return at::linear(at::gelu(inner, "tanh"), w.out);
    const int64_t f = config.ffn_dim;
    return at::linear(at::silu(inner.narrow(-1, 0, f)) * inner.narrow(-1, f, f), w.out);
}

// Batched products with the mask added by the first one. LibTorch's fused kernel multiplies in
// small pieces, and where oneDNN does the products each piece pays for a call: 1.3 to 4 times
// slower than this.
at::Tensor attend_by_products(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const at::Tensor& mask) {
    const int64_t rows = q.size(0), n = q.size(1), heads = q.size(2), d = q.size(3);
    const int64_t length = k.size(1);
    const auto by_head = [&](const at::Tensor& x) { return x.transpose(1, 2).flatten(0, 1); };
    const double scale = 1.0 / std::sqrt(static_cast<double>(d));
    const at::Tensor queries = by_head(q), keys = by_head(k).transpose(1, 2);
    at::Tensor scores;
    if (mask.defined()) {
        const at::Tensor four = mask.dim() == 4 ? mask : mask.view({1, 1, n, length});
        const at::Tensor three =
            four.size(0) == 1 && four.size(1) == 1
                ? four[0]
                : four.expand({rows, heads, four.size(2), length}).flatten(0, 1);
        scores = at::baddbmm(three, queries, keys, 1.0, scale);
    } else {
        scores = at::bmm(queries * scale, keys);
    }
    return at::bmm(at::softmax(scores, -1), by_head(v))
        .view({rows, heads, n, d})
        .transpose(1, 2)
        .flatten(2);
}

at::Tensor attend_rows(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const at::Tensor& mask) {
    const int64_t heads = q.size(-2);
    const at::Tensor keys = repeat_heads(k, heads), values = repeat_heads(v, heads);
    // the fused kernels give a mask no gradient
    if (mask.defined() && mask.requires_grad()) return attend_by_products(q, keys, values, mask);
    if (q.is_cpu() && q.scalar_type() == at::kFloat && fast_float_products_on() &&
        !at::autocast::is_autocast_enabled(at::kCPU)) {
        return attend_by_products(q, keys, values, mask);
    }
    std::optional<at::Tensor> bias;
    if (mask.defined()) {
        bias = mask.to(q.scalar_type())
                   .expand({q.size(0), mask.dim() == 4 ? mask.size(1) : 1, q.size(1), k.size(1)});
    }
    return at::scaled_dot_product_attention(q.transpose(1, 2), keys.transpose(1, 2),
                                            values.transpose(1, 2), bias, 0.0, false)
        .transpose(1, 2)
        .flatten(2);
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

namespace {

// q and k are neighbours in memory, so one turn serves both.
Projected rotated(const ModelConfig& config, const RopeTable& rope, const at::Tensor& heads) {
    const int64_t groups = config.n_kv_heads;
    const at::Tensor qk = rope.rotate(heads.narrow(-2, 0, config.n_heads + groups), 0);
    return {qk.narrow(-2, 0, config.n_heads), qk.narrow(-2, config.n_heads, groups),
            heads.narrow(-2, config.n_heads + groups, groups)};
}

// [B, nb, n, ..] -> [B nb, n, ..]
at::Tensor merge_rows(const at::Tensor& x) {
    return x.flatten(0, 1);
}

}  // namespace

at::Tensor project_heads(const ModelConfig& config, const SelfAttentionWeights& w,
                         const at::Tensor& normed) {
    return at::linear(normed, w.qkv)
        .unflatten(-1, {w.qkv.size(0) / config.head_dim, config.head_dim});
}

at::Tensor block_attention(const ModelConfig& config, const SelfAttentionWeights& w,
                           const RopeTable& rope, const at::Tensor& x) {
    const at::Tensor heads = project_heads(config, w, rms_norm(x, w.norm, config.norm_eps));
    return at::linear(attend_blocks(config, w, rope, heads), w.out);
}

namespace {

// Full blocks of rotated q, k, v.
at::Tensor attend_full_blocks(const ModelConfig& config, const SelfAttentionWeights& w,
                              const Projected& p) {
    const int64_t batch = p.q.size(0), length = p.q.size(1), stride = config.stride;
    const int64_t blocks = length / stride;
    const bool null_kv = w.null_key.defined();
    const auto in_blocks = [&](const at::Tensor& t) { return t.unflatten(1, {blocks, stride}); };
    const at::Tensor q = in_blocks(p.q), k = in_blocks(p.k), v = in_blocks(p.v);

    const auto causal = at::ones({stride, stride}, p.q.options().dtype(at::kBool)).tril();
    const auto mask_of = [&](const at::Tensor& visible) {
        if (!null_kv) return additive_mask(visible);
        return additive_mask(at::cat({at::ones_like(visible.narrow(1, 0, 1)), visible}, 1));
    };
    const auto null_first = [&](const at::Tensor& null, const at::Tensor& t) {
        return null_kv ? with_null(null, t) : t;
    };

    // The first block has no past: half the keys.
    const at::Tensor q0 = q.select(1, 0), k0 = k.select(1, 0), v0 = v.select(1, 0);
    at::Tensor first = null_kv ? attend(q0, with_null(w.null_key, k0), with_null(w.null_value, v0),
                                        mask_of(causal))
                               : attend(q0, k0, v0, mask_of(causal));
    if (blocks == 1) return first;

    const auto windows = [&](const at::Tensor& t) {
        return merge_rows(at::cat({t.narrow(1, 0, blocks - 1), t.narrow(1, 1, blocks - 1)}, 2));
    };
    const at::Tensor visible = at::cat({at::ones_like(causal), causal}, 1);
    const at::Tensor rest =
        attend(merge_rows(q.narrow(1, 1, blocks - 1)), null_first(w.null_key, windows(k)),
               null_first(w.null_value, windows(v)), mask_of(visible));
    const at::Tensor all = at::cat({first.unsqueeze(1), rest.unflatten(0, {batch, blocks - 1})}, 1);
    return all.reshape({batch, length, all.size(-1)});
}

// The last `n` tokens, a block that is not full, behind the block before it, if there is one.
at::Tensor attend_short_block(const ModelConfig& config, const SelfAttentionWeights& w,
                              const Projected& p, int64_t n) {
    const int64_t length = p.q.size(1), begin = length - n;
    const int64_t seen_from = std::max<int64_t>(0, begin - config.stride);
    const bool null_kv = w.null_key.defined();
    const auto seen = [&](const at::Tensor& null, const at::Tensor& t) {
        const at::Tensor window = t.narrow(1, seen_from, length - seen_from);
        return null_kv ? with_null(null, window) : window;
    };
    const at::Tensor keys = seen(w.null_key, p.k);
    // a token sees all keys but those of the tokens behind it
    const auto visible =
        at::ones({n, keys.size(1)}, p.q.options().dtype(at::kBool)).tril(keys.size(1) - n);
    return attend(p.q.narrow(1, begin, n), keys, seen(w.null_value, p.v), additive_mask(visible));
}

}  // namespace

at::Tensor attend_blocks(const ModelConfig& config, const SelfAttentionWeights& w,
                         const RopeTable& rope, const at::Tensor& heads) {
    const Projected p = rotated(config, rope, heads);
    const int64_t length = heads.size(1), rest = length % config.stride, full = length - rest;
    if (rest == 0) return attend_full_blocks(config, w, p);
    const at::Tensor last = attend_short_block(config, w, p, rest);
    if (full == 0) return last;
    const Projected blocks{p.q.narrow(1, 0, full), p.k.narrow(1, 0, full), p.v.narrow(1, 0, full)};
    return at::cat({attend_full_blocks(config, w, blocks), last}, 1);
}

at::Tensor block_attention_slow(const ModelConfig& config, const SelfAttentionWeights& w,
                                const RopeTable& rope, const at::Tensor& x) {
    Projected p =
        rotated(config, rope, project_heads(config, w, rms_norm(x, w.norm, config.norm_eps)));
    const at::Tensor position = at::arange(x.size(1), at::TensorOptions().dtype(at::kLong));
    const at::Tensor block = position.div(config.stride, "floor");
    const at::Tensor query = position.unsqueeze(1), key = position.unsqueeze(0);
    at::Tensor visible = key.le(query).logical_and(block.unsqueeze(0).ge(block.unsqueeze(1) - 1));
    if (w.null_key.defined()) {
        p.k = with_null(w.null_key, p.k);
        p.v = with_null(w.null_value, p.v);
        visible = at::cat({at::ones_like(visible.narrow(1, 0, 1)), visible}, 1);
    }
    return at::linear(attend_slow(p.q, p.k, p.v, additive_mask(visible).to(x.device())), w.out);
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
