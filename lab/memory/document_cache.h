// What a frozen model makes of a document, kept so that a memory can be fitted and measured without
// running the model again.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lab/network/rpt_model.h"

namespace rpt::memory {

struct DocumentCache {
    std::string corpus;
    std::string id;
    int64_t stride = 256;   // half the window that the model had
    at::Tensor tokens;      // int64 [T]; the first is the begin token
    at::Tensor states;      // fp16 [T, d], the residual stream after `layer` layers; the last
                            // token's may be missing, it predicts nothing
    at::Tensor low_square;  // fp32 [d]: mean squares of the channels after the lower half;
                            // undefined for a row, whose states no store keeps
    // Of token t + 1 after token t, without a memory; 0 before the first token that is scored.
    at::Tensor nll;      // fp32 [T - 1]: -log p
    at::Tensor entropy;  // fp32 [T - 1], nats

    int64_t size() const { return tokens.size(0); }
};

struct CacheOptions {
    int64_t layer = 0;         // whose states are kept; 0: the embeddings
    int64_t first_scored = 0;  // token whose prediction is the first one that is looked at
    bool bf16 = false;         // products in bf16, which CPUs with AMX do much faster
};
// One pass of the model over `tokens`, whole, in blocks of its stride.
DocumentCache cache_document(const model::RptModel& model, const std::vector<int32_t>& tokens,
                             std::string corpus, std::string id, const CacheOptions& options);

// One safetensors file. `made_by` says what made it (model, layer, window): load() gives false for
// a file that is not there or was made otherwise.
void save_cache(const DocumentCache& cache, const std::string& made_by, const std::string& path);
bool load_cache(const std::string& path, const std::string& made_by, DocumentCache& cache);

}  // namespace rpt::memory
