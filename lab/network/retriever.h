// What chunks are found by: keys, queries, and how both are compared (spec 1.8, 1.9).
#pragma once

#include <ATen/ATen.h>

#include "core/model/config.h"
#include "lab/network/model_weights.h"

namespace rpt::model {

// Key or query [.., r] of states [.., m, d]: W RMS(mean over tokens) + b; normed after that too, in
// fp32, where score_norm says so (cosine: keys are unit vectors). With key_features it is
// g * RMS(log(1 + sum over tokens of relu(W RMS(token) + b))): not what a chunk is on average, but
// how much of each of r learnt features its tokens hold. `present` bool [.., m] or undefined.
at::Tensor chunk_key(const ModelConfig& config, const RetrieverWeights& w, const at::Tensor& states,
                     const at::Tensor& present = {});
at::Tensor chunk_query(const ModelConfig& config, const RetrieverWeights& w,
                       const at::Tensor& states, const at::Tensor& present = {});
// What the chunks of whole documents ask with: queries and keys [B, l, r] -> [B, l, r]. With
// key_features every number of a query counts for less the more of that feature the chunks hold
// that it may retrieve (base/feature_idf.h), as BM25 weighs words; the weights carry no gradient.
// Otherwise the queries themselves.
at::Tensor weigh_by_idf(const ModelConfig& config, const at::Tensor& queries,
                        const at::Tensor& keys);
// Both sides of all chunks of whole documents, [B, l, r] of states [B, l, m, d], the queries
// weighed.
struct KeysAndQueries {
    at::Tensor keys, queries;
};
KeysAndQueries keys_and_queries(const ModelConfig& config, const RetrieverWeights& w,
                                const at::Tensor& states);
// A score is the product of query and key times this: 1 / sqrt(r) for every score_norm. Of cosine
// scores the query carries sqrt(r) / temperature, so that whoever searches stored keys needs not
// know the norm.
double score_scale(const ModelConfig& config);

}  // namespace rpt::model
