#include "lab/network/dense_memory.h"

#include <cmath>
#include <limits>

#include "lab/network/cross_attention.h"
#include "lab/network/neighbours.h"

namespace rpt::model {

bool dense_memory_pays(const ModelConfig& config, const at::Tensor& indices) {
    // rotated keys differ in the two halves of a neighbour
    if (config.cca_fuse != CcaFuse::kWeighted || config.cca_position != CcaPosition::kNone)
        return false;
    const int64_t chunks = indices.size(1), twice = 2 * indices.size(2);
    if (twice < chunks) return false;
    return twice >= chunks * indices.size(0) || !indices.ge(chunks).any().item<bool>();
}

at::Tensor weights_by_chunk(const at::Tensor& indices, const at::Tensor& weights) {
    const int64_t batch = indices.size(0), chunks = indices.size(1);
    const bool one_group = indices.ge(chunks).any().item<bool>();
    const int64_t groups = one_group ? 1 : batch, size = batch * chunks / groups;
    at::Tensor columns = neighbour_rows(indices);
    if (!one_group) columns = columns.remainder(chunks);
    // where there is no neighbour the weight is 0, whatever the column
    return at::zeros({batch * chunks, size}, weights.options())
        .scatter_add(1, columns.flatten(0, 1), weights)
        .view({groups, size, size});
}

at::Tensor read_dense(const ModelConfig& config, const CrossAttentionWeights& w,
                      const at::Tensor& q, const at::Tensor& states, const at::Tensor& weights,
                      at::Tensor* nothing) {
    const int64_t batch = states.size(0), chunks = states.size(1), m = config.chunk;
    const int64_t groups = weights.size(0), size = weights.size(1);
    const int64_t heads = config.n_heads, d = config.head_dim;
    // [B l, n, H, d_h] of any n as [G H, R n, d_h]
    const auto by_head = [&](const at::Tensor& x) {
        return x.reshape({groups, size * x.size(1), heads, d}).transpose(1, 2).flatten(0, 1);
    };
    const at::Tensor kv = project_chunks(config, w, states.flatten(0, 1));
    const at::Tensor keys = by_head(kv.select(2, 0));
    at::Tensor v = kv.select(2, 1);  // [B l, m, H, d_h]
    if (config.cca_value_shift) {
        // token t gives what stands at t + 1, into the next chunk and to the document's end
        const at::Tensor line = v.reshape({batch, chunks * m, heads, d});
        v = at::constant_pad_nd(line.narrow(1, 1, chunks * m - 1), {0, 0, 0, 0, 0, 1}, 0.0)
                .view({batch * chunks, m, heads, d});
    }

    const at::Tensor queries = by_head(q) * (1.0 / std::sqrt(static_cast<double>(d)));
    const at::Tensor z = at::bmm(queries, keys.transpose(1, 2))
                             .to(at::kFloat)
                             .view({groups * heads, size * m, size, m});
    const at::Tensor inside = at::softmax(z, -1);    // of a token in its chunk
    const at::Tensor mass = at::logsumexp(z, {-1});  // log of a chunk's part, [G H, R m, R]
    const at::Tensor null_key =
        null_or_zeros(config, w.null_key, q).repeat({groups, 1}).unsqueeze(2);
    const at::Tensor null = at::bmm(queries, null_key.to(queries.scalar_type())).to(at::kFloat);

    const at::Tensor place = at::arange(size, q.options().dtype(at::kLong));
    const at::Tensor ends = place.remainder(chunks).eq(chunks - 1);
    const at::Tensor after =
        mass.roll(-1, -1).masked_fill(ends, -std::numeric_limits<float>::infinity());
    const at::Tensor all = at::logaddexp(at::logaddexp(null, mass), after);  // of neighbour j
    const at::Tensor weight = weights.view({groups, 1, size, 1, size})
                                  .expand({groups, heads, size, m, size})
                                  .reshape({groups * heads, size * m, size});
    const at::Tensor as_first = weight * at::exp(mass - all);
    // chunk j as the second half of neighbour j - 1; what rolls around is the 0 of the last one
    const at::Tensor as_second = (weight * at::exp(after - all)).roll(1, -1);
    const at::Tensor share = as_first + as_second;
    const auto product = [&](const at::Tensor& p, const at::Tensor& x) {
        const at::Tensor values = by_head(x);
        return at::bmm(p.to(values.scalar_type()), values);
    };
    at::Tensor out = product((inside * share.unsqueeze(-1)).flatten(2), v);
    if (config.cca_value_shift) {
        // the last token of a second half gives nothing
        out = out - product(as_second * inside.select(3, m - 1), v.narrow(1, m - 1, 1));
    }
    if (w.null_value.defined()) {
        const at::Tensor on_null = (weight * at::exp(null - all)).sum(-1, true);
        out = out + on_null * w.null_value.repeat({groups, 1}).unsqueeze(1);
    }
    if (nothing != nullptr) *nothing = 1.0 - share.detach().sum(-1).mean();
    return out.view({groups, heads, size * m, d})
        .transpose(1, 2)
        .reshape({batch * chunks, m, heads * d});
}

}  // namespace rpt::model
