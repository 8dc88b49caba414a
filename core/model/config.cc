#include "core/model/config.h"

#include <algorithm>

#include "base/error.h"
#include "core/model/reading.h"

namespace rpt::model {
namespace {

[[noreturn]] void refuse(const std::string& text) {
    throw Error(Status::kArgument, "rpt", "model config: " + text);
}

void check_range(const char* name, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) {
        refuse(std::string("field '") + name + "' is " + std::to_string(value) + ", must be " +
               std::to_string(low) + " to " + std::to_string(high));
    }
}

void check_range(const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high)) {  // also refuses NaN
        refuse(std::string("field '") + name + "' is " + std::to_string(value) + ", must be " +
               std::to_string(low) + " to " + std::to_string(high));
    }
}

// Numbers of layers from `first` on, each at most once.
void check_layers(const char* name, const std::vector<int64_t>& layers, int64_t first,
                  int64_t end) {
    int64_t previous = first - 1;
    for (const int64_t layer : layers) {
        check_range(name, layer, first, end - 1);
        if (layer <= previous)
            refuse(std::string("field '") + name + "' must ascend without repeats");
        previous = layer;
    }
}

bool contains(const std::vector<int64_t>& layers, int64_t layer) {
    return std::find(layers.begin(), layers.end(), layer) != layers.end();
}

}  // namespace

bool MemoryConfig::is_cca_layer(int64_t layer) const {
    return contains(cca_layers, layer);
}

bool ResearchConfig::is_memorizing_layer(int64_t layer) const {
    return contains(memorizing_layers, layer);
}

bool ResearchConfig::is_recurrent_layer(int64_t layer) const {
    return contains(recurrent_layers, layer);
}

bool ResearchConfig::is_griffin_layer(int64_t layer) const {
    return contains(griffin_layers, layer);
}

bool MemoryConfig::has_gate() const {
    return gate != GateKind::kNone && has_cca() && has_retriever() && !scores_weigh();
}

void ModelConfig::validate_counts() const {
    check_range("n_lower", n_lower, 1, 1024);
    check_range("n_upper", n_upper, 1, 1024);
}

void ModelConfig::validate_rope() const {
    check_range("rope_theta", rope_theta, 1.0, 1e12);
    check_range("rope_factor", rope_factor, 1.0, 1e6);
    check_range("rope_low_frequency", rope_low_frequency, 1e-3, 1e6);
    check_range("rope_high_frequency", rope_high_frequency, 1e-3, 1e6);
    if (rope_high_frequency <= rope_low_frequency)
        refuse("field 'rope_high_frequency' must be above rope_low_frequency");
    check_range("rope_original_context", rope_original_context, 1, 1 << 30);
}

void ModelConfig::validate_pointers() const {
    check_range("pointer_layer", pointer_layer, 0, layers());
    check_range("pointer_width", pointer_width, 1, 1 << 16);
    if (retrieval == RetrievalKind::kPointer) {
        if (!has_pointers())
            refuse("field 'pointer_layer' must be 1 or more with retrieval pointer");
        if (has_cca()) refuse("field 'cca_layers' must be empty where retrieval is pointer");
        if (key_features > 0) refuse("field 'key_features' must be 0 where retrieval is pointer");
    }
    // a segment is encoded without neighbours, so its pointers may not depend on any
    if (has_pointers() && has_cca() && pointer_layer > cca_layers.front())
        refuse("field 'pointer_layer' must not be above the first of cca_layers");
}

void ModelConfig::validate_reading() const {
    if ((reading & kReadCca) != 0 && !has_cca())
        refuse("field 'read' has cca, and 'cca_layers' is empty");
    if ((reading & kReadCopy) != 0 && !has_pointers())
        refuse("field 'read' has copy, and 'pointer_layer' is 0");
    if ((reading & kReadText) != 0 && !has_pointers())
        refuse("field 'read' has text, and 'pointer_layer' is 0");
    if ((reading & kReadUpper) != 0 && !passes_neighbours())
        refuse("field 'read' has upper, and 'retrieval' is not pointer");
}

void ModelConfig::validate() const {
    check_range("vocab", vocab, 2, int64_t{1} << 24);
    check_range("dim", dim, 2, 1 << 16);
    validate_counts();
    check_range("n_heads", n_heads, 1, 1024);
    check_range("n_kv_heads", n_kv_heads, 1, n_heads);
    if (n_heads % n_kv_heads != 0) refuse("field 'n_kv_heads' must divide n_heads");
    check_range("head_dim", head_dim, 2, 1024);
    if (head_dim % 2 != 0) refuse("field 'head_dim' must be even");
    check_range("ffn_dim", ffn_dim, 1, 1 << 20);
    validate_rope();
    check_range("norm_eps", norm_eps, 0.0, 1.0);
    if (sink && null_self_kv) {
        refuse("field 'sink' must be false with null_self_kv: attention rests on the null key");
    }
    check_range("chunk", chunk, 1, 1 << 16);
    check_range("stride", stride, chunk, 1 << 20);
    if (stride % chunk != 0) refuse("field 'stride' must be a multiple of chunk");
    check_range("neighbours", neighbours, 1, kMostNeighbours);
    check_range("cca_match_scale", cca_match_scale, 0.0, 100.0);
    check_range("cca_output_scale", cca_output_scale, 0.0, 100.0);
    check_range("gate_floor", gate_floor, 0.0, 1.0);
    check_range("gate_horizon", gate_horizon, 1, 1 << 20);
    if (retrieval == RetrievalKind::kNone && !cca_layers.empty()) {
        refuse("field 'cca_layers' must be empty where retrieval is none");
    }
    check_layers("cca_layers", cca_layers, n_lower, layers());
    validate_pointers();
    validate_reading();
    check_range("score_temperature", score_temperature, 1e-3, 100.0);
    check_range("key_features", key_features, 0, 1 << 16);
    if (key_features > 0 && score_norm != ScoreNorm::kInputs) {
        refuse(
            "field 'score_norm' must be inputs with key_features: counted features are normed and "
            "weighed already");
    }
    const bool gca = retrieval == RetrievalKind::kGca || retrieval == RetrievalKind::kGcaLambdaRank;
    if (gca == (cca_fuse == CcaFuse::kJoint)) {
        refuse("field 'cca_fuse' must be weighted or bias with retrieval gca, and joint without");
    }
    if (gca && cca_layers.empty())
        refuse("field 'cca_layers' must not be empty with retrieval gca");
    if (gca && augment) {
        refuse(
            "field 'augment' must be false with retrieval gca: weighed neighbours do not depend "
            "on the chunk that asks");
    }
    check_layers("memorizing_layers", memorizing_layers, 0, layers());
    check_range("memorizing_tokens", memorizing_tokens, 1, int64_t{1} << 24);
    check_range("memorizing_top_k", memorizing_top_k, 1, 4096);
    check_range("memorizing_scale", memorizing_scale, 0.0, 1000.0);
    check_layers("recurrent_layers", recurrent_layers, 0, layers());
    check_range("recurrent_states", recurrent_states, 1, 1 << 16);
    check_layers("griffin_layers", griffin_layers, 0, layers());
    check_range("griffin_gate_blocks", griffin_gate_blocks, 1, 1024);
    check_range("griffin_width", griffin_width, griffin_gate_blocks, 1 << 16);
    if (griffin_width % griffin_gate_blocks != 0)
        refuse("field 'griffin_gate_blocks' must divide griffin_width");
    for (const int64_t layer : memorizing_layers) {
        if (is_recurrent_layer(layer))
            refuse("field 'recurrent_layers' names a layer that memorizes already");
    }
}

int64_t last_retrievable(const ModelConfig& config, int64_t i) {
    const int64_t per_block = config.chunks_per_block();
    const int64_t block = i / per_block;
    switch (config.pool) {
        case PoolRule::kDisjoint:
            // c_j and c_{j+1} both lie before the attention window
            return (block - 1) * per_block - 2;
        case PoolRule::kWindowStart:
            return block * per_block - 3;
        case PoolRule::kPaper:
            return i - 2 * per_block;
    }
    return -1;
}

}  // namespace rpt::model
