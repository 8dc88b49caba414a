#include "lab/network/block_attention.h"

#include <algorithm>

#include "lab/network/layers.h"

namespace rpt::model {
namespace {

// Rotated q and k, and what else a window of keys may begin with.
struct Sequence {
    Projected p;
    at::Tensor sink_keys;   // [B, blocks - 2, 1, G, d_h]: token 0 as block 2, 3, ... sees it
    at::Tensor sink_value;  // [B, 1, G, d_h]; both undefined where no block sees a sink
};

// Token 0 before the first row of each window: block b's begins at position (b - 1) S.
at::Tensor sink_keys(const ModelConfig& config, const RopeTable& rope, const at::Tensor& first,
                     int64_t blocks) {
    const at::Tensor factors = rope.factors(0, (blocks - 2) * config.stride)
                                   .slice(0, config.stride - 1, {}, config.stride);
    std::vector<int64_t> shape = first.sizes().vec();
    shape[1] = blocks - 2;
    return rotate(first.expand(shape), factors, config.rope_pairing).unsqueeze(2);
}

// q and k are neighbours in memory, so one turn serves both.
Sequence rotated(const ModelConfig& config, const RopeTable& rope, const at::Tensor& heads) {
    const int64_t groups = config.n_kv_heads;
    const at::Tensor qk = rope.rotate(heads.narrow(-2, 0, config.n_heads + groups), 0);
    Sequence s;
    s.p = {qk.narrow(-2, 0, config.n_heads), qk.narrow(-2, config.n_heads, groups),
           heads.narrow(-2, config.n_heads + groups, groups)};
    const int64_t blocks = (heads.size(1) + config.stride - 1) / config.stride;
    if (!config.sink || blocks < 3) return s;
    s.sink_keys =
        sink_keys(config, rope, heads.narrow(1, 0, 1).narrow(2, config.n_heads, groups), blocks);
    s.sink_value = s.p.v.narrow(1, 0, 1);
    return s;
}

// What no rotation touches: one more key in front that every token sees.
at::Tensor with_column(const at::Tensor& visible) {
    return at::cat({at::ones_like(visible.narrow(1, 0, 1)), visible}, 1);
}

// Queries, keys and values of some blocks, [B, n, S, heads, d_h]: block i of `q` reads block i of
// `k_before` and `k`, the latter up to itself. `front_k`, `front_v` [B, n, 1, G, d_h]: a row that
// stands before them, or undefined.
struct Blocks {
    at::Tensor q, k_before, v_before, k, v, front_k, front_v;
};

at::Tensor attend_windows(const SelfAttentionWeights& w, const Blocks& b) {
    const int64_t batch = b.q.size(0), n = b.q.size(1), stride = b.q.size(2);
    at::Tensor visible = at::ones({stride, stride}, b.q.options().dtype(at::kBool)).tril();
    const auto join = [&](const at::Tensor& front, const at::Tensor& before, const at::Tensor& own,
                          const at::Tensor& null) {
        std::vector<at::Tensor> parts;
        if (front.defined()) parts.push_back(front);
        if (before.defined()) parts.push_back(before);
        parts.push_back(own);
        const at::Tensor rows = (parts.size() == 1 ? own : at::cat(parts, 2)).flatten(0, 1);
        return null.defined() ? with_null(null, rows) : rows;
    };
    if (b.k_before.defined()) visible = at::cat({at::ones_like(visible), visible}, 1);
    if (b.front_k.defined()) visible = with_column(visible);
    if (w.null_key.defined()) visible = with_column(visible);
    return attend(b.q.flatten(0, 1), join(b.front_k, b.k_before, b.k, w.null_key),
                  join(b.front_v, b.v_before, b.v, w.null_value), additive_mask(visible))
        .unflatten(0, {batch, n});
}

// Full blocks: those without a past, those without a sink, the others.
at::Tensor attend_full_blocks(const ModelConfig& config, const SelfAttentionWeights& w,
                              const Sequence& s, int64_t length) {
    const int64_t blocks = length / config.stride;
    const auto in_blocks = [&](const at::Tensor& t) {
        return t.narrow(1, 0, length).unflatten(1, {blocks, config.stride});
    };
    const at::Tensor q = in_blocks(s.p.q), k = in_blocks(s.p.k), v = in_blocks(s.p.v);
    const auto run = [&](int64_t from, int64_t to) {
        const int64_t n = to - from;
        Blocks b{q.narrow(1, from, n), {}, {}, k.narrow(1, from, n), v.narrow(1, from, n), {}, {}};
        if (from > 0) {
            b.k_before = k.narrow(1, from - 1, n);
            b.v_before = v.narrow(1, from - 1, n);
        }
        if (from > 1 && s.sink_keys.defined()) {
            b.front_k = s.sink_keys.narrow(1, from - 2, n);
            b.front_v = s.sink_value.unsqueeze(1).expand_as(b.front_k);
        }
        return attend_windows(w, b);
    };
    std::vector<at::Tensor> parts{run(0, 1)};
    const int64_t plain = s.sink_keys.defined() ? std::min<int64_t>(2, blocks) : blocks;
    if (plain > 1) parts.push_back(run(1, plain));
    if (blocks > plain) parts.push_back(run(plain, blocks));
    return (parts.size() == 1 ? parts[0] : at::cat(parts, 1)).flatten(1, 2);
}

// The last `n` tokens, a block that is not full, behind the block before it, if there is one.
at::Tensor attend_short_block(const ModelConfig& config, const SelfAttentionWeights& w,
                              const Sequence& s, int64_t n) {
    const int64_t length = s.p.q.size(1), begin = length - n;
    const int64_t seen_from = std::max<int64_t>(0, begin - config.stride);
    const int64_t window = length - seen_from;
    at::Tensor keys = s.p.k.narrow(1, seen_from, window);
    at::Tensor values = s.p.v.narrow(1, seen_from, window);
    // a token sees all keys but those of the tokens behind it
    at::Tensor visible = at::ones({n, window}, s.p.q.options().dtype(at::kBool)).tril(window - n);
    if (s.sink_keys.defined()) {
        keys = at::cat({s.sink_keys.select(1, -1), keys}, 1);
        values = at::cat({s.sink_value, values}, 1);
        visible = with_column(visible);
    }
    if (w.null_key.defined()) {
        keys = with_null(w.null_key, keys);
        values = with_null(w.null_value, values);
        visible = with_column(visible);
    }
    return attend(s.p.q.narrow(1, begin, n), keys, values, additive_mask(visible));
}

}  // namespace

at::Tensor project_heads(const ModelConfig& config, const SelfAttentionWeights& w,
                         const at::Tensor& normed) {
    const at::Tensor heads =
        (w.qkv_bias.defined() ? at::linear(normed, w.qkv, w.qkv_bias) : at::linear(normed, w.qkv))
            .unflatten(-1, {w.qkv.size(0) / config.head_dim, config.head_dim});
    if (!w.query_gain.defined()) return heads;
    const Projected p = part_heads(config, heads);
    return at::cat({rms_norm(p.q, w.query_gain, config.norm_eps),
                    rms_norm(p.k, w.key_gain, config.norm_eps), p.v},
                   -2);
}

at::Tensor attend_blocks(const ModelConfig& config, const SelfAttentionWeights& w,
                         const RopeTable& rope, const at::Tensor& heads) {
    const Sequence s = rotated(config, rope, heads);
    const int64_t length = heads.size(1), rest = length % config.stride, full = length - rest;
    if (rest == 0) return attend_full_blocks(config, w, s, full);
    const at::Tensor last = attend_short_block(config, w, s, rest);
    return full == 0 ? last : at::cat({attend_full_blocks(config, w, s, full), last}, 1);
}

at::Tensor block_attention(const ModelConfig& config, const SelfAttentionWeights& w,
                           const RopeTable& rope, const at::Tensor& x) {
    const at::Tensor heads = project_heads(config, w, rms_norm(x, w.norm, config.norm_eps));
    return at::linear(attend_blocks(config, w, rope, heads), w.out);
}

at::Tensor block_attention_slow(const ModelConfig& config, const SelfAttentionWeights& w,
                                const RopeTable& rope, const at::Tensor& x) {
    const at::Tensor heads = project_heads(config, w, rms_norm(x, w.norm, config.norm_eps));
    const Projected raw = part_heads(config, heads);
    at::Tensor k = rope.rotate(raw.k, 0), v = raw.v;
    const at::Tensor position = at::arange(x.size(1), at::TensorOptions().dtype(at::kLong));
    const at::Tensor block = position.div(config.stride, "floor");
    const at::Tensor query = position.unsqueeze(1), key = position.unsqueeze(0);
    at::Tensor visible = key.le(query).logical_and(block.unsqueeze(0).ge(block.unsqueeze(1) - 1));
    const int64_t blocks = block[-1].item<int64_t>() + 1;
    for (int64_t b = 2; config.sink && b < blocks; ++b) {
        // one column for each block, which that block alone sees
        k = at::cat({k, rope.rotate(raw.k.narrow(1, 0, 1), (b - 1) * config.stride - 1)}, 1);
        v = at::cat({v, raw.v.narrow(1, 0, 1)}, 1);
        visible = at::cat({visible, block.eq(b).unsqueeze(1)}, 1);
    }
    if (w.null_key.defined()) {
        k = with_null(w.null_key, k);
        v = with_null(w.null_value, v);
        visible = with_column(visible);
    }
    const at::Tensor out =
        attend_slow(rope.rotate(raw.q, 0), k, v, additive_mask(visible).to(x.device()));
    return at::linear(out, w.out);
}

}  // namespace rpt::model
