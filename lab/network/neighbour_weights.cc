#include "lab/network/neighbour_weights.h"

#include <limits>

#include "lab/network/neighbours.h"
#include "lab/network/retriever.h"

namespace rpt::model {

at::Tensor chosen_scores(const ModelConfig& config, const at::Tensor& queries,
                         const at::Tensor& keys, const at::Tensor& indices) {
    const int64_t rows = indices.size(0) * indices.size(1), k = indices.size(2);
    const at::Tensor picked = keys.to(at::kFloat)
                                  .flatten(0, 1)
                                  .index_select(0, neighbour_rows(indices).flatten())
                                  .view({rows, k, config.key_width()});
    // no matrix product: autocast would make it one of half precision
    const at::Tensor asking = queries.to(at::kFloat).view({rows, 1, config.key_width()});
    return (asking * picked).sum(-1) * score_scale(config);
}

at::Tensor neighbour_weights(const at::Tensor& scores, const at::Tensor& valid,
                             const at::Tensor& null_score) {
    at::Tensor known =
        scores.masked_fill(valid.logical_not(), -std::numeric_limits<float>::infinity());
    if (null_score.defined()) {
        const at::Tensor null = null_score.expand({scores.size(0), 1});
        return at::softmax(at::cat({null, known}, 1), 1).narrow(1, 1, scores.size(1));
    }
    // a row without any would be 0 / 0
    const at::Tensor empty = valid.any(1, true).logical_not();
    known = known.masked_fill(empty, 0.0);
    return at::softmax(known, 1) * valid.to(at::kFloat);
}

}  // namespace rpt::model
