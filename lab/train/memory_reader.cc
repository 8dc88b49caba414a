#include <ATen/core/grad_mode.h>

#include <map>

#include "base/error.h"
#include "lab/network/cross_attention.h"
#include "lab/network/block_attention.h"
#include "lab/network/layers.h"
#include "lab/network/model_weights.h"
#include "lab/network/neighbours.h"
#include "lab/network/rope.h"
#include "lab/train/chunk_passes.h"

namespace rpt::train {
namespace {

using model::LayerWeights;
using model::ModelConfig;

// The scorer's lower half reads the piece once; its upper half reads query chunk and target with
// the two chunks as the query's neighbour. The last token of the query chunk is the first that
// reads a neighbour: what comes before it is the same for every candidate and is read once a query.
class MemoryReader : public ContextReader {
  public:
    MemoryReader(const model::RptModel& scorer, int64_t chunk, at::Device device)
        : m_(chunk), device_(device), config_(scorer.config()), rope_(scorer.config(), device) {
        if (!config_.has_memory() || !config_.has_cca() || config_.scores_weigh() ||
            !config_.memorizing_layers.empty() || !config_.recurrent_layers.empty() ||
            !config_.griffin_layers.empty()) {
            throw Error(Status::kUnsupported, "rpt",
                        "this scorer has no cross-attention that reads given neighbours; use the "
                        "context prefix");
        }
        config_.chunk = m_;
        config_.stride = round_up(config_.stride, m_);
        lower_ = reread(scorer, config_);
    }

    std::vector<float> log_likelihoods(std::span<const int32_t> tokens,
                                       std::span<const ContextPair> pairs) override {
        const at::NoGradGuard no_grad;
        const at::Tensor chunks = chunk_rows(tokens, m_, device_);
        const Lower low = read_lower(chunks);
        tokens_read_ += chunks.numel();
        std::vector<float> out(pairs.size());
        if (pairs.empty()) return out;
        const QueryPast past = read_queries(low, pairs);
        for (const ContextGroup& group : group_by_context(pairs)) {
            const Memories shared =
                config_.augment ? Memories() : memories(low, group.contexts, nullptr);
            for (const PairRows& part : cut_group(group, pairs)) {
                Memories own;
                if (config_.augment) {
                    std::vector<int64_t> contexts;
                    for (const int64_t row : part.context_rows)
                        contexts.push_back(group.contexts[static_cast<size_t>(row)]);
                    own = memories(low, contexts, &part.queries);
                } else {
                    own = select(shared, numbers(part.context_rows, device_));
                }
                const at::Tensor hidden = read_targets(low, past, part.queries, own);
                const at::Tensor target =
                    chunks.index_select(0, numbers(part.queries, device_) + 1);
                store_means(lower_->token_nll(hidden, target), part.places, out);
                tokens_read_ += static_cast<int64_t>(part.places.size()) * m_;
            }
        }
        return out;
    }

    float log_likelihood_slow(std::span<const int32_t> tokens, ContextPair pair) override {
        const at::NoGradGuard no_grad;
        if (!upper_) {
            ModelConfig config = config_;
            config.stride = 2 * m_;
            upper_ = reread(*lower_, config);
        }
        const at::Tensor chunks = chunk_rows(tokens, m_, device_);
        const Lower low = read_lower(chunks);
        // a document of two chunks, c_q and c_t, whose memory holds c_j and c_{j+1}
        model::LowerOutput pass;
        pass.hidden = low.hidden.narrow(0, pair.query, 2).view({1, 2 * m_, config_.dim});
        pass.states = low.states.narrow(0, pair.context, 2).unsqueeze(0);
        const at::Tensor neighbours =
            at::tensor({int64_t{0}, int64_t{-1}}).view({1, 2, 1}).to(device_);
        const at::Tensor hidden = upper_->upper(pass, neighbours).narrow(1, m_ - 1, m_);
        return -upper_->token_nll(hidden.contiguous(), chunks[pair.query + 1].unsqueeze(0))
                    .mean()
                    .item<float>();
    }

  private:
    struct Lower {
        at::Tensor hidden, states;  // [l, m, d]
    };
    // The first m - 1 tokens of every query chunk in the upper layers.
    struct QueryPast {
        std::map<int64_t, int64_t> row_of;  // by query
        PastKv kv;
    };
    using Memories = std::vector<model::MemoryKv>;  // of the layers with cross-attention

    Lower read_lower(const at::Tensor& chunks) const {
        const int64_t n = chunks.numel(), padded = round_up(n, config_.stride);
        const auto low =
            lower_->lower(at::constant_pad_nd(chunks.view({1, n}), {0, padded - n}, 0));
        return {low.hidden.view({padded / m_, m_, -1}), low.states.squeeze(0)};
    }

    // What the layers with cross-attention read of c_j, c_{j+1} for every j, with the query chunks
    // that ask where the model lets neighbours read them.
    Memories memories(const Lower& low, const std::vector<int64_t>& contexts,
                      const std::vector<int64_t>* queries) const {
        const model::ModelWeights& w = lower_->weights();
        const at::Tensor j = numbers(contexts, device_);
        const int64_t n = j.numel();
        model::Neighbours pair;
        pair.states =
            at::stack({low.states.index_select(0, j), low.states.index_select(0, j + 1)}, 1)
                .view({n, 1, 2 * m_, config_.dim});
        pair.present = at::ones({n, 1, 2 * m_}, j.options().dtype(at::kBool));
        if (queries != nullptr) {
            pair.states = model::augment_neighbours(
                config_, w, rope_, pair, low.hidden.index_select(0, numbers(*queries, device_)));
        }
        at::Tensor multiplier;
        if (config_.has_gate()) {
            // the one neighbour of a document's first chunk: it sees itself alone
            const at::Tensor scores = model::gate_scores(
                config_, *w.gate, model::pool_neighbours(pair).view({n, 1, 1, config_.dim}),
                at::ones({n, 1, 1}, pair.present.options()), 1);
            multiplier = model::gate_multiplier(config_, scores);
            if (multiplier.defined()) {
                multiplier = multiplier.view({n, 1});
            } else {
                pair.states = pair.states + scores.view({n, 1, 1, 1}) * w.gate->direction;
            }
        }
        Memories all;
        for (const LayerWeights& layer : w.layers) {
            if (!layer.cross) continue;
            all.push_back(
                model::project_memory(config_, *layer.cross, rope_, pair, multiplier, {}));
        }
        return all;
    }

    static Memories select(const Memories& all, const at::Tensor& rows) {
        Memories out;
        for (const model::MemoryKv& memory : all) {
            out.push_back({memory.k.index_select(0, rows), memory.v.index_select(0, rows), {}, {}});
        }
        return out;
    }

    QueryPast read_queries(const Lower& low, std::span<const ContextPair> pairs) {
        QueryPast past;
        std::vector<int64_t> queries;
        for (const ContextPair& pair : pairs) {
            if (past.row_of.emplace(pair.query, static_cast<int64_t>(queries.size())).second)
                queries.push_back(pair.query);
        }
        if (m_ == 1) return past;
        at::Tensor h = low.hidden.index_select(0, numbers(queries, device_)).narrow(1, 0, m_ - 1);
        layers(h, {}, {}, nullptr, &past.kv);
        tokens_read_ += static_cast<int64_t>(queries.size()) * (m_ - 1);
        return past;
    }

    // Normed states [rows, m, d] of the tokens that predict the target chunks.
    at::Tensor read_targets(const Lower& low, const QueryPast& past,
                            const std::vector<int64_t>& queries, const Memories& memory) const {
        const at::Tensor i = numbers(queries, device_);
        const at::Tensor h = at::cat({low.hidden.index_select(0, i).narrow(1, m_ - 1, 1),
                                      low.hidden.index_select(0, i + 1).narrow(1, 0, m_ - 1)},
                                     1);
        std::vector<int64_t> rows;
        for (const int64_t query : queries) rows.push_back(past.row_of.at(query));
        return layers(h, past.kv, numbers(rows, device_), &memory, nullptr);
    }

    // The upper layers over `h` [rows, n, d], after rows `which` of `past` and with `memory`, or
    // from the beginning and without: then keys and values are kept in `keep`.
    at::Tensor layers(at::Tensor h, const PastKv& past, const at::Tensor& which,
                      const Memories* memory, PastKv* keep) const {
        const model::ModelWeights& w = lower_->weights();
        const int64_t n = h.size(1), before = past.k.empty() ? 0 : past.k[0].size(1);
        at::Tensor visible = at::ones({n, before + n}, h.options().dtype(at::kBool)).tril(before);
        const bool null_kv = w.layers.back().attention.null_key.defined();
        if (null_kv) visible = at::cat({at::ones_like(visible.narrow(1, 0, 1)), visible}, 1);
        const at::Tensor mask = model::additive_mask(visible);
        size_t cross = 0;
        for (size_t i = static_cast<size_t>(config_.n_lower); i < w.layers.size(); ++i) {
            const LayerWeights& layer = w.layers[i];
            const size_t place = i - static_cast<size_t>(config_.n_lower);
            const model::Projected p = model::part_heads(
                config_, model::project_heads(
                             config_, layer.attention,
                             model::rms_norm(h, layer.attention.norm, config_.norm_eps)));
            const at::Tensor q = rope_.rotate(p.q, before);
            at::Tensor k = rope_.rotate(p.k, before), v = p.v;
            if (keep != nullptr) {
                keep->k.push_back(k);
                keep->v.push_back(v);
            }
            if (before > 0) {
                k = at::cat({past.k[place].index_select(0, which), k}, 1);
                v = at::cat({past.v[place].index_select(0, which), v}, 1);
            }
            if (null_kv) {
                k = model::with_null(layer.attention.null_key, k);
                v = model::with_null(layer.attention.null_value, v);
            }
            h = h + at::linear(model::attend(q, k, v, mask), layer.attention.out);
            at::Tensor fed = h;
            if (layer.cross && memory != nullptr) {
                const at::Tensor asking =
                    model::memory_queries(config_, *layer.cross, rope_, h, m_ - 1);
                fed = h +
                      at::linear(model::read_memory(asking, (*memory)[cross++]), layer.cross->out);
                if (config_.cca_residual == model::CcaResidual::kAdd) h = fed;
            }
            h = h + model::feed_forward(config_, layer.ffn, fed);
        }
        return config_.final_norm ? model::rms_norm(h, w.final_norm, config_.norm_eps) : h;
    }

    int64_t m_;
    at::Device device_;
    ModelConfig config_;
    model::RopeTable rope_;
    std::unique_ptr<model::RptModel> lower_;
    std::unique_ptr<model::RptModel> upper_;  // of the twin
};

}  // namespace

std::unique_ptr<ContextReader> make_memory_reader(const model::RptModel& scorer, int64_t chunk,
                                                  at::Device device) {
    return std::make_unique<MemoryReader>(scorer, chunk, device);
}

}  // namespace rpt::train
