#include "lab/engine/token_step.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lab/engine/step_kernels.h"
#include "lab/network/rope.h"

namespace rpt::engine {
namespace {

// Below this many weights a second thread costs more than it brings.
constexpr int64_t kWeightsAThread = 48 * 1024;

const float* data(const at::Tensor& t) {
    return t.defined() ? t.const_data_ptr<float>() : nullptr;
}

// Rotary factors as pairs of numbers.
const float* pairs(const at::Tensor& factors) {
    return reinterpret_cast<const float*>(factors.const_data_ptr<c10::complex<float>>());
}

// out (+)= matrix x, rows shared by the threads.
void multiply(const at::Tensor& matrix, const float* x, bool add, float* out) {
    const int64_t rows = matrix.size(0), columns = matrix.size(1);
    const float* m = matrix.const_data_ptr<float>();
    const int64_t grain = std::max<int64_t>(4, kWeightsAThread / columns);
    at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
        multiply_rows(m, x, columns, begin, end, add, out);
    });
}

}  // namespace

TokenStep::TokenStep(const model::ModelConfig& config, const model::ModelWeights& weights)
    : config_(config),
      weights_(weights),
      factors_(model::rotary_factors(config, 0, 2 * config.stride)),
      sink_turn_(model::rotary_factors(config, -1 - config.stride, 1)) {}

void TokenStep::prepare(StepScratch& s) const {
    const model::ModelConfig& c = config_;
    const int64_t heads = (c.n_heads + 2 * c.n_kv_heads) * c.head_dim;
    const int64_t inner = c.ffn == model::FfnKind::kSwiglu ? 2 * c.ffn_dim : c.ffn_dim;
    s.x.resize(static_cast<size_t>(c.dim));
    s.normed.resize(static_cast<size_t>(c.dim));
    s.wide.resize(static_cast<size_t>(std::max(heads, inner)));
    s.mixed.resize(static_cast<size_t>(c.n_heads * c.head_dim));
}

void TokenStep::finish_heads(const model::SelfAttentionWeights& w, int64_t row,
                             StepScratch& s) const {
    const model::ModelConfig& c = config_;
    const int64_t d = c.head_dim, groups = c.n_kv_heads;
    if (const float* bias = data(w.qkv_bias)) {
        for (int64_t i = 0; i < (c.n_heads + 2 * groups) * d; ++i)
            s.wide[static_cast<size_t>(i)] += bias[i];
    }
    const bool interleaved = c.rope_pairing == model::RopePairing::kInterleaved;
    for (int64_t head = 0; head < c.n_heads + groups; ++head) {
        float* x = s.wide.data() + head * d;
        const at::Tensor& gain = head < c.n_heads ? w.query_gain : w.key_gain;
        if (gain.defined()) norm_row(x, data(gain), d, c.norm_eps, x);
        rotate_row(x, pairs(factors_) + row * d, d, interleaved);
    }
}

void TokenStep::self_attention(const model::SelfAttentionWeights& w, AttentionCache& cache,
                               BlockPlace place, const model::FarRows* far, StepScratch& s) const {
    const model::ModelConfig& c = config_;
    const int64_t d = c.head_dim, groups = c.n_kv_heads, row = place.row(c);
    const int64_t width = groups * d;
    norm_row(s.x.data(), data(w.norm), c.dim, c.norm_eps, s.normed.data());
    multiply(w.qkv, s.normed.data(), false, s.wide.data());
    finish_heads(w, row - 1, s);

    float* k = cache.k.mutable_data_ptr<float>();
    float* v = cache.v.mutable_data_ptr<float>();
    const float* own = s.wide.data() + c.n_heads * d;
    const size_t bytes = static_cast<size_t>(width) * sizeof(float);
    std::memcpy(k + row * width, own, bytes);
    std::memcpy(v + row * width, own + width, bytes);
    if (c.sink && place.is_start()) {
        std::memcpy(k, own, bytes);
        std::memcpy(v, own + width, bytes);
        for (int64_t group = 0; group < groups; ++group)
            rotate_row(k + group * d, pairs(sink_turn_), d,
                       c.rope_pairing == model::RopePairing::kInterleaved);
    }

    const int64_t begin = place.first_row(c), n = row + 1 - begin;
    const int64_t n_far = far != nullptr ? far->k.size(0) : 0, room = 1 + n_far + n;
    s.scores.resize(static_cast<size_t>(c.n_heads * room));
    const int64_t grain = std::max<int64_t>(1, kWeightsAThread / (2 * n * d));
    at::parallel_for(0, c.n_heads, grain, [&](int64_t from, int64_t to) {
        for (int64_t head = from; head < to; ++head) {
            const int64_t group = head / (c.n_heads / groups);
            const int64_t at_group = begin * width + group * d;
            const float* null_k = w.null_key.defined() ? data(w.null_key) + group * d : nullptr;
            const float* null_v = w.null_key.defined() ? data(w.null_value) + group * d : nullptr;
            AttendRow a{s.wide.data() + head * d,
                        k + at_group,
                        v + at_group,
                        n,
                        d,
                        width,
                        nullptr,
                        null_k,
                        null_v};
            if (n_far > 0) {
                a.far_k = data(far->k) + group * d;
                a.far_v = data(far->v) + group * d;
                a.n_far = n_far;
            }
            attend_row(a, s.scores.data() + head * room, s.mixed.data() + head * d);
        }
    });
    multiply(w.out, s.mixed.data(), true, s.x.data());
}

void TokenStep::cross_attention(const model::CrossAttentionWeights& w,
                                const model::MemoryKv& memory, int64_t position,
                                StepScratch& s) const {
    const model::ModelConfig& c = config_;
    // where scores weigh, each neighbour has a softmax of its own
    const int64_t parts = memory.weights.defined() ? memory.weights.size(1) : 1;
    const int64_t d = c.head_dim, width = c.n_heads * d, n = memory.k.size(1) / parts;
    norm_row(s.x.data(), data(w.query_norm), c.dim, c.norm_eps, s.normed.data());
    multiply(w.query, s.normed.data(), false, s.wide.data());
    if (c.cca_position == model::CcaPosition::kRope) {
        for (int64_t head = 0; head < c.n_heads; ++head) {
            rotate_row(s.wide.data() + head * d, pairs(factors_) + position * d, d,
                       c.rope_pairing == model::RopePairing::kInterleaved);
        }
    }
    s.scores.resize(static_cast<size_t>(c.n_heads * n));
    const float* k = data(memory.k);
    const float* v = data(memory.v);
    const float* mask = data(memory.mask);
    const float* weights = data(memory.weights);
    const int64_t grain = std::max<int64_t>(1, kWeightsAThread / (2 * parts * n * d));
    at::parallel_for(0, c.n_heads, grain, [&](int64_t from, int64_t to) {
        for (int64_t head = from; head < to; ++head) {
            for (int64_t part = 0; part < parts; ++part) {
                const int64_t first = part * n * width + head * d;
                attend_row({s.wide.data() + head * d, k + first, v + first, n, d, width,
                            mask == nullptr ? nullptr : mask + part * n, nullptr, nullptr,
                            weights == nullptr ? 1.0f : weights[part], part > 0},
                           s.scores.data() + head * n, s.mixed.data() + head * d);
            }
        }
    });
    multiply(w.out, s.mixed.data(), true, s.x.data());
}

void TokenStep::feed_forward(const model::FeedForwardWeights& w, StepScratch& s) const {
    norm_row(s.x.data(), data(w.norm), config_.dim, config_.norm_eps, s.normed.data());
    multiply(w.in, s.normed.data(), false, s.wide.data());
    if (config_.ffn == model::FfnKind::kGelu) {
        gelu_row(s.wide.data(), config_.ffn_dim);
    } else {
        swiglu_row(s.wide.data(), config_.ffn_dim);
    }
    multiply(w.out, s.wide.data(), true, s.x.data());
}

void TokenStep::lower(int32_t token, std::vector<AttentionCache>& caches, BlockPlace place,
                      StepScratch& s, float* h_low, float* pointed) const {
    prepare(s);
    const size_t bytes = static_cast<size_t>(config_.dim) * sizeof(float);
    std::memcpy(s.x.data(), data(weights_.embedding) + token * config_.dim, bytes);
    if (config_.scale_embedding) {
        const float scale = std::sqrt(static_cast<float>(config_.dim));
        for (float& x : s.x) x *= scale;
    }
    for (int64_t i = 0; i < config_.n_lower; ++i) {
        const model::LayerWeights& layer = weights_.layers[static_cast<size_t>(i)];
        self_attention(layer.attention, caches[static_cast<size_t>(i)], place, nullptr, s);
        feed_forward(layer.ffn, s);
        if (i + 1 == config_.pointer_layer) std::memcpy(pointed, s.x.data(), bytes);
    }
    std::memcpy(h_low, s.x.data(), bytes);
}

void TokenStep::upper(const float* h_low, std::vector<AttentionCache>& caches, BlockPlace place,
                      const ReadMemory* memory, int64_t position, StepScratch& s,
                      std::span<float> logits, float* pointed) const {
    prepare(s);
    const size_t bytes = static_cast<size_t>(config_.dim) * sizeof(float);
    std::memcpy(s.x.data(), h_low, bytes);
    size_t cca_index = 0;
    for (int64_t i = config_.n_lower; i < config_.layers(); ++i) {
        const model::LayerWeights& layer = weights_.layers[static_cast<size_t>(i)];
        const bool far = memory != nullptr && !memory->far.empty();
        self_attention(layer.attention, caches[static_cast<size_t>(i)], place,
                       far ? &memory->far[static_cast<size_t>(i - config_.n_lower)] : nullptr, s);
        if (layer.cross) {
            if (memory != nullptr)
                cross_attention(*layer.cross, memory->cca[cca_index], position, s);
            ++cca_index;
        }
        feed_forward(layer.ffn, s);
        if (i + 1 == config_.pointer_layer) std::memcpy(pointed, s.x.data(), bytes);
    }
    if (logits.empty()) return;
    norm_row(s.x.data(), data(weights_.final_norm), config_.dim, config_.norm_eps, s.normed.data());
    if (config_.scale_logits) {
        const float scale = 1.0f / std::sqrt(static_cast<float>(config_.dim));
        for (float& x : s.normed) x *= scale;
    }
    multiply(weights_.output_matrix(), s.normed.data(), false, logits.data());
}

}  // namespace rpt::engine
