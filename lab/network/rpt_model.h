// The network as the trainer and the evaluation see it: whole documents, with gradients. What reads
// token by token is lab/engine; both are built from the same layers (lab/network/layers.h) and the
// same weights.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/model/config.h"
#include "core/weights/package.h"

namespace rpt::model {

struct ModelWeights;
class RopeTable;

// What the lower half gives for B documents of T tokens, l = T / m chunks.
struct LowerOutput {
    at::Tensor hidden;   // h_low [B, T, d]
    at::Tensor states;   // e [B, l, m, d]; undefined without a memory
    at::Tensor keys;     // [B, l, r]; undefined without a retriever
    at::Tensor queries;  // [B, l, r], weighed by idf; undefined without a retriever
};

// Parameters are fp32 leaves with requires_grad. Const calls may run on several threads at once; an
// optimiser step may not run beside them.
class RptModel {
  public:
    // Fresh weights: equal config and seed give equal bits. Throws kArgument for a bad config.
    RptModel(const ModelConfig& config, uint64_t seed, at::Device device = at::kCPU);
    // Ready weights, every slot of the config filled with fp32.
    RptModel(const ModelConfig& config, ModelWeights weights, at::Device device);
    RptModel(const RptModel&) = delete;
    RptModel& operator=(const RptModel&) = delete;
    ~RptModel();

    const ModelConfig& config() const { return config_; }
    const ModelWeights& weights() const { return *weights_; }
    // Every parameter once, by name, in an order that depends on the config alone.
    const std::vector<std::pair<std::string, at::Tensor>>& parameters() const {
        return parameters_;
    }

    // `tokens` int64 [B, T], T a multiple of S; documents begin at position 0.
    LowerOutput lower(const at::Tensor& tokens) const;
    // The same without keys and queries.
    LowerOutput lower_states(const at::Tensor& tokens) const;
    // Its `hidden` alone, for any T > 0 where no layer has a memory of another kind: the last block
    // may be short.
    at::Tensor lower_hidden(const at::Tensor& tokens) const;
    // The residual stream [B, T, d] after so many layers each, ascending, in one pass that reads no
    // memory; any T as above. 0: the embeddings.
    std::vector<at::Tensor> hidden_after(const at::Tensor& tokens,
                                         std::span<const int64_t> layers) const;

    // [B, l, l] fp32: query . key times score_scale(). Needs a retriever.
    at::Tensor retrieval_scores(const LowerOutput& low) const;

    // Means over the chunks that have neighbours (gate) and over all tokens that read the memory
    // (null mass).
    struct Diagnostics {
        at::Tensor gate_mean;  // scalar; undefined without a gate
        at::Tensor null_mass;  // scalar: attention on the null key, mean over layers and heads;
                               // undefined without CCA
        at::Tensor sink_mass;  // scalar: weight on "no neighbour", mean over chunks that have some;
                               // undefined unless scores weigh neighbours
    };

    // `neighbours` int64 [B, l, K'], -1: none, j < l: chunk j of the same document, other j: chunk
    // j % l of document (b + j / l) mod B. K' may differ from the config's K. Undefined: no chunk
    // has neighbours, the memory is the null key alone. Returns what the output layer reads, [B, T,
    // d], normed. The diagnostics cost an extra pass over the attention scores and carry no
    // gradient. `after` gets the residual stream [B, T, d] after each upper layer.
    at::Tensor upper(const LowerOutput& low, const at::Tensor& neighbours,
                     Diagnostics* diagnostics = nullptr,
                     std::vector<at::Tensor>* after = nullptr) const;

    // Negative log-likelihood [B, T] of `targets` int64 [B, T]; a negative target is ignored and
    // gives 0. Logits are made in slices, forward and backward: [.., V] never exists whole.
    at::Tensor token_nll(const at::Tensor& hidden, const at::Tensor& targets) const;

    // Logits [.., V] of normed hidden states [.., d].
    at::Tensor logits(const at::Tensor& hidden) const;

  private:
    ModelConfig config_;
    std::unique_ptr<ModelWeights> weights_;
    std::vector<std::pair<std::string, at::Tensor>> parameters_;
    std::unique_ptr<RopeTable> rope_;
};

// bool [l, l]: chunk i (row) may retrieve chunk j (column) under the config's pool rule. On the
// CPU.
at::Tensor allowed_mask(const ModelConfig& config, int64_t l);

// Writes a package with fp32 tensors; `metadata` is kept, "config" and "tokenizer" are added.
void save_model(const RptModel& model, const std::string& tokenizer_json,
                std::map<std::string, std::string> metadata, const std::string& path);

// kCorrupt, naming a tensor that is missing or has another shape than its config says. fp16 and
// bf16 become fp32. `neighbours` is what the package says of reading.
std::unique_ptr<RptModel> load_model(const weights::Package& package, at::Device device);

}  // namespace rpt::model
