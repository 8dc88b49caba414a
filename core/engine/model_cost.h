// What a model costs by its shapes alone: the other half of a bound, beside a machine's rates.
#pragma once

#include "core/model/config.h"

namespace rpt::engine {

// Multiply-adds times two that one token costs in the lower half, or up to the layer of the
// pointers (ingest).
double lower_flops_per_token(const model::ModelConfig& config);
// Bytes of fp32 weights, keys and values that one generated token reads in both halves (decode).
double decode_bytes_per_token(const model::ModelConfig& config);

}  // namespace rpt::engine
