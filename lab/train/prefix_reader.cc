#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "lab/network/block_attention.h"
#include "lab/network/layers.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"
#include "lab/train/chunk_passes.h"

namespace rpt::train {
namespace {

using model::LayerWeights;
using model::ModelConfig;

// Full causal attention over two chunks of context, query chunk, target: 4 m tokens at positions
// 0 .. 4 m - 1, without a memory.
class PrefixReader : public ContextReader {
  public:
    PrefixReader(const model::RptModel& scorer, int64_t chunk, at::Device device)
        : scorer_(scorer),
          config_(scorer.config()),
          m_(chunk),
          device_(device),
          rope_(scorer.config(), device) {
        // one block that holds the whole sequence: no window cuts it
        config_.stride = round_up(4 * m_, config_.chunk);
        if (!config_.memorizing_layers.empty() || !config_.recurrent_layers.empty() ||
            !config_.griffin_layers.empty()) {
            throw Error(Status::kUnsupported, "rpt",
                        "a scorer of this kind cannot be read without its memory; use a "
                        "Transformer-XL, RETRO or RPT model");
        }
    }

    std::vector<float> log_likelihoods(std::span<const int32_t> tokens,
                                       std::span<const ContextPair> pairs) override {
        const at::NoGradGuard no_grad;
        const at::Tensor chunks = chunk_rows(tokens, m_, device_);
        std::vector<float> out(pairs.size());
        for (const ContextGroup& group : group_by_context(pairs)) {
            PastKv past;
            layers(two_chunks(chunks, group.contexts), nullptr, {}, &past, 0);
            tokens_read_ += static_cast<int64_t>(group.contexts.size()) * 2 * m_;
            for (const PairRows& part : cut_group(group, pairs)) {
                const at::Tensor hidden = layers(two_chunks(chunks, part.queries), &past,
                                                 numbers(part.context_rows, device_), nullptr, m_);
                const at::Tensor target =
                    chunks.index_select(0, numbers(part.queries, device_) + 1);
                store_means(scorer_.token_nll(hidden, target), part.places, out);
                tokens_read_ += static_cast<int64_t>(part.places.size()) * 2 * m_;
            }
        }
        return out;
    }

    float log_likelihood_slow(std::span<const int32_t> tokens, ContextPair pair) override {
        const at::NoGradGuard no_grad;
        if (!whole_) whole_ = reread(scorer_, config_);
        const at::Tensor chunks = chunk_rows(tokens, m_, device_);
        const int64_t i = pair.query, j = pair.context;
        const at::Tensor text = chunks.index_select(0, numbers({j, j + 1, i, i + 1}, device_));
        const at::Tensor padded =
            at::constant_pad_nd(text.view({1, 4 * m_}), {0, config_.stride - 4 * m_}, 0);
        const at::Tensor hidden = whole_->upper(whole_->lower(padded), {});
        return -whole_->token_nll(hidden.narrow(1, 3 * m_ - 1, m_), chunks[i + 1].unsqueeze(0))
                    .mean()
                    .item<float>();
    }

  private:
    // c_n, c_{n+1} of every number, embedded: [rows, 2 m, d].
    at::Tensor two_chunks(const at::Tensor& chunks, const std::vector<int64_t>& first) const {
        const at::Tensor n = numbers(first, device_);
        return model::embed(config_, scorer_.weights(),
                            at::cat({chunks.index_select(0, n), chunks.index_select(0, n + 1)}, 1));
    }

    // `h` [rows, 2 m, d] through every layer, after rows `which` of `past` where there is one.
    // Without `keep`, gives the normed states of the `n_last` tokens before the last one: those
    // that predict the last n_last tokens.
    at::Tensor layers(at::Tensor h, const PastKv* past, const at::Tensor& which, PastKv* keep,
                      int64_t n_last) const {
        const model::ModelWeights& w = scorer_.weights();
        const int64_t n = h.size(1), first = past != nullptr ? 2 * m_ : 0;
        const at::Tensor own = at::ones({n, n}, h.options().dtype(at::kBool)).tril();
        at::Tensor visible = own;
        if (past != nullptr) visible = at::cat({at::ones_like(own), own}, 1);
        for (size_t i = 0; i < w.layers.size(); ++i) {
            const LayerWeights& layer = w.layers[i];
            const at::Tensor heads = model::project_heads(
                config_, layer.attention,
                model::rms_norm(h, layer.attention.norm, config_.norm_eps));
            const model::Projected p = model::part_heads(config_, heads);
            at::Tensor q = rope_.rotate(p.q, first), k = rope_.rotate(p.k, first), v = p.v;
            if (keep != nullptr) {
                keep->k.push_back(k);
                keep->v.push_back(v);
                if (i + 1 == w.layers.size()) return {};
            }
            if (past != nullptr) {
                k = at::cat({past->k[i].index_select(0, which), k}, 1);
                v = at::cat({past->v[i].index_select(0, which), v}, 1);
            }
            at::Tensor seen = visible;
            int64_t position = first;
            if (keep == nullptr && i + 1 == w.layers.size()) {
                // nothing reads the last layer's other tokens
                const int64_t from = n - 1 - n_last;
                h = h.narrow(1, from, n_last);
                q = q.narrow(1, from, n_last);
                seen = seen.narrow(0, from, n_last);
                position += from;
            }
            if (layer.attention.null_key.defined()) {
                k = model::with_null(layer.attention.null_key, k);
                v = model::with_null(layer.attention.null_value, v);
                seen = at::cat({at::ones_like(seen.narrow(1, 0, 1)), seen}, 1);
            }
            h = h +
                at::linear(model::attend(q, k, v, model::additive_mask(seen)), layer.attention.out);
            at::Tensor fed = h;
            if (layer.cross) {
                fed = h + empty_memory(*layer.cross, position, h.size(1));
                if (config_.cca_residual == model::CcaResidual::kAdd) h = fed;
            }
            h = h + model::feed_forward(config_, layer.ffn, fed);
        }
        return config_.final_norm ? model::rms_norm(h, w.final_norm, config_.norm_eps) : h;
    }

    // What cross-attention gives tokens from `first` on when there is nothing but the null key:
    // its value, and before the first whole chunk zero. [n, d]
    at::Tensor empty_memory(const model::CrossAttentionWeights& w, int64_t first, int64_t n) const {
        if (!w.null_value.defined() || config_.cca_fuse == model::CcaFuse::kWeighted)
            return at::zeros({n, config_.dim}, w.out.options());
        const at::Tensor value = at::linear(w.null_value.flatten(), w.out);
        const at::Tensor position = at::arange(first, first + n, value.options().dtype(at::kLong));
        return position.ge(config_.chunk - 1).unsqueeze(1).to(value.scalar_type()) * value;
    }

    const model::RptModel& scorer_;
    ModelConfig config_;
    int64_t m_;
    at::Device device_;
    model::RopeTable rope_;
    std::unique_ptr<model::RptModel> whole_;  // of the twin
};

}  // namespace

std::unique_ptr<ContextReader> make_prefix_reader(const model::RptModel& scorer, int64_t chunk,
                                                  at::Device device) {
    return std::make_unique<PrefixReader>(scorer, chunk, device);
}

}  // namespace rpt::train
