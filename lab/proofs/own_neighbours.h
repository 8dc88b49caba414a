// The choice of a model's own retriever, as it is in use: no teacher.
#pragma once

#include <cstdint>
#include <vector>

#include "lab/network/rpt_model.h"

namespace rpt::proofs {

// Of each document and chunk the best `k` of its pool, best first.
std::vector<std::vector<std::vector<int32_t>>> own_rankings(const model::RptModel& model,
                                                            const model::LowerOutput& low,
                                                            int64_t k);

// int64 [B, l, k], -1 where a ranking is shorter.
at::Tensor neighbour_tensor(const std::vector<std::vector<std::vector<int32_t>>>& rankings,
                            int64_t k);

// What a model without a retriever is given when the content of the choice does not matter: a fixed
// scatter over the pool, every fourth slot empty. [batch, chunks, k]
at::Tensor scattered_neighbours(const model::ModelConfig& config, int64_t batch, int64_t chunks,
                                int64_t k);

// Undefined for a model without memory, its own for one with a retriever, else scattered ones.
at::Tensor neighbours_in_use(const model::RptModel& model, const model::LowerOutput& low);

}  // namespace rpt::proofs
