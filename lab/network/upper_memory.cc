#include "lab/network/upper_memory.h"

#include "base/error.h"
#include "lab/network/dense_memory.h"
#include "lab/network/layers.h"
#include "lab/network/neighbour_weights.h"
#include "lab/network/row_slices.h"

namespace rpt::model {

UpperMemory::UpperMemory(const ModelConfig& config, const ModelWeights& weights,
                         const RopeTable& rope, const LowerOutput& low, const at::Tensor& indices,
                         RptModel::Diagnostics* diagnostics)
    : config_(config),
      weights_(weights),
      rope_(rope),
      low_(low),
      diagnostics_(config.has_cca() ? diagnostics : nullptr) {
    if (diagnostics_ != nullptr) {
        null_mass_ = at::zeros({}, low.hidden.options().dtype(at::kFloat));
    }
    if (!config.has_cca() || !indices.defined()) return;
    RPT_CHECK(indices.dim() == 3 && indices.size(1) * config.chunk == low.hidden.size(1));
    indices_ = indices.to(low.hidden.device());
    if (config.scores_weigh()) {
        weigh();
    } else {
        gather();
    }
}

void UpperMemory::gather() {
    const ModelConfig& c = config_;
    const int64_t batch = indices_.size(0), chunks = indices_.size(1), k = indices_.size(2);
    Neighbours& n = neighbours_;
    n = gather_neighbours(low_.states, indices_);
    if (c.augment) {
        n.states = augment_gathered(c, weights_, rope_, n, low_.states, indices_,
                                    low_.hidden.view({batch * chunks, c.chunk, c.dim}));
    }
    if (c.has_gate()) {
        const at::Tensor valid = indices_.ge(0);
        const at::Tensor pooled = pool_neighbours(n).view({batch, chunks, k, c.dim});
        const at::Tensor scores = gate_scores(c, *weights_.gate, pooled, valid, chunks);
        multiplier_ = gate_multiplier(c, scores);
        if (!multiplier_.defined()) {
            n.states =
                n.states + scores.reshape({batch * chunks, k, 1, 1}) * weights_.gate->direction;
        } else {
            multiplier_ = multiplier_.view({batch * chunks, k});
        }
        if (diagnostics_ != nullptr) {
            const at::Tensor shown = (multiplier_.defined() ? multiplier_ : scores).detach();
            const at::Tensor weight = valid.to(at::kFloat);
            diagnostics_->gate_mean = (shown.reshape(valid.sizes()).to(at::kFloat) * weight).sum() /
                                      weight.sum().clamp_min(1.0);
        }
    }
    use_ = use_of_memory(c, n.present);
}

void UpperMemory::weigh() {
    neighbours_.present = present_tokens(indices_, config_.chunk);
    use_ = use_of_memory(config_, neighbours_.present,
                         chosen_scores(config_, low_.queries, low_.keys, indices_),
                         weights_.retriever->null_score);
    if (!use_.weights.defined()) return;
    if (dense_memory_pays(config_, indices_)) by_chunk_ = weights_by_chunk(indices_, use_.weights);
    if (diagnostics_ != nullptr) {
        const at::Tensor any = indices_.flatten(0, 1).ge(0).any(1).to(at::kFloat);
        const at::Tensor left = (1.0 - use_.weights.detach().sum(1)) * any;
        diagnostics_->sink_mass = left.sum() / any.sum().clamp_min(1.0);
    }
}

at::Tensor UpperMemory::read(const CrossAttentionWeights& w, const at::Tensor& h) {
    const ModelConfig& c = config_;
    if (by_chunk_.defined()) {
        return chunked_cross_attention(c, w, rope_, h, [&](const at::Tensor& q) {
            at::Tensor nothing;
            const bool measure = null_mass_.defined();
            const at::Tensor out =
                read_dense(c, w, q, low_.states, by_chunk_, measure ? &nothing : nullptr);
            if (measure) null_mass_ = null_mass_ + nothing;
            return out;
        });
    }
    if (!indices_.defined()) {
        const MemoryKv null =
            null_memory(c, w, low_.hidden.size(0) * low_.hidden.size(1) / c.chunk);
        return chunked_cross_attention(c, w, rope_, h, null,
                                       null_mass_.defined() ? &null_mass_ : nullptr);
    }
    at::Tensor chunk_kv;
    if (c.scores_weigh()) chunk_kv = project_chunks(c, w, low_.states.flatten(0, 1));
    const auto memory_of = [&](int64_t begin, int64_t count) {
        const at::Tensor present = rows_of(neighbours_.present, begin, count);
        const MemoryUse use = use_.rows(begin, count);
        return c.scores_weigh()
                   ? project_gathered(c, w, rope_, chunk_kv, indices_, present, use, begin)
                   : project_memory(c, w, rope_,
                                    {rows_of(neighbours_.states, begin, count), present},
                                    rows_of(multiplier_, begin, count), use);
    };
    if (null_mass_.defined()) {
        return chunked_cross_attention(c, w, rope_, h, memory_of(0, use_.mask.size(0)),
                                       &null_mass_);
    }
    return chunked_cross_attention(c, w, rope_, h, [&](const at::Tensor& q) {
        return in_slices(q.size(0), kMemorySlice, [&](int64_t begin, int64_t count) {
            return read_memory(rows_of(q, begin, count), memory_of(begin, count));
        });
    });
}

void UpperMemory::finish_diagnostics() const {
    if (diagnostics_ == nullptr) return;
    diagnostics_->null_mass = null_mass_ / static_cast<double>(config_.cca_layers.size());
}

}  // namespace rpt::model
