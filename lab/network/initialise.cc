// Start values: spec 1.2 with true fan-in, 8.2 (small residual outputs), and the hand-made starts
// of cross-attention.
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "lab/network/model_weights.h"

namespace rpt::model {
namespace {

class Draw {
  public:
    explicit Draw(uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

    at::Tensor normal(at::IntArrayRef shape, double std) {
        return at::empty(shape, at::kFloat).normal_(0.0, std, generator_);
    }
    at::Tensor uniform(at::IntArrayRef shape, double low, double high) {
        return at::empty(shape, at::kFloat).uniform_(low, high, generator_);
    }
    // Rows (or columns, whichever are fewer) of unit length, at right angles.
    at::Tensor orthogonal(int64_t rows, int64_t columns) {
        const int64_t many = std::max(rows, columns), few = std::min(rows, columns);
        const auto [q, r] = at::linalg_qr(normal({many, few}, 1.0));
        const at::Tensor fixed = q * r.diagonal().sign().unsqueeze(0);  // QR leaves the signs open
        return (rows >= columns ? fixed : fixed.t()).contiguous();
    }

  private:
    at::Generator generator_;
};

at::Tensor ones(int64_t n) {
    return at::ones({n}, at::kFloat);
}
at::Tensor zeros(int64_t n) {
    return at::zeros({n}, at::kFloat);
}

constexpr double kNullStd = 1e-4;          // spec 1.2
constexpr double kFeatureThreshold = 1.5;  // one feature in fifteen begins as part of a token
constexpr double kSmallOutput = 0.1;       // neighbour states begin as the stored ones (spec 8.2)

struct Initialiser {
    const ModelConfig& c;
    Draw& draw;

    at::Tensor matrix(int64_t rows, int64_t columns, double scale = 1.0) {
        return draw.normal({rows, columns}, scale / std::sqrt(static_cast<double>(columns)));
    }

    void self_attention(SelfAttentionWeights& w, int64_t kv_heads, bool null_kv, double out_scale) {
        w.norm = ones(c.dim);
        w.qkv = matrix((c.n_heads + 2 * kv_heads) * c.head_dim, c.dim);
        w.out = matrix(c.dim, c.n_heads * c.head_dim, out_scale);
        if (null_kv) {
            w.null_key = draw.normal({kv_heads, c.head_dim}, kNullStd);
            w.null_value = draw.normal({kv_heads, c.head_dim}, kNullStd);
        }
    }

    void cross_attention(CrossAttentionWeights& w, bool source_norm, double out_scale) {
        const int64_t width = c.n_heads * c.head_dim;
        w.query_norm = ones(c.dim);
        if (source_norm) w.source_norm = ones(c.dim);
        w.query = matrix(width, c.dim);
        w.key_value = matrix(2 * width, c.dim);
        w.out = matrix(c.dim, width, out_scale);
        w.null_key = draw.normal({c.n_heads, c.head_dim}, kNullStd);
        w.null_value = draw.normal({c.n_heads, c.head_dim}, kNullStd);
    }

    // Copy: what is attended is written back as itself. Induction: moreover attention looks for the
    // same state; with the value taken one token later, the memory proposes what followed (spec,
    // findings on far copies).
    void memory_attention(CrossAttentionWeights& w) {
        cross_attention(w, c.cca_kv_norm, c.cca_output_scale);
        // drawn all the same, so that everything else starts alike
        if (c.cca_opt_out == CcaOptOut::kZeroSlot) w.null_key = w.null_value = at::Tensor();
        if (c.cca_start == CcaStart::kUsual) return;
        const int64_t width = c.n_heads * c.head_dim;
        const at::Tensor value = draw.orthogonal(width, c.dim);
        w.key_value.narrow(0, width, width).copy_(value);
        w.out.copy_(value.t() * c.cca_output_scale);
        if (c.cca_start == CcaStart::kCopy) return;
        w.query = draw.orthogonal(width, c.dim) * c.cca_match_scale;
        w.key_value.narrow(0, 0, width).copy_(w.query);
    }

    void memorizing(MemorizingWeights& w) {
        w.scale = at::full({c.n_heads}, c.memorizing_scale, at::kFloat);
        w.gate = zeros(c.n_heads);
    }

    void recurrent(RecurrentWeights& w, double out_scale) {
        const int64_t width = c.n_heads * c.head_dim, n = c.recurrent_states;
        w.start = draw.normal({n, c.dim}, 0.1);
        w.position = draw.normal({n, c.dim}, 1.0);
        w.norm = ones(c.dim);
        w.state = matrix(4 * width, c.dim);
        w.state_out = matrix(c.dim, 2 * width);
        w.keep = draw.normal({c.dim}, 0.1);
        w.token_query = matrix(width, c.dim);
        w.token_out = matrix(c.dim, width, out_scale);
        // logits begin as those of queries and keys of variance 1 over sqrt(d_h)
        for (at::Tensor* scale : {&w.state_scale, &w.update_scale, &w.read_scale})
            *scale = at::full({c.n_heads}, std::sqrt(static_cast<double>(c.head_dim)), at::kFloat);
    }

    // Spec 5.6. Channels forget at rates between 0.9 and 0.999 a token, to the power 8 r_t.
    void griffin(GriffinWeights& w) {
        const int64_t r = c.griffin_width, blocks = c.griffin_gate_blocks, inner = r / blocks;
        const double gate_std = 1.0 / std::sqrt(static_cast<double>(inner));
        w.norm = ones(c.dim);
        w.in = matrix(2 * r, c.dim);
        w.in_bias = zeros(2 * r);
        w.conv = draw.normal({3, r}, std::sqrt(0.01 / 3));
        w.conv_bias = zeros(r);
        w.recurrence = draw.normal({blocks, inner, inner}, gate_std);
        w.recurrence_bias = zeros(r);
        w.input_gate = draw.normal({blocks, inner, inner}, gate_std);
        w.input_gate_bias = zeros(r);
        const at::Tensor squared = draw.uniform({r}, 0.9 * 0.9, 0.999 * 0.999);
        w.decay = squared.log().mul_(-0.5).expm1().log();
        w.out = matrix(c.dim, r, std::sqrt(2.0 / static_cast<double>(c.layers())));
        w.out_bias = zeros(c.dim);
    }
};

}  // namespace

void initialise(const ModelConfig& config, uint64_t seed, ModelWeights& w) {
    const ModelConfig& c = config;
    list_slots(c, w);  // makes the optional parts
    const double residual = 1.0 / std::sqrt(2.0 * static_cast<double>(c.layers()));
    const double embedding_std = c.scale_logits ? 1.0 : 1.0 / std::sqrt(static_cast<double>(c.dim));

    Draw trunk_draw(seed);
    Initialiser trunk{c, trunk_draw};
    w.embedding = trunk_draw.normal({c.vocab, c.dim}, embedding_std);
    for (LayerWeights& layer : w.layers) {
        trunk.self_attention(layer.attention, c.n_kv_heads, c.null_self_kv, residual);
        if (c.attention_bias)
            layer.attention.qkv_bias = zeros((c.n_heads + 2 * c.n_kv_heads) * c.head_dim);
        if (c.query_key_norm) {
            layer.attention.query_gain = ones(c.head_dim);
            layer.attention.key_gain = ones(c.head_dim);
        }
        layer.ffn.norm = ones(c.dim);
        const int64_t inner = c.ffn == FfnKind::kSwiglu ? 2 * c.ffn_dim : c.ffn_dim;
        layer.ffn.in = trunk.matrix(inner, c.dim);
        layer.ffn.out = trunk.matrix(c.dim, c.ffn_dim, residual);
    }
    if (c.final_norm) w.final_norm = ones(c.dim);
    if (!c.tied_output) w.output = trunk_draw.normal({c.vocab, c.dim}, embedding_std);

    Draw memory_draw(seed ^ 0x6d656d6f7279ULL);
    Initialiser memory{c, memory_draw};
    for (LayerWeights& layer : w.layers) {
        if (layer.cross) memory.memory_attention(*layer.cross);
    }
    if (w.chunk_encoder) {
        memory.self_attention(*w.chunk_encoder, c.n_heads, true, kSmallOutput);
    }
    if (w.retriever) {
        RetrieverWeights& r = *w.retriever;
        const double threshold = c.key_features > 0 ? kFeatureThreshold : 0.0;
        r.key_norm = ones(c.dim);
        r.key = memory.matrix(c.dim, c.dim);
        r.key_bias = zeros(c.key_width()) - threshold;
        r.query_norm = ones(c.dim);
        r.query = memory.matrix(c.dim, c.dim);
        r.query_bias = r.key_bias.clone();
        const bool match = c.retriever_start == RetrieverStart::kMatch;
        // generators of their own: what is drawn after this stays what it was
        if (c.key_features > 0) {
            Draw feature_draw(seed ^ 0x66656174ULL);
            Initialiser features{c, feature_draw};
            r.key = features.matrix(c.key_features, c.dim);
            r.query = match ? r.key.clone() : features.matrix(c.key_features, c.dim);
            r.key_gain = ones(c.key_features);
            r.query_gain = ones(c.key_features);
        } else if (match) {
            Draw match_draw(seed ^ 0x6d61746368ULL);
            r.key = match_draw.orthogonal(c.dim, c.dim);
            r.query = r.key.clone();
        }
        if (c.cca_fuse == CcaFuse::kWeighted && c.gca_sink) r.null_score = zeros(1);
    }
    if (w.augment_self) {
        memory.self_attention(*w.augment_self, c.n_heads, true, kSmallOutput);
        memory.cross_attention(*w.augment_query, true, kSmallOutput);
    }
    // Generators of their own: a model with two kinds of memory starts as those with one.
    Draw recurrent_draw(seed ^ 0x7374617465ULL), griffin_draw(seed ^ 0x67726966ULL);
    for (LayerWeights& layer : w.layers) {
        if (layer.memorizing) memory.memorizing(*layer.memorizing);
        if (layer.recurrent) Initialiser{c, recurrent_draw}.recurrent(*layer.recurrent, residual);
        if (layer.griffin) Initialiser{c, griffin_draw}.griffin(*layer.griffin);
    }
    if (w.pointer) {
        // cosines of the states themselves, in fewer numbers
        Draw pointer_draw(seed ^ 0x706f696e74ULL);
        w.pointer->mean = zeros(c.dim);
        w.pointer->key = pointer_draw.orthogonal(c.pointer_width, c.dim);
        w.pointer->query = w.pointer->key.clone();
    }
    if (c.retrieval == RetrievalKind::kPointer) w.state_scale = ones(c.dim);
    if (w.gate) {
        GateWeights& g = *w.gate;
        memory.self_attention(g.attention, c.n_heads, c.null_self_kv, kSmallOutput);
        g.norm = ones(c.dim);
        // s / sqrt(d) begins near 0.1 N(0, 1): the gate is even-handed but not stuck (spec 1.12)
        g.score = memory_draw.normal({1, c.dim}, 0.1);
        g.bias = zeros(1);
        if (c.gate == GateKind::kBias) g.direction = memory_draw.normal({c.dim}, 0.01);
    }
}

}  // namespace rpt::model
