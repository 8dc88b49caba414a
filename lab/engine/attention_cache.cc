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

namespace {

// The queries of one group of readers: neighbours' rows stand before the window's.
at::Tensor read_beside(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const at::Tensor& visible, const model::FarRows* far) {
    if (far == nullptr) return model::attend(q, k, v, model::additive_mask(visible));
    const at::Tensor seen =
        at::cat({at::ones({visible.size(0), far->k.size(0)}, visible.options()), visible}, 1);
    return model::attend(q, at::cat({far->k.unsqueeze(0), k}, 1),
                         at::cat({far->v.unsqueeze(0), v}, 1), model::additive_mask(seen));
}

}  // namespace

at::Tensor cached_attention(const model::ModelConfig& config, const model::SelfAttentionWeights& w,
                            const model::RopeTable& rope, const at::Tensor& x,
                            AttentionCache& cache, BlockPlace place,
                            std::span<const Readers> readers) {
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
    if (readers.empty())
        return at::linear(model::attend(q, k, v, model::additive_mask(visible))[0], w.out);
    std::vector<at::Tensor> parts;
    int64_t at = 0;
    for (const Readers& group : readers) {
        parts.push_back(read_beside(q.narrow(1, at, group.length), k, v,
                                    visible.narrow(0, at, group.length), group.far));
        at += group.length;
    }
    return at::linear(at::cat(parts, 1)[0], w.out);
}

}  // namespace rpt::engine
