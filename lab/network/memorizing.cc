#include "lab/network/memorizing.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <vector>

#include "lab/network/block_attention.h"
#include "lab/network/layers.h"

namespace rpt::model {
namespace {

// [B, T, heads, d_h] -> [B heads, T, d_h]
at::Tensor rows_by_head(const at::Tensor& x) {
    return x.transpose(1, 2).flatten(0, 1).contiguous();
}

// Rows of `memory` [R, T, d_h] by their numbers `chosen` [R, n, k] -> [R n, k, d_h].
at::Tensor gather_rows(const at::Tensor& memory, const at::Tensor& chosen) {
    const int64_t rows = memory.size(0), n = chosen.size(1), k = chosen.size(2);
    const at::Tensor start =
        at::arange(rows, chosen.options()).mul_(memory.size(1)).view({rows, 1, 1});
    return memory.flatten(0, 1)
        .index_select(0, (chosen + start).flatten())
        .view({rows * n, k, memory.size(2)});
}

}  // namespace

at::Tensor unit_vectors(const at::Tensor& x) {
    const at::Tensor wide = x.to(at::kFloat);
    return wide * (wide.square().sum(-1, true) + 1e-6).rsqrt();
}

at::Tensor memorizing_attention(const ModelConfig& config, const SelfAttentionWeights& attention,
                                const MemorizingWeights& w, const RopeTable& rope,
                                const at::Tensor& x) {
    const int64_t batch = x.size(0), length = x.size(1), heads = config.n_heads;
    const int64_t stride = config.stride, near = 2 * stride;
    const at::Tensor projected =
        project_heads(config, attention, rms_norm(x, attention.norm, config.norm_eps));
    const at::Tensor local = attend_blocks(config, attention, rope, projected);
    if (length <= near) return at::linear(local, attention.out);

    const Projected p = part_heads(config, projected);
    const at::Tensor scale = w.scale.view({1, heads, 1}).expand({batch, heads, 1}).reshape({-1});
    // logits of unit keys are the scaled queries' products with them
    const at::Tensor queries =
        rows_by_head(unit_vectors(p.q)) * scale.view({-1, 1, 1});  // [B H, T, d_h]
    at::Tensor keys, values;
    {
        const c10::NoGradGuard no_grad;
        keys = rows_by_head(repeat_heads(unit_vectors(p.k).to(p.k.scalar_type()), heads));
        values = rows_by_head(repeat_heads(p.v, heads));
    }
    std::vector<at::Tensor> far;
    for (int64_t begin = near; begin < length; begin += stride) {
        const int64_t end = begin - stride;  // older tokens than the window's
        const int64_t first = std::max<int64_t>(0, end - config.memorizing_tokens);
        const at::Tensor q = queries.narrow(1, begin, stride);
        at::Tensor near_keys, near_values;
        {
            const c10::NoGradGuard no_grad;
            const at::Tensor memory = keys.narrow(1, first, end - first);
            const at::Tensor scores = at::bmm(q.to(memory.scalar_type()), memory.transpose(1, 2));
            const int64_t k = std::min(config.memorizing_top_k, end - first);
            const at::Tensor chosen = std::get<1>(scores.topk(k, -1, true, false)) + first;
            near_keys = gather_rows(keys, chosen);
            near_values = gather_rows(values, chosen);
        }
        const at::Tensor logits =
            at::bmm(near_keys, q.reshape({-1, config.head_dim, 1}).to(near_keys.scalar_type()))
                .squeeze(-1);
        const at::Tensor p_far = at::softmax(logits.to(at::kFloat), -1).to(near_values.dtype());
        far.push_back(at::bmm(p_far.unsqueeze(1), near_values)
                          .view({batch, heads, stride, config.head_dim})
                          .transpose(1, 2));
    }
    const at::Tensor share = at::sigmoid(w.gate).view({1, 1, heads, 1});
    const at::Tensor windowed = local.unflatten(-1, {heads, config.head_dim});
    const at::Tensor mixed = at::lerp(windowed.narrow(1, near, length - near).to(at::kFloat),
                                      at::cat(far, 1).to(at::kFloat), share);
    const at::Tensor all = at::cat({windowed.narrow(1, 0, near).to(at::kFloat), mixed}, 1);
    return at::linear(all.flatten(2), attention.out);
}

}  // namespace rpt::model
