// Documents as a model might have left them: states that repeat wherever the text does.
#pragma once

#include <ATen/ATen.h>

#include <random>

#include "lab/memory/document_cache.h"

namespace rpt::memory {

// Every token but the first repeats the one `period` before it, with a state that is nearly the
// same; the model itself finds all tokens equally likely.
inline DocumentCache repeating_document(int64_t tokens, int64_t period, int64_t dim,
                                        uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    DocumentCache out;
    out.corpus = "made";
    out.id = std::to_string(seed);
    out.stride = 16;
    out.tokens = at::empty({tokens}, at::kLong);
    at::Tensor states = at::empty({tokens, dim}, at::kFloat);
    int64_t* ids = out.tokens.mutable_data_ptr<int64_t>();
    float* rows = states.mutable_data_ptr<float>();
    for (int64_t t = 0; t < tokens; ++t) {
        ids[t] = t < period ? static_cast<int64_t>(random() % 50) : ids[t - period];
        for (int64_t i = 0; i < dim; ++i)
            rows[t * dim + i] = t < period ? 3 + normal(random)
                                           : rows[(t - period) * dim + i] + 0.05f * normal(random);
    }
    out.states = states.to(at::kHalf);
    out.low_square = states.square().mean(0);
    out.nll = at::full({tokens - 1}, std::log(50.0f));
    out.entropy = at::full({tokens - 1}, std::log(50.0f));
    return out;
}

}  // namespace rpt::memory
