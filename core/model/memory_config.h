// How a model finds earlier chunks and reads their states.
#pragma once

#include <cstdint>
#include <vector>

namespace rpt::model {

inline constexpr int64_t kMostNeighbours = 64;

enum class CcaPosition { kRope, kNone };
enum class GateKind { kNone, kAffine, kMax, kBias };      // spec 1.12.4
enum class PoolRule { kDisjoint, kWindowStart, kPaper };  // spec 1.9, golden A.1
// No memory; neighbours given from outside (RETRO); own retriever trained by ranking (RPT), by the
// language model's loss through its scores (grouped cross-attention, arXiv 2410.01651), by both.
// Pointer: a frozen decoder, whose chunks are found by the mean of their tokens' pointer keys.
enum class RetrievalKind { kNone, kGiven, kLambdaRank, kGca, kGcaLambdaRank, kPointer };
// What a retrieval score does in cross-attention: nothing, one softmax over all neighbours; it
// weighs each neighbour's own softmax; it is added to its neighbour's logits in the one softmax.
enum class CcaFuse { kJoint, kWeighted, kBias };
// How a token reads nothing: a learnt null key and value, or a slot of logit 0 and value 0.
enum class CcaOptOut { kNullKv, kZeroSlot };
// Normed before the projections to key and query, after them, or both made unit vectors.
enum class ScoreNorm { kInputs, kOutputs, kCosine };

struct MemoryConfig {
    RetrievalKind retrieval = RetrievalKind::kLambdaRank;
    int64_t neighbours = 2;  // K; a package may name another number for reading
    // Numbers of a key: learnt features counted in the chunk. 0: the mean of its states, projected
    // to dim numbers.
    int64_t key_features = 0;
    ScoreNorm score_norm = ScoreNorm::kInputs;
    double score_temperature = 0.1;  // cosine scores are divided by it
    // Indices over all layers, from n_lower on; empty: no cross-attention.
    std::vector<int64_t> cca_layers;
    PoolRule pool = PoolRule::kDisjoint;
    bool cca_kv_norm = true;
    CcaPosition cca_position = CcaPosition::kNone;
    // The value of a neighbour's token t is taken from token t + 1; the last one is zero.
    bool cca_value_shift = true;
    CcaFuse cca_fuse = CcaFuse::kJoint;  // the others need retrieval gca
    CcaOptOut cca_opt_out = CcaOptOut::kNullKv;
    bool gca_sink = true;  // a learnt score of "no neighbour" in the weights (cca_fuse weighted)
    bool augment = true;   // neighbours see each other's tokens and the query chunk (spec 1.11)
    GateKind gate = GateKind::kAffine;
    double gate_floor = 0.1;      // eta
    bool gate_scale_sqrt = true;  // divide the gate score by sqrt(dim); false: by dim
    // Chunks whose neighbours the gate's causal attention sees (2 S / m by default).
    int64_t gate_horizon = 8;
    // The first m - 1 tokens of a block read the last chunk's neighbours.
    bool carry_neighbours = true;
    // Pointer keys and queries of tokens are made of the residual stream after so many layers, and
    // are unit vectors of `pointer_width` numbers. 0: the model has none.
    int64_t pointer_layer = 0;
    int64_t pointer_width = 128;
    // Ways in which sessions read a memory unless they choose (core/model/reading.h), summed; 0:
    // all but `upper` and `text` that the model is made for.
    uint32_t reading = 0;

    bool is_cca_layer(int64_t layer) const;
    bool has_cca() const { return !cca_layers.empty(); }
    // Neighbours' states run through the upper layers, whose attention reads the keys and values
    // that come out beside the window's.
    bool passes_neighbours() const { return retrieval == RetrievalKind::kPointer; }
    // The upper half reads the neighbours that it is given, in one way or the other.
    bool reads_neighbours() const { return has_cca() || passes_neighbours(); }
    // A key and a query for each token.
    bool has_pointers() const { return pointer_layer > 0; }
    // The chunk encoder's states.
    bool has_memory() const {
        return retrieval != RetrievalKind::kNone && retrieval != RetrievalKind::kPointer;
    }
    // Keys and queries of chunks.
    bool has_retriever() const {
        return retrieval != RetrievalKind::kNone && retrieval != RetrievalKind::kGiven;
    }
    // The same with weights of their own, beside the pointers'.
    bool has_chunk_keys() const { return has_retriever() && retrieval != RetrievalKind::kPointer; }
    // The ranking loss trains it.
    bool ranks() const {
        return retrieval == RetrievalKind::kLambdaRank ||
               retrieval == RetrievalKind::kGcaLambdaRank;
    }
    // Scores enter the forward pass and carry gradient.
    bool scores_weigh() const { return has_cca() && cca_fuse != CcaFuse::kJoint; }
    // RETRO (retrieval given) has none, nor have neighbours that scores weigh, whatever `gate`
    // says.
    bool has_gate() const;
    bool operator==(const MemoryConfig&) const = default;
};

}  // namespace rpt::model
