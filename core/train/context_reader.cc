#include "core/train/context_reader.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.h"
#include "core/model/layers.h"
#include "core/model/model_weights.h"
#include "core/model/rope.h"

namespace rpt::train {
namespace {

using model::LayerWeights;
using model::ModelConfig;

constexpr int64_t kContextsAtOnce = 32;  // rows of one pass over contexts
constexpr int64_t kPairsAtOnce = 32;     // rows of one pass over queries and targets

int64_t round_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

// The same weights under another config: tensors are shared, not copied.
std::unique_ptr<model::RptModel> reread(const model::RptModel& scorer, const ModelConfig& config) {
    return std::make_unique<model::RptModel>(config, scorer.weights(),
                                             scorer.weights().embedding.device());
}

at::Tensor chunk_rows(std::span<const int32_t> tokens, int64_t m, at::Device device) {
    const std::vector<int64_t> wide(tokens.begin(), tokens.end());
    return at::tensor(wide)
        .narrow(0, 0, static_cast<int64_t>(wide.size()) / m * m)
        .view({-1, m})
        .to(device);
}

at::Tensor numbers(const std::vector<int64_t>& values, at::Device device) {
    return at::tensor(values, at::kLong).to(device);
}

// Mean over tokens of -nll [rows, m].
void store_means(const at::Tensor& nll, std::span<const size_t> places, std::vector<float>& out) {
    const at::Tensor mean = nll.mean(-1).neg().to(at::kCPU, at::kFloat).contiguous();
    for (size_t row = 0; row < places.size(); ++row)
        out[places[row]] = mean.data_ptr<float>()[static_cast<int64_t>(row)];
}

// Keys turned to positions 0 .. and values of a sequence, a layer: [rows, n, G, d_h].
struct PastKv {
    std::vector<at::Tensor> k, v;
};

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
            !config_.griffin_layers.empty() || config_.cca_residual != model::CcaResidual::kAdd ||
            config_.scores_weigh() ||
            (config_.has_cca() && config_.cca_opt_out != model::CcaOptOut::kNullKv)) {
            throw Error(Status::kUnsupported, "rpt",
                        "a scorer of this kind cannot be read without its memory; use a "
                        "Transformer-XL, RETRO or RPT model");
        }
    }

    std::vector<float> log_likelihoods(std::span<const int32_t> tokens,
                                       std::span<const ContextPair> pairs) override {
        const at::NoGradGuard no_grad;
        const at::Tensor chunks = chunk_rows(tokens, m_, device_);
        std::vector<size_t> order(pairs.size());
        std::iota(order.begin(), order.end(), size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return pairs[a].context < pairs[b].context; });
        std::vector<float> out(pairs.size());
        for (size_t begin = 0; begin < order.size();) {
            std::vector<int64_t> contexts;
            size_t end = begin;
            for (; end < order.size(); ++end) {
                const int64_t j = pairs[order[end]].context;
                if (!contexts.empty() && contexts.back() == j) continue;
                if (static_cast<int64_t>(contexts.size()) == kContextsAtOnce) break;
                contexts.push_back(j);
            }
            read_group(chunks, pairs, std::span(order).subspan(begin, end - begin), contexts, out);
            begin = end;
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
    // Pairs `order` of a few contexts, sorted by them.
    void read_group(const at::Tensor& chunks, std::span<const ContextPair> pairs,
                    std::span<const size_t> order, const std::vector<int64_t>& contexts,
                    std::vector<float>& out) {
        const int64_t n = static_cast<int64_t>(contexts.size());
        PastKv past;
        layers(two_chunks(chunks, contexts), nullptr, {}, &past, 0);
        tokens_read_ += n * 2 * m_;
        int64_t row = 0;
        for (size_t begin = 0; begin < order.size(); begin += kPairsAtOnce) {
            const auto places =
                order.subspan(begin, std::min<size_t>(kPairsAtOnce, order.size() - begin));
            std::vector<int64_t> rows, queries, targets;
            for (const size_t place : places) {
                while (contexts[row] != pairs[place].context) ++row;
                rows.push_back(row);
                queries.push_back(pairs[place].query);
                targets.push_back(pairs[place].query + 1);
            }
            const at::Tensor hidden =
                layers(two_chunks(chunks, queries), &past, numbers(rows, device_), nullptr, m_);
            const at::Tensor target = chunks.index_select(0, numbers(targets, device_));
            store_means(scorer_.token_nll(hidden, target), places, out);
            tokens_read_ += static_cast<int64_t>(places.size()) * 2 * m_;
        }
    }

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
            const at::Tensor heads = at::linear(
                model::rms_norm(h, layer.attention.norm, config_.norm_eps), layer.attention.qkv);
            const model::Projected p = model::split_heads(config_, heads);
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
            if (layer.cross) h = h + empty_memory(*layer.cross, position, h.size(1));
            h = h + model::feed_forward(config_, layer.ffn, h);
        }
        return config_.final_norm ? model::rms_norm(h, w.final_norm, config_.norm_eps) : h;
    }

    // What cross-attention gives tokens from `first` on when there is nothing but the null key:
    // its value, and before the first whole chunk zero. [n, d]
    at::Tensor empty_memory(const model::CrossAttentionWeights& w, int64_t first, int64_t n) const {
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

// The scorer's lower half reads the piece once; its upper half reads query chunk and target with
// the two chunks as the query's neighbour.
class MemoryReader : public ContextReader {
  public:
    MemoryReader(const model::RptModel& scorer, int64_t chunk, at::Device device)
        : m_(chunk), device_(device) {
        ModelConfig config = scorer.config();
        if (!config.has_memory() || !config.has_cca() || config.scores_weigh() ||
            !config.memorizing_layers.empty() || !config.recurrent_layers.empty() ||
            !config.griffin_layers.empty()) {
            throw Error(Status::kUnsupported, "rpt",
                        "this scorer has no cross-attention that reads given neighbours; use the "
                        "context prefix");
        }
        config.chunk = m_;
        config.stride = round_up(config.stride, m_);
        lower_ = reread(scorer, config);
        config.stride = 2 * m_;
        upper_ = reread(scorer, config);
    }

    std::vector<float> log_likelihoods(std::span<const int32_t> tokens,
                                       std::span<const ContextPair> pairs) override {
        const at::NoGradGuard no_grad;
        const at::Tensor chunks = chunk_rows(tokens, m_, device_);
        const Lower low = read_lower(chunks);
        tokens_read_ += chunks.numel();
        std::vector<float> out(pairs.size());
        std::vector<size_t> places(pairs.size());
        std::iota(places.begin(), places.end(), size_t{0});
        for (size_t begin = 0; begin < pairs.size(); begin += kPairsAtOnce) {
            const size_t n = std::min<size_t>(kPairsAtOnce, pairs.size() - begin);
            store_means(read_upper(low, chunks, pairs.subspan(begin, n)),
                        std::span(places).subspan(begin, n), out);
            tokens_read_ += static_cast<int64_t>(n) * 2 * m_;
        }
        return out;
    }

    float log_likelihood_slow(std::span<const int32_t> tokens, ContextPair pair) override {
        const at::NoGradGuard no_grad;
        const at::Tensor chunks = chunk_rows(tokens, m_, device_);
        return -read_upper(read_lower(chunks), chunks, std::span(&pair, 1)).mean().item<float>();
    }

  private:
    struct Lower {
        at::Tensor hidden, states;  // [l, m, d]
    };

    Lower read_lower(const at::Tensor& chunks) const {
        const int64_t n = chunks.numel(), padded = round_up(n, lower_->config().stride);
        const auto low =
            lower_->lower(at::constant_pad_nd(chunks.view({1, n}), {0, padded - n}, 0));
        return {low.hidden.view({padded / m_, m_, -1}), low.states.squeeze(0)};
    }

    // nll [pairs, m] of the target chunks.
    at::Tensor read_upper(const Lower& low, const at::Tensor& chunks,
                          std::span<const ContextPair> pairs) const {
        const int64_t n = static_cast<int64_t>(pairs.size());
        std::vector<int64_t> queries, contexts;
        for (const ContextPair& pair : pairs) {
            queries.push_back(pair.query);
            contexts.push_back(pair.context);
        }
        const at::Tensor i = numbers(queries, device_), j = numbers(contexts, device_);
        // a document of two chunks, c_q and c_t, whose memory holds c_j and c_{j+1}
        model::LowerOutput pass;
        pass.hidden =
            at::cat({low.hidden.index_select(0, i), low.hidden.index_select(0, i + 1)}, 1);
        pass.states =
            at::stack({low.states.index_select(0, j), low.states.index_select(0, j + 1)}, 1);
        const at::Tensor neighbours =
            at::tensor({int64_t{0}, int64_t{-1}}).view({1, 2, 1}).expand({n, 2, 1}).to(device_);
        const at::Tensor hidden = upper_->upper(pass, neighbours);
        return upper_->token_nll(hidden.narrow(1, m_ - 1, m_).contiguous(),
                                 chunks.index_select(0, i + 1));
    }

    int64_t m_;
    at::Device device_;
    std::unique_ptr<model::RptModel> lower_, upper_;
};

}  // namespace

const char* context_name(ScoringContext context) {
    return context == ScoringContext::kPrefix ? "prefix" : "memory";
}

std::unique_ptr<ContextReader> make_context_reader(ScoringContext context,
                                                   const model::RptModel& scorer, int64_t chunk,
                                                   at::Device device) {
    if (context == ScoringContext::kPrefix)
        return std::make_unique<PrefixReader>(scorer, chunk, device);
    return std::make_unique<MemoryReader>(scorer, chunk, device);
}

}  // namespace rpt::train
