// Every learnt tensor of a model, by its place in the network. Names and shapes:
// docs/format/model.md.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/model/config.h"

namespace rpt::model {

// Attention of a sequence on itself; undefined tensors are parts that the config leaves out.
struct SelfAttentionWeights {
    at::Tensor norm;        // [d]
    at::Tensor qkv;         // [(H + 2 G) d_h, d]: H query heads, G key heads, G value heads
    at::Tensor qkv_bias;    // [(H + 2 G) d_h]
    at::Tensor query_gain;  // [d_h], of the norm of each head's query
    at::Tensor key_gain;    // [d_h]
    at::Tensor out;         // [d, H d_h]
    at::Tensor null_key;    // [G, d_h], never rotated
    at::Tensor null_value;  // [G, d_h]
};

// Attention of one sequence on another; always with a null key, so that a row without any source is
// finite. Where it is not learnt (cca_opt_out zero_slot) it is undefined and counts as zeros.
struct CrossAttentionWeights {
    at::Tensor query_norm;   // [d]
    at::Tensor source_norm;  // [d]; undefined: sources enter as they are
    at::Tensor query;        // [H d_h, d]
    at::Tensor key_value;    // [2 H d_h, d]
    at::Tensor out;          // [d, H d_h]
    at::Tensor null_key;     // [H, d_h]
    at::Tensor null_value;   // [H, d_h]
};

struct FeedForwardWeights {
    at::Tensor norm;  // [d]
    at::Tensor in;    // [f, d]; SwiGLU: [2 f, d], the gated half first
    at::Tensor out;   // [d, f]
};

// Attention to far keys, in the layer's own heads (spec 5.4).
struct MemorizingWeights {
    at::Tensor scale;  // [H], of the logits of unit keys
    at::Tensor gate;   // [H], logit of the share that far keys have in the output
};

// State vectors carried along the blocks of a document (spec 5.5); n of them.
struct RecurrentWeights {
    at::Tensor start;         // [n, d]
    at::Tensor position;      // [n, d], added to the normed state
    at::Tensor norm;          // [d]
    at::Tensor state;         // [4 H d_h, d]: keys, values, queries to states, queries to tokens
    at::Tensor state_out;     // [d, 2 H d_h]
    at::Tensor keep;          // [d], logit of what the state keeps at a block's end
    at::Tensor token_query;   // [H d_h, d]
    at::Tensor token_out;     // [d, H d_h]; beside the layer's own W_o it is the other half of a
                              // projection from 2 H d_h
    at::Tensor state_scale;   // [H], of the logits of unit vectors: states to states
    at::Tensor update_scale;  // [H], states to tokens
    at::Tensor read_scale;    // [H], tokens to states
};

// A gated linear recurrence along the document (spec 5.6); r channels in g blocks.
struct GriffinWeights {
    at::Tensor norm;                         // [d]
    at::Tensor in, in_bias;                  // [2 r, d], [2 r]: the GELU branch, the recurrent one
    at::Tensor conv, conv_bias;              // [3, r], [r]; the last row meets the token itself
    at::Tensor recurrence, recurrence_bias;  // [g, r / g, r / g], [r]: r_t
    at::Tensor input_gate, input_gate_bias;  // [g, r / g, r / g], [r]: i_t
    at::Tensor decay;                        // [r], Lambda
    at::Tensor out, out_bias;                // [d, r], [d]
};

struct LayerWeights {
    SelfAttentionWeights attention;
    std::optional<MemorizingWeights> memorizing;
    std::optional<RecurrentWeights> recurrent;
    std::optional<GriffinWeights> griffin;
    std::optional<CrossAttentionWeights> cross;
    FeedForwardWeights ffn;
};

struct RetrieverWeights {
    at::Tensor key_norm, key, key_bias;        // [d], [r, d], [r], r = key_width()
    at::Tensor query_norm, query, query_bias;  // [d], [r, d], [r]
    at::Tensor key_gain, query_gain;  // [r], of the counted features; only with key_features
    at::Tensor null_score;  // [1]: of "no neighbour"; only with gca_sink and cca_fuse weighted
};

// Of a frozen decoder (docs/format/model.md); w is pointer_width.
struct PointerWeights {
    at::Tensor mean;   // [d], of the residual stream after pointer_layer layers
    at::Tensor query;  // [w, d]
    at::Tensor key;    // [w, d]
};

struct GateWeights {
    SelfAttentionWeights attention;
    at::Tensor norm;       // [d]
    at::Tensor score;      // [1, d]
    at::Tensor bias;       // [1]
    at::Tensor direction;  // [d], only for GateKind::kBias
};

struct ModelWeights {
    at::Tensor embedding;  // [V, d]
    std::vector<LayerWeights> layers;
    at::Tensor final_norm;  // [d]
    at::Tensor output;      // [V, d]; undefined where the output is tied to the embedding
    std::optional<SelfAttentionWeights> chunk_encoder;   // spec 1.8
    std::optional<RetrieverWeights> retriever;           // spec 1.8
    std::optional<SelfAttentionWeights> augment_self;    // spec 1.11, first step
    std::optional<CrossAttentionWeights> augment_query;  // spec 1.11, second step
    std::optional<GateWeights> gate;                     // spec 1.12
    std::optional<PointerWeights> pointer;
    at::Tensor state_scale;  // [d]; only where retrieval is pointer

    const at::Tensor& output_matrix() const { return output.defined() ? output : embedding; }
};

// A tensor's name, the shape that the config gives it, and where it stands.
struct NamedSlot {
    std::string name;
    std::vector<int64_t> shape;
    at::Tensor* tensor;
};

// Every slot of `config` in `weights`, whose optional parts are made on the way. The order is that
// of the network.
std::vector<NamedSlot> list_slots(const ModelConfig& config, ModelWeights& weights);

// Start values on the CPU. The trunk's numbers depend on the seed and the trunk's fields alone, so
// that models that differ in their memory start with the same trunk.
void initialise(const ModelConfig& config, uint64_t seed, ModelWeights& weights);

}  // namespace rpt::model
