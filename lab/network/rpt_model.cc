#include "lab/network/rpt_model.h"

#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "lab/network/attention_step.h"
#include "lab/network/layers.h"
#include "lab/network/model_weights.h"
#include "lab/network/retriever.h"
#include "lab/network/rope.h"
#include "lab/network/token_loss.h"
#include "lab/network/upper_memory.h"

namespace rpt::model {
namespace {

// Logits of one slice. On a processor 16 MiB are a little faster than twice as many (model_bench,
// loss_and_gradients); a GPU, where it was not measured, is to be kept busy.
constexpr int64_t kLogitBytes = 16 << 20;
constexpr int64_t kLogitBytesOfGpu = 32 << 20;

double logit_scale(const ModelConfig& config) {
    return config.scale_logits ? 1.0 / std::sqrt(static_cast<double>(config.dim)) : 1.0;
}

ModelWeights initialised(const ModelConfig& config, uint64_t seed) {
    config.validate();
    ModelWeights weights;
    initialise(config, seed, weights);
    return weights;
}

}  // namespace

RptModel::RptModel(const ModelConfig& config, uint64_t seed, at::Device device)
    : RptModel(config, initialised(config, seed), device) {}

RptModel::RptModel(const ModelConfig& config, ModelWeights weights, at::Device device)
    : config_(config),
      weights_(std::make_unique<ModelWeights>(std::move(weights))),
      rope_(std::make_unique<RopeTable>(config, device)) {
    for (const NamedSlot& slot : list_slots(config_, *weights_)) {
        *slot.tensor = slot.tensor->detach().to(device).contiguous().requires_grad_(true);
        parameters_.emplace_back(slot.name, *slot.tensor);
    }
}

RptModel::~RptModel() = default;

at::Tensor RptModel::lower_hidden(const at::Tensor& tokens) const {
    return hidden_after(tokens, {&config_.n_lower, 1})[0];
}

std::vector<at::Tensor> RptModel::hidden_after(const at::Tensor& tokens,
                                               std::span<const int64_t> layers) const {
    const ModelConfig& c = config_;
    const bool plain =
        c.memorizing_layers.empty() && c.recurrent_layers.empty() && c.griffin_layers.empty();
    RPT_CHECK(tokens.dim() == 2 && tokens.size(1) > 0);
    RPT_CHECK(plain || tokens.size(1) % c.stride == 0);
    at::Tensor h = embed(c, *weights_, tokens);
    std::vector<at::Tensor> out;
    int64_t done = 0;
    for (const int64_t wanted : layers) {
        RPT_CHECK(wanted >= done && wanted <= c.layers());
        for (; done < wanted; ++done) {
            const LayerWeights& layer = weights_->layers[static_cast<size_t>(done)];
            h = attention_step(c, layer, *rope_, h);
            h = h + feed_forward(c, layer.ffn, h);
        }
        out.push_back(h);
    }
    return out;
}

LowerOutput RptModel::lower_states(const at::Tensor& tokens) const {
    const ModelConfig& c = config_;
    RPT_CHECK(tokens.dim() == 2 && tokens.size(1) % c.stride == 0);
    const at::Tensor h = lower_hidden(tokens);
    LowerOutput out;
    out.hidden = h;
    if (!c.has_memory()) return out;
    const int64_t batch = h.size(0), chunks = h.size(1) / c.chunk;
    out.states = encode_chunks(c, *weights_, *rope_, h.view({batch * chunks, c.chunk, c.dim}))
                     .view({batch, chunks, c.chunk, c.dim});
    return out;
}

LowerOutput RptModel::lower(const at::Tensor& tokens) const {
    const ModelConfig& c = config_;
    LowerOutput out = lower_states(tokens);
    if (!c.has_chunk_keys()) return out;
    auto [keys, queries] = keys_and_queries(c, *weights_->retriever, out.states);
    out.keys = std::move(keys);
    out.queries = std::move(queries);
    return out;
}

at::Tensor RptModel::retrieval_scores(const LowerOutput& low) const {
    RPT_CHECK(low.keys.defined());
    const at::Tensor keys = low.keys.to(at::kFloat), queries = low.queries.to(at::kFloat);
    // autocast would make it a product of half precision, and scores near 20 would tie
    const c10::impl::ExcludeDispatchKeyGuard fp32(c10::autocast_dispatch_keyset);
    return at::bmm(queries, keys.transpose(1, 2)) * score_scale(config_);
}

at::Tensor RptModel::upper(const LowerOutput& low, const at::Tensor& neighbours,
                           Diagnostics* diagnostics, std::vector<at::Tensor>* after) const {
    const ModelConfig& c = config_;
    const ModelWeights& w = *weights_;
    UpperMemory memory(c, w, *rope_, low, neighbours, diagnostics);
    at::Tensor h = low.hidden;
    for (int64_t i = c.n_lower; i < c.layers(); ++i) {
        const LayerWeights& layer = w.layers[static_cast<size_t>(i)];
        h = attention_step(c, layer, *rope_, h);
        at::Tensor fed = h;  // into the feed-forward layer
        if (layer.cross) {
            fed = h + memory.read(*layer.cross, h);
            if (c.cca_residual == CcaResidual::kAdd) h = fed;
        }
        h = h + feed_forward(c, layer.ffn, fed);
        if (after != nullptr) after->push_back(h);
    }
    memory.finish_diagnostics();
    return c.final_norm ? rms_norm(h, w.final_norm, c.norm_eps) : h;
}

at::Tensor RptModel::token_nll(const at::Tensor& hidden, const at::Tensor& targets) const {
    const int64_t bytes = hidden.is_cpu() ? kLogitBytes : kLogitBytesOfGpu;
    const int64_t rows = std::clamp<int64_t>(bytes / 4 / config_.vocab, 64, 4096);
    return token_loss(hidden.reshape({-1, config_.dim}), weights_->output_matrix(),
                      targets.reshape({-1}).to(hidden.device()), logit_scale(config_), rows)
        .view(targets.sizes());
}

at::Tensor RptModel::logits(const at::Tensor& hidden) const {
    return at::linear(hidden * logit_scale(config_), weights_->output_matrix());
}

at::Tensor allowed_mask(const ModelConfig& config, int64_t l) {
    at::Tensor mask = at::zeros({l, l}, at::kBool);
    for (int64_t i = 0; i < l; ++i) {
        const int64_t last = last_retrievable(config, i);
        if (last >= 0) mask[i].narrow(0, 0, last + 1).fill_(true);
    }
    return mask;
}

}  // namespace rpt::model
