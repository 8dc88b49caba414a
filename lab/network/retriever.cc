#include "lab/network/retriever.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lab/network/feature_counts.h"
#include "lab/network/layers.h"

namespace rpt::model {
namespace {

at::Tensor mean_of_tokens(const at::Tensor& states, const at::Tensor& present) {
    if (!present.defined()) return states.mean(-2);
    const at::Tensor weight = present.unsqueeze(-1).to(states.scalar_type());
    return (states * weight).sum(-2) / weight.sum(-2).clamp_min(1.0);
}

at::Tensor normed_output(const ModelConfig& config, const at::Tensor& x) {
    return at::rms_norm(x.to(at::kFloat), {config.key_width()}, {}, config.norm_eps);
}

// One of a retriever's two sides.
struct Side {
    const at::Tensor &norm, &matrix, &bias, &gain;
};

// [.., m, d] -> [.., r]; a normed one is sqrt(r) long.
at::Tensor project(const ModelConfig& config, const Side& side, const at::Tensor& states,
                   const at::Tensor& present) {
    if (config.key_features > 0) {
        // the gain goes to the directions: states that carry no gradient then need none
        const at::Tensor tokens = at::rms_norm(states, {config.dim}, {}, config.norm_eps);
        const at::Tensor counts =
            feature_counts(tokens, side.matrix * side.norm, side.bias, present);
        // as with words, twice as much of a feature says less than twice as much
        return normed_output(config, at::log1p(counts)) * side.gain;
    }
    const at::Tensor pooled = rms_norm(mean_of_tokens(states, present), side.norm, config.norm_eps);
    const at::Tensor projected = at::linear(pooled, side.matrix, side.bias);
    return config.score_norm == ScoreNorm::kInputs ? projected : normed_output(config, projected);
}

}  // namespace

at::Tensor chunk_key(const ModelConfig& config, const RetrieverWeights& w, const at::Tensor& states,
                     const at::Tensor& present) {
    const Side side{w.key_norm, w.key, w.key_bias, w.key_gain};
    const at::Tensor key = project(config, side, states, present);
    if (config.score_norm != ScoreNorm::kCosine) return key;
    return key / std::sqrt(static_cast<double>(config.key_width()));
}

at::Tensor chunk_query(const ModelConfig& config, const RetrieverWeights& w,
                       const at::Tensor& states, const at::Tensor& present) {
    const Side side{w.query_norm, w.query, w.query_bias, w.query_gain};
    const at::Tensor query = project(config, side, states, present);
    return config.score_norm == ScoreNorm::kCosine ? query / config.score_temperature : query;
}

namespace {

// [B, l, r]: base/feature_idf.h for every chunk of whole documents and what it may retrieve.
at::Tensor idf_weights(const ModelConfig& config, const at::Tensor& keys) {
    const c10::NoGradGuard no_grad;
    std::vector<int64_t> seen;  // how many chunks each may retrieve
    for (int64_t i = 0; i < keys.size(1); ++i)
        seen.push_back(std::max<int64_t>(0, last_retrievable(config, i) + 1));
    const at::Tensor n = at::tensor(seen, keys.options().dtype(at::kLong));
    const at::Tensor nothing = at::zeros_like(keys.narrow(1, 0, 1), at::kDouble);
    const at::Tensor sums = at::cat({nothing, keys.to(at::kDouble).cumsum(1)}, 1);
    const at::Tensor mean =
        sums.index_select(1, n) / n.clamp_min(1).view({1, -1, 1}).to(at::kDouble);
    return (1.0 + mean.clamp_min(0.0)).reciprocal().to(at::kFloat);
}

}  // namespace

at::Tensor weigh_by_idf(const ModelConfig& config, const at::Tensor& queries,
                        const at::Tensor& keys) {
    return config.key_features == 0 ? queries : queries * idf_weights(config, keys);
}

KeysAndQueries keys_and_queries(const ModelConfig& config, const RetrieverWeights& w,
                                const at::Tensor& states) {
    const at::Tensor keys = chunk_key(config, w, states);
    return {keys, weigh_by_idf(config, chunk_query(config, w, states), keys)};
}

double score_scale(const ModelConfig& config) {
    return 1.0 / std::sqrt(static_cast<double>(config.key_width()));
}

}  // namespace rpt::model
