// One description for every family: RPT, Transformer-XL (no CCA layers), RETRO + BM25 (its
// switches), retrieval trained by the language model's loss (GCA), the baselines with a memory of
// another kind, and Llama-like trunks. A baseline differs from RPT in this struct and nowhere else.
// No torch types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rpt::model {

inline constexpr int64_t kMostNeighbours = 64;

enum class FfnKind { kGelu, kSwiglu };              // spec 1.6; inner size is `ffn_dim`
enum class RopePairing { kInterleaved, kHalves };   // (x_2k, x_2k+1) or (x_k, x_k+d_h/2)
enum class CcaStart { kUsual, kCopy, kInduction };  // initialisation of cross-attention
enum class CcaPosition { kRope, kNone };
enum class GateKind { kNone, kAffine, kMax, kBias };      // spec 1.12.4
enum class PoolRule { kDisjoint, kWindowStart, kPaper };  // spec 1.9, golden A.1
// No memory; neighbours given from outside (RETRO); own retriever trained by ranking (RPT), by the
// language model's loss through its scores (grouped cross-attention, arXiv 2410.01651), by both.
enum class RetrievalKind { kNone, kGiven, kLambdaRank, kGca, kGcaLambdaRank };
// What a retrieval score does in cross-attention: nothing, one softmax over all neighbours; it
// weighs each neighbour's own softmax; it is added to its neighbour's logits in the one softmax.
enum class CcaFuse { kJoint, kWeighted, kBias };
// How a token reads nothing: a learnt null key and value, or a slot of logit 0 and value 0.
enum class CcaOptOut { kNullKv, kZeroSlot };
// h + CCA, then the feed-forward layer; or CCA enters the feed-forward layer's input alone.
enum class CcaResidual { kAdd, kBypass };
// Start of the key and query projections: independent, or one orthogonal matrix for both, so that
// the first scores are similarities of chunks and not chance.
enum class RetrieverStart { kUsual, kMatch };
// Normed before the projections to key and query, after them, or both made unit vectors.
enum class ScoreNorm { kInputs, kOutputs, kCosine };

struct ModelConfig {
    // Trunk.
    int64_t vocab = 8192;
    int64_t dim = 256;
    int64_t n_lower = 3;
    int64_t n_upper = 3;
    int64_t n_heads = 4;
    int64_t n_kv_heads = 4;  // < n_heads: grouped-query attention; must divide n_heads
    int64_t head_dim = 64;
    FfnKind ffn = FfnKind::kGelu;
    int64_t ffn_dim = 1024;
    double rope_theta = 10000.0;
    RopePairing rope_pairing = RopePairing::kInterleaved;
    double norm_eps = 1e-6;
    bool tied_output = true;
    bool final_norm = true;
    bool null_self_kv = false;  // a learnt null key/value in self-attention
    bool scale_logits =
        true;  // logits / sqrt(dim), embeddings ~ N(0, 1); false: embeddings ~ N(0, 1 / dim)
    bool scale_embedding = false;  // embeddings times sqrt(dim) on their way in; with scale_logits
                                   // off, the same start as with it on, but rows that an optimiser
                                   // of fixed step size moves sqrt(dim) times faster
    // Blocks.
    int64_t chunk = 64;    // m, tokens
    int64_t stride = 256;  // S, tokens; a multiple of chunk. The window is 2 S.
    // Memory.
    RetrievalKind retrieval = RetrievalKind::kLambdaRank;
    int64_t neighbours = 2;  // K; a package may name another number for reading
    RetrieverStart retriever_start = RetrieverStart::kMatch;
    int64_t key_features = 0;  // numbers of a key: learnt features counted in the chunk; 0: the
                               // mean of its states, projected to dim numbers
    ScoreNorm score_norm = ScoreNorm::kInputs;
    double score_temperature = 0.1;  // cosine scores are divided by it
    std::vector<int64_t>
        cca_layers;  // indices over all layers (n_lower ..); empty: no cross-attention
    PoolRule pool = PoolRule::kDisjoint;
    bool cca_kv_norm = true;
    CcaPosition cca_position = CcaPosition::kNone;
    CcaStart cca_start = CcaStart::kInduction;
    bool cca_value_shift =
        true;  // value of neighbour token t is taken from token t + 1; the last one is zero
    double cca_match_scale = 1.0;  // start of W_q = W_k: scale * orthogonal (induction)
    double cca_output_scale =
        0.5;  // start of W_o: scale * W_v^T (copy, induction) or scale * N(0, 1/d) (usual)
    CcaFuse cca_fuse = CcaFuse::kJoint;  // the others need retrieval gca
    CcaOptOut cca_opt_out = CcaOptOut::kNullKv;
    CcaResidual cca_residual = CcaResidual::kAdd;
    bool gca_sink = true;  // a learnt score of "no neighbour" in the weights (cca_fuse weighted)
    bool augment = true;   // neighbours see each other's tokens and the query chunk (spec 1.11)
    GateKind gate = GateKind::kAffine;
    double gate_floor = 0.1;      // eta
    bool gate_scale_sqrt = true;  // divide the gate score by sqrt(dim); false: by dim
    int64_t gate_horizon =
        8;  // chunks whose neighbours the gate's causal attention sees (2 S / m by default)
    bool carry_neighbours =
        true;  // the first m - 1 tokens of a block read the last chunk's neighbours
    // Baselines with a memory of another kind, each an addition to the layers named (spec 5.4
    // to 5.6).
    std::vector<int64_t> memorizing_layers;  // attention to the nearest old keys of the same layer
    int64_t memorizing_tokens = 8192;        // kept keys, the most recent ones
    int64_t memorizing_top_k = 32;           // read keys, a query and head
    double memorizing_scale = 10.0;          // start of the learnt logit scale of unit keys
    std::vector<int64_t> recurrent_layers;   // block-recurrent: state vectors carried along blocks
    int64_t recurrent_states = 64;
    std::vector<int64_t> griffin_layers;  // a gated linear recurrence after self-attention
    int64_t griffin_width = 256;          // channels of the recurrence
    int64_t griffin_gate_blocks = 8;      // of the block-diagonal gates; divides the width

    int64_t layers() const { return n_lower + n_upper; }
    bool is_cca_layer(int64_t layer) const;
    bool is_memorizing_layer(int64_t layer) const;
    bool is_recurrent_layer(int64_t layer) const;
    bool is_griffin_layer(int64_t layer) const;
    bool has_memory() const {
        return retrieval != RetrievalKind::kNone;
    }  // the chunk encoder's states
    bool has_retriever() const {
        return retrieval != RetrievalKind::kNone && retrieval != RetrievalKind::kGiven;
    }  // keys and queries
    int64_t key_width() const { return key_features > 0 ? key_features : dim; }
    // The ranking loss trains it.
    bool ranks() const {
        return retrieval == RetrievalKind::kLambdaRank ||
               retrieval == RetrievalKind::kGcaLambdaRank;
    }
    // Scores enter the forward pass and carry gradient.
    bool scores_weigh() const { return has_cca() && cca_fuse != CcaFuse::kJoint; }
    bool has_cca() const { return !cca_layers.empty(); }
    // RETRO (retrieval given) has none, nor have neighbours that scores weigh, whatever `gate`
    // says.
    bool has_gate() const;
    int64_t chunks_per_block() const { return stride / chunk; }
    // Throws kArgument naming the field that does not fit.
    void validate() const;

    std::string to_json() const;
    // Unknown keys are refused by name; missing keys keep their defaults. Lists of layers may count
    // from the top (-1: the last layer) or be "upper": all upper layers but the first, or the only
    // one. Validates.
    static ModelConfig from_json(const std::string& text);
    bool operator==(const ModelConfig&) const = default;
};

// Largest chunk number that chunk `i` may retrieve under `config.pool`, negative if none (golden
// A.1). The one rule that serves training, candidates, the reader, metrics and the oracle.
int64_t last_retrievable(const ModelConfig& config, int64_t i);

}  // namespace rpt::model
