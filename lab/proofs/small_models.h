// Models of the rows' kinds in the smallest sizes, with random weights: for what must hold of any
// weights.
#pragma once

#include <string>

#include "lab/proofs/row_run.h"

namespace rpt::proofs {

// The row at two lower and two upper layers of width 32, chunks of 4, blocks of 8, both upper
// layers reading the memory where it has one.
model::ModelConfig small_config(const std::string& row, const RunOptions& options,
                                int64_t vocab = 37);

// int64 [batch, length], drawn under `seed`.
at::Tensor random_tokens(const model::ModelConfig& config, int64_t batch, int64_t length,
                         uint64_t seed);

}  // namespace rpt::proofs
