#include "lab/network/model_weights.h"

namespace rpt::model {
namespace {

class SlotList {
  public:
    explicit SlotList(const ModelConfig& config) : c_(config) {}

    void add(const std::string& name, std::vector<int64_t> shape, at::Tensor& tensor) {
        slots_.push_back({name, std::move(shape), &tensor});
    }

    void self_attention(const std::string& prefix, int64_t kv_heads, bool null_kv,
                        SelfAttentionWeights& w) {
        add(prefix + ".norm", {c_.dim}, w.norm);
        add(prefix + ".qkv", {(c_.n_heads + 2 * kv_heads) * c_.head_dim, c_.dim}, w.qkv);
        add(prefix + ".out", {c_.dim, c_.n_heads * c_.head_dim}, w.out);
        if (null_kv) {
            add(prefix + ".null_key", {kv_heads, c_.head_dim}, w.null_key);
            add(prefix + ".null_value", {kv_heads, c_.head_dim}, w.null_value);
        }
    }

    // Of pretrained trunks.
    void attention_extras(const std::string& prefix, SelfAttentionWeights& w) {
        if (c_.attention_bias)
            add(prefix + ".qkv_bias", {(c_.n_heads + 2 * c_.n_kv_heads) * c_.head_dim}, w.qkv_bias);
        if (!c_.query_key_norm) return;
        add(prefix + ".query_gain", {c_.head_dim}, w.query_gain);
        add(prefix + ".key_gain", {c_.head_dim}, w.key_gain);
    }

    void cross_attention(const std::string& prefix, bool source_norm, bool null_kv,
                         CrossAttentionWeights& w) {
        const int64_t width = c_.n_heads * c_.head_dim;
        add(prefix + ".query_norm", {c_.dim}, w.query_norm);
        if (source_norm) add(prefix + ".source_norm", {c_.dim}, w.source_norm);
        add(prefix + ".query", {width, c_.dim}, w.query);
        add(prefix + ".key_value", {2 * width, c_.dim}, w.key_value);
        add(prefix + ".out", {c_.dim, width}, w.out);
        if (!null_kv) return;
        add(prefix + ".null_key", {c_.n_heads, c_.head_dim}, w.null_key);
        add(prefix + ".null_value", {c_.n_heads, c_.head_dim}, w.null_value);
    }

    void memorizing(const std::string& prefix, MemorizingWeights& w) {
        add(prefix + ".scale", {c_.n_heads}, w.scale);
        add(prefix + ".gate", {c_.n_heads}, w.gate);
    }

    void recurrent(const std::string& prefix, RecurrentWeights& w) {
        const int64_t width = c_.n_heads * c_.head_dim, n = c_.recurrent_states;
        add(prefix + ".start", {n, c_.dim}, w.start);
        add(prefix + ".position", {n, c_.dim}, w.position);
        add(prefix + ".norm", {c_.dim}, w.norm);
        add(prefix + ".state", {4 * width, c_.dim}, w.state);
        add(prefix + ".state_out", {c_.dim, 2 * width}, w.state_out);
        add(prefix + ".keep", {c_.dim}, w.keep);
        add(prefix + ".token_query", {width, c_.dim}, w.token_query);
        add(prefix + ".token_out", {c_.dim, width}, w.token_out);
        add(prefix + ".state_scale", {c_.n_heads}, w.state_scale);
        add(prefix + ".update_scale", {c_.n_heads}, w.update_scale);
        add(prefix + ".read_scale", {c_.n_heads}, w.read_scale);
    }

    void griffin(const std::string& prefix, GriffinWeights& w) {
        const int64_t r = c_.griffin_width, blocks = c_.griffin_gate_blocks;
        add(prefix + ".norm", {c_.dim}, w.norm);
        add(prefix + ".in", {2 * r, c_.dim}, w.in);
        add(prefix + ".in_bias", {2 * r}, w.in_bias);
        add(prefix + ".conv", {3, r}, w.conv);
        add(prefix + ".conv_bias", {r}, w.conv_bias);
        add(prefix + ".recurrence", {blocks, r / blocks, r / blocks}, w.recurrence);
        add(prefix + ".recurrence_bias", {r}, w.recurrence_bias);
        add(prefix + ".input_gate", {blocks, r / blocks, r / blocks}, w.input_gate);
        add(prefix + ".input_gate_bias", {r}, w.input_gate_bias);
        add(prefix + ".decay", {r}, w.decay);
        add(prefix + ".out", {c_.dim, r}, w.out);
        add(prefix + ".out_bias", {c_.dim}, w.out_bias);
    }

    std::vector<NamedSlot> take() { return std::move(slots_); }

  private:
    const ModelConfig& c_;
    std::vector<NamedSlot> slots_;
};

// What the config asks for and is not there yet; what is there stays.
template <typename T>
T& made(std::optional<T>& part) {
    return part ? *part : part.emplace();
}

}  // namespace

std::vector<NamedSlot> list_slots(const ModelConfig& config, ModelWeights& w) {
    const ModelConfig& c = config;
    SlotList slots(c);
    slots.add("embedding", {c.vocab, c.dim}, w.embedding);
    w.layers.resize(static_cast<size_t>(c.layers()));
    for (int64_t i = 0; i < c.layers(); ++i) {
        LayerWeights& layer = w.layers[static_cast<size_t>(i)];
        const std::string prefix = "layers." + std::to_string(i);
        slots.self_attention(prefix + ".attention", c.n_kv_heads, c.null_self_kv, layer.attention);
        slots.attention_extras(prefix + ".attention", layer.attention);
        if (c.is_memorizing_layer(i))
            slots.memorizing(prefix + ".memorizing", made(layer.memorizing));
        if (c.is_recurrent_layer(i)) slots.recurrent(prefix + ".recurrent", made(layer.recurrent));
        if (c.is_griffin_layer(i)) slots.griffin(prefix + ".griffin", made(layer.griffin));
        if (c.is_cca_layer(i)) {
            if (!layer.cross) layer.cross.emplace();
            slots.cross_attention(prefix + ".cca", c.cca_kv_norm,
                                  c.cca_opt_out == CcaOptOut::kNullKv, *layer.cross);
        }
        slots.add(prefix + ".ffn.norm", {c.dim}, layer.ffn.norm);
        const int64_t inner = c.ffn == FfnKind::kSwiglu ? 2 * c.ffn_dim : c.ffn_dim;
        slots.add(prefix + ".ffn.in", {inner, c.dim}, layer.ffn.in);
        slots.add(prefix + ".ffn.out", {c.dim, c.ffn_dim}, layer.ffn.out);
    }
    if (c.final_norm) slots.add("final_norm", {c.dim}, w.final_norm);
    if (!c.tied_output) slots.add("output", {c.vocab, c.dim}, w.output);
    if (c.has_memory()) {
        if (!w.chunk_encoder) w.chunk_encoder.emplace();
        slots.self_attention("memory.encoder", c.n_heads, true, *w.chunk_encoder);
    }
    if (c.has_chunk_keys()) {
        if (!w.retriever) w.retriever.emplace();
        slots.add("memory.key_norm", {c.dim}, w.retriever->key_norm);
        slots.add("memory.key", {c.key_width(), c.dim}, w.retriever->key);
        slots.add("memory.key_bias", {c.key_width()}, w.retriever->key_bias);
        slots.add("memory.query_norm", {c.dim}, w.retriever->query_norm);
        slots.add("memory.query", {c.key_width(), c.dim}, w.retriever->query);
        slots.add("memory.query_bias", {c.key_width()}, w.retriever->query_bias);
        if (c.key_features > 0) {
            slots.add("memory.key_gain", {c.key_width()}, w.retriever->key_gain);
            slots.add("memory.query_gain", {c.key_width()}, w.retriever->query_gain);
        }
        if (c.cca_fuse == CcaFuse::kWeighted && c.gca_sink)
            slots.add("memory.null_score", {1}, w.retriever->null_score);
    }
    if (c.has_cca() && c.augment) {
        if (!w.augment_self) w.augment_self.emplace();
        if (!w.augment_query) w.augment_query.emplace();
        slots.self_attention("memory.augment_self", c.n_heads, true, *w.augment_self);
        slots.cross_attention("memory.augment_query", true, true, *w.augment_query);
    }
    if (c.has_gate()) {
        if (!w.gate) w.gate.emplace();
        slots.self_attention("memory.gate", c.n_heads, c.null_self_kv, w.gate->attention);
        slots.add("memory.gate.score_norm", {c.dim}, w.gate->norm);
        slots.add("memory.gate.score", {1, c.dim}, w.gate->score);
        slots.add("memory.gate.score_bias", {1}, w.gate->bias);
        if (c.gate == GateKind::kBias) {
            slots.add("memory.gate.direction", {c.dim}, w.gate->direction);
        }
    }
    if (c.has_pointers()) {
        PointerWeights& pointer = made(w.pointer);
        slots.add("memory.pointer.mean", {c.dim}, pointer.mean);
        slots.add("memory.pointer.query", {c.pointer_width, c.dim}, pointer.query);
        slots.add("memory.pointer.key", {c.pointer_width, c.dim}, pointer.key);
    }
    if (c.retrieval == RetrievalKind::kPointer)
        slots.add("memory.state_scale", {c.dim}, w.state_scale);
    return slots.take();
}

}  // namespace rpt::model
