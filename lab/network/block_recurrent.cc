#include "lab/network/block_recurrent.h"

#include <cmath>
#include <vector>

#include "lab/network/block_attention.h"
#include "lab/network/layers.h"
#include "lab/network/memorizing.h"

namespace rpt::model {
namespace {

// Unit vectors per head [.., heads, d_h]. attend() divides logits by sqrt(d_h): queries take it
// back.
at::Tensor unit_queries(const at::Tensor& q, const at::Tensor& scale) {
    const double undo = std::sqrt(static_cast<double>(q.size(-1)));
    return (unit_vectors(q) * (scale * undo).unsqueeze(-1)).to(q.scalar_type());
}

at::Tensor unit_keys(const at::Tensor& k) {
    return unit_vectors(k).to(k.scalar_type());
}

}  // namespace

at::Tensor recurrent_attention(const ModelConfig& config, const SelfAttentionWeights& attention,
                               const RecurrentWeights& w, const RopeTable& rope,
                               const at::Tensor& x) {
    const int64_t batch = x.size(0), length = x.size(1), stride = config.stride;
    const int64_t heads = config.n_heads;
    const auto by_head = [&](const at::Tensor& t) {
        return t.unflatten(-1, {t.size(-1) / config.head_dim, config.head_dim});
    };
    const at::Tensor normed = rms_norm(x, attention.norm, config.norm_eps);
    const at::Tensor projected = project_heads(config, attention, normed);
    const at::Tensor local = attend_blocks(config, attention, rope, projected);

    const Projected tokens = part_heads(config, projected);
    const at::Tensor token_keys = unit_keys(tokens.k);
    const at::Tensor readers =
        unit_queries(by_head(at::linear(normed, w.token_query)), w.read_scale);
    const at::Tensor kept = at::sigmoid(w.keep);
    at::Tensor z = w.start.unsqueeze(0).expand({batch, -1, -1});  // [B, n, d], fp32
    std::vector<at::Tensor> read;
    for (int64_t begin = 0; begin < length; begin += stride) {
        const at::Tensor seen = rms_norm(z, w.norm, config.norm_eps) + w.position;
        const auto parts = by_head(at::linear(seen, w.state)).split(heads, -2);
        const at::Tensor keys = unit_keys(parts[0]), values = parts[1];
        read.push_back(attend(readers.narrow(1, begin, stride), keys, values));
        if (begin + stride == length) break;  // nobody reads what the last block leaves
        const int64_t first = begin == 0 ? 0 : begin - stride, n = begin + stride - first;
        const at::Tensor from_states = attend(unit_queries(parts[2], w.state_scale), keys, values);
        const at::Tensor from_tokens =
            attend(unit_queries(parts[3], w.update_scale), token_keys.narrow(1, first, n),
                   tokens.v.narrow(1, first, n));
        const at::Tensor update = at::linear(at::cat({from_states, from_tokens}, -1), w.state_out);
        z = at::lerp(update.to(at::kFloat), z, kept);
    }
    return at::linear(local, attention.out) + at::linear(at::cat(read, 1), w.token_out);
}

}  // namespace rpt::model
