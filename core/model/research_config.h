// What the laboratory alone computes: how weights start, and baselines with a memory of another
// kind. An engine refuses a model whose forward pass needs any of the latter.
#pragma once

#include <cstdint>
#include <vector>

namespace rpt::model {

enum class CcaStart { kUsual, kCopy, kInduction };
// Start of the key and query projections: independent, or one orthogonal matrix for both, so that
// the first scores are similarities of chunks and not chance.
enum class RetrieverStart { kUsual, kMatch };
// h + CCA, then the feed-forward layer; or CCA enters the feed-forward layer's input alone.
enum class CcaResidual { kAdd, kBypass };

struct ResearchConfig {
    // Start of cross-attention and retriever.
    RetrieverStart retriever_start = RetrieverStart::kMatch;
    CcaStart cca_start = CcaStart::kInduction;
    double cca_match_scale = 1.0;  // W_q = W_k: scale * orthogonal (induction)
    // W_o: scale * W_v^T (copy, induction) or scale * N(0, 1/d) (usual).
    double cca_output_scale = 0.5;
    CcaResidual cca_residual = CcaResidual::kAdd;
    // Each an addition to the layers named (spec 5.4 to 5.6).
    std::vector<int64_t> memorizing_layers;  // attention to the nearest old keys of the same layer
    int64_t memorizing_tokens = 8192;        // kept keys, the most recent ones
    int64_t memorizing_top_k = 32;           // read keys, a query and head
    double memorizing_scale = 10.0;          // start of the learnt logit scale of unit keys
    std::vector<int64_t> recurrent_layers;   // block-recurrent: state vectors carried along blocks
    int64_t recurrent_states = 64;
    std::vector<int64_t> griffin_layers;  // a gated linear recurrence after self-attention
    int64_t griffin_width = 256;          // channels of the recurrence
    int64_t griffin_gate_blocks = 8;      // of the block-diagonal gates; divides the width

    bool is_memorizing_layer(int64_t layer) const;
    bool is_recurrent_layer(int64_t layer) const;
    bool is_griffin_layer(int64_t layer) const;
    bool operator==(const ResearchConfig&) const = default;
};

}  // namespace rpt::model
