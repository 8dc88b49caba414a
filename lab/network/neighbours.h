// Neighbours on their way from stored states to cross-attention: gathered, augmented, gated
// (spec 1.10 to 1.12).
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::model {

// K neighbours of each of N chunks, 2m token states each: chunk c_j, then c_{j+1}.
struct Neighbours {
    at::Tensor states;   // C [N, K, 2m, d]; anything finite where not present
    at::Tensor present;  // bool [N, K, 2m]: a masked neighbour or one without a successor has gaps
};

// Indices of neighbours, int64 [B, l, K]: -1 is none, j < l chunk j of the same document, any other
// j chunk j % l of document (b + j / l) mod B of the batch. Rows of [B l] for them; 0 where none.
at::Tensor neighbour_rows(const at::Tensor& indices);
// bool [B l, K, 2m]: what Neighbours::present says of them.
at::Tensor present_tokens(const at::Tensor& indices, int64_t m);
// Rows of `x` [B l, m, ..] for c_j and c_{j+1} of each index: [B l K, 2m, rest]. Where there is
// none, some other row.
at::Tensor gather_pairs(const at::Tensor& x, const at::Tensor& indices);
// The same for rows [begin, begin + count) of the B l that ask.
at::Tensor gather_pairs(const at::Tensor& x, const at::Tensor& indices, int64_t begin,
                        int64_t count);

// From the states of whole documents: e [B, l, m, d]. N = B l.
Neighbours gather_neighbours(const at::Tensor& states, const at::Tensor& indices);

// Spec 1.11: neighbours read themselves, then the chunk that asked; `asking` h_low [N, m, d].
at::Tensor augment_neighbours(const ModelConfig& config, const ModelWeights& w,
                              const RopeTable& rope, const Neighbours& n, const at::Tensor& asking);
// The same for gathered neighbours, with the projection of step one made per chunk instead of per
// neighbour: `states` and `indices` as in gather_neighbours().
at::Tensor augment_gathered(const ModelConfig& config, const ModelWeights& w, const RopeTable& rope,
                            const Neighbours& n, const at::Tensor& states,
                            const at::Tensor& indices, const at::Tensor& asking);

// Mean over the tokens that are present: [N, K, d].
at::Tensor pool_neighbours(const Neighbours& n);

// Raw gate scores s [B, l, K] of pooled neighbours [B, l, K, d] (spec 1.12.2 and 3); `valid` bool
// [B, l, K]. Neighbour (i, k) sees the better-ranked ones of chunk i, itself, and those of the
// gate_horizon - 1 chunks before. The last `n_last` chunks alone are wanted: [B, n_last, K].
at::Tensor gate_scores(const ModelConfig& config, const GateWeights& w, const at::Tensor& pooled,
                       const at::Tensor& valid, int64_t n_last);
// The multiplier that a score means, or undefined for GateKind::kBias.
at::Tensor gate_multiplier(const ModelConfig& config, const at::Tensor& scores);

}  // namespace rpt::model
