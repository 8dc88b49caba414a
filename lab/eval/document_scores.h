// How well a model predicts one document under several choices of neighbours (spec 4, 8.5 S8, S9).
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lab/eval/ranking_sums.h"
#include "lab/eval/span_neighbours.h"
#include "lab/eval/span_reading.h"
#include "lab/network/rpt_model.h"
#include "lab/train/shard.h"

namespace rpt::eval {

// What the chunks read.
enum class RowKind {
    kOwn,           // the model's own retriever
    kDpr,           // a retriever trained apart from the model (spec 5.7)
    kOracleScores,  // the best target scores: sees the future, an upper bound
    kOracle,        // BM25 of the chunk and the next one: sees the future too
    kBm25,          // BM25 of the chunk
    kRandom,        // drawn from the pool
    kNone,          // nothing; all there is for a model without a memory of chunks
    kPointer,       // as usual, and a pointer's copies are mixed into the prediction
};
struct Row {
    RowKind kind = RowKind::kNone;
    int64_t k = 0;  // neighbours; 0: as many as the model was trained with
    auto operator<=>(const Row&) const = default;
};
// "own", "bm25@3", ...
std::string row_name(Row row);

// What the model itself does not bring.
struct EvalSources {
    // Target scores of a span's candidates (inputs, tokens of text), best by BM25 first. Empty: the
    // best by BM25 of chunk and target count as gold, scored by rank.
    std::function<std::optional<train::ChunkLists>(std::span<const int32_t>, int64_t)> targets;
    // Scores fp32 [l, l] of every chunk of a span as a query (row) for every other. Empty: no row
    // dpr.
    std::function<at::Tensor(std::span<const int32_t>)> dpr;
    // Negative log-likelihoods fp32 [n] with a pointer, of a span as the model usually reads it.
    // Empty: no row pointer.
    std::function<at::Tensor(const SpanReading&)> pointer;
    int64_t pointer_layer = 0;  // whose states it needs
};

struct EvalOptions {
    int64_t span = 16384;    // tokens read in one piece, memory included: a multiple of the model's
                             // stride; 0: the document
    int64_t max_tokens = 0;  // of a document; 0: all
    int64_t candidates = 20;  // BM25 chunks that count as gold without target scores
    std::vector<Row> rows;    // empty: all that rows_of() has
    bool per_chunk = false;   // also keep the nats of every chunk
    uint64_t seed = 1;        // of the random row
    EvalSources sources;
};

struct Nats {
    double sum = 0;
    int64_t tokens = 0;
    void add(const Nats& other) {
        sum += other.sum;
        tokens += other.tokens;
    }
    double mean() const { return tokens > 0 ? sum / static_cast<double>(tokens) : 0.0; }
};

struct RowScores {
    Nats all;
    Nats with_pool;                       // tokens whose chunk could retrieve something
    Nats gold_retrieved;                  // of those, where the model's usual row read a gold chunk
    std::map<int64_t, Nats> by_position;  // first token of each stretch in the span -> its tokens
    std::vector<double> per_chunk;        // nats, parallel to DocumentScores::chunk_tokens
};

struct DocumentScores {
    std::string id, collection;
    uint64_t bytes = 0;
    int64_t tokens = 0;
    std::map<Row, RowScores> rows;
    std::map<std::string, RankingSums> rankings;  // of "own", "bm25", "dpr"
    BestScoreSums best_scores;                    // with target scores
    int64_t distinct_retrieved = 0;  // different chunks among the own neighbours, summed over spans
    int64_t slots_retrieved = 0;     // own neighbours in all
    // With per_chunk. An entry is the tokens that read one chunk's neighbours; each span begins
    // with the tokens that read none.
    std::vector<int64_t> spans;         // entries of each
    std::vector<int64_t> chunk_tokens;  // predicted tokens of each entry
    // '.' no pool, '-' no target scores, '0' no gold retrieved, '1' gold retrieved
    std::string chunk_flags;
};

// Rows that this kind of model can be read with.
std::vector<Row> rows_of(const model::ModelConfig& config, const EvalSources& sources);
// The row that stands for the model: own, bm25 where neighbours are given, none.
Row usual_row(const model::ModelConfig& config);
inline constexpr int64_t kMostNeighbours = 64;  // that a row can be asked for
// Those of rows_of() that `names` lists (empty: all), for each K of `ks` (empty: the model's); a
// name such as "own@4" brings its own K, "usual" is usual_row(). Throws kArgument for a name that
// this model has not.
std::vector<Row> choose_rows(const model::ModelConfig& config, const EvalSources& sources,
                             const std::vector<std::string>& names, const std::vector<int64_t>& ks);

// `text`: a document's tokens, the closing one included (it is not predicted). The document is read
// in spans; each begins with the beginning-of-text token and an empty memory.
// Throws kNotFound if target scores are asked for and this text has none.
DocumentScores score_document(const model::RptModel& model,
                              const train::ShardVocabulary& vocabulary,
                              std::span<const int32_t> text, const EvalOptions& options,
                              at::Device device);

}  // namespace rpt::eval
