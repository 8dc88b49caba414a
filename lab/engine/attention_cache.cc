#include "lab/engine/attention_cache.h"

#include "lab/network/block_attention.h"
#include "lab/network/layers.h"

namespace rpt::engine {

AttentionCache AttentionCache::make(const model::ModelConfig& config, at::Device device) {
    const auto empty = [&] {
        return at::zeros({1 + 2 * config.stride, config.n_kv_heads, config.head_dim},
                         at::TensorOptions().dtype(at::kFloat).device(device));
    };
    return {empty(), empty()};
}

void AttentionCache::shift(const model::ModelConfig& config, const model::RopeTable& rope) {
    const int64_t s = config.stride;
    const at::Tensor back = rope.factors(s, 1).conj().resolve_conj();
    k.narrow(0, 1, s).copy_(model::rotate(k.narrow(0, 1 + s, s), back, config.rope_pairing));
    v.narrow(0, 1, s).copy_(v.narrow(0, 1 + s, s));
}

void AttentionCache::keep_sink(const model::ModelConfig& config, const model::RopeTable& rope) {
    const int64_t s = config.stride;
    const at::Tensor back = rope.factors(s + 1, 1).conj().resolve_conj();
    k.narrow(0, 0, 1).copy_(model::rotate(k.narrow(0, 1 + s, 1), back, config.rope_pairing));
    v.narrow(0, 0, 1).copy_(v.narrow(0, 1 + s, 1));
}

at::Tensor cached_attention(const model::ModelConfig& config, const model::SelfAttentionWeights& w,
                            const model::RopeTable& rope, const at::Tensor& x,
                            AttentionCache& cache, BlockPlace place) {
    const int64_t n = x.size(0), groups = config.n_kv_heads;
    const at::Tensor heads =
        model::project_heads(config, w, model::rms_norm(x, w.norm, config.norm_eps));
    const int64_t row = place.row(config), begin = place.first_row(config), seen = row + n - begin;
    const at::Tensor qk = rope.rotate(heads.narrow(1, 0, config.n_heads + groups), row - 1);
    cache.k.narrow(0, row, n).copy_(qk.narrow(1, config.n_heads, groups));
    cache.v.narrow(0, row, n).copy_(heads.narrow(1, config.n_heads + groups, groups));
    if (config.sink && place.is_start()) cache.keep_sink(config, rope);

    at::Tensor k = cache.k.narrow(0, begin, seen).unsqueeze(0);
    at::Tensor v = cache.v.narrow(0, begin, seen).unsqueeze(0);
    at::Tensor visible = at::ones({n, seen}, x.options().dtype(at::kBool)).tril(row - begin);
    if (w.null_key.defined()) {
        k = model::with_null(w.null_key, k);
        v = model::with_null(w.null_value, v);
        visible = at::cat({at::ones_like(visible.narrow(1, 0, 1)), visible}, 1);
    }
    const at::Tensor q = qk.narrow(1, 0, config.n_heads).unsqueeze(0);
    return at::linear(model::attend(q, k, v, model::additive_mask(visible))[0], w.out);
}

}  // namespace rpt::engine
