// How well a model predicts one document under several choices of neighbours (spec 4, 8.5 S8).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/model/rpt_model.h"
#include "core/train/shard.h"

namespace rpt::eval {

// What the chunks read.
enum class Row {
    kOwn,     // the model's own retriever
    kOracle,  // BM25 of the chunk and the next one: sees the future, an upper bound
    kBm25,    // BM25 of the chunk
    kRandom,  // drawn from the pool
    kNone,    // nothing
};
inline constexpr std::array kAllRows = {Row::kOwn, Row::kOracle, Row::kBm25, Row::kRandom,
                                        Row::kNone};
const char* row_name(Row row);

struct EvalOptions {
    int64_t span =
        16384;  // tokens read in one piece, memory included; a multiple of the model's stride
    int64_t max_tokens = 0;   // of a document; 0: all
    int64_t neighbours = 0;   // K; 0: the model's
    int64_t candidates = 20;  // BM25 chunks that count as gold
    uint64_t seed = 1;        // of the random row
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

// Sums over query chunks; divide by `chunks` (precision) or `with_gold` (recall, nDCG).
struct RankingSums {
    double precision_2 = 0, recall_10 = 0, ndcg_20 = 0;
    int64_t chunks = 0, with_gold = 0;
    void add(const RankingSums& other);
};

struct RowScores {
    Nats all;
    Nats with_pool;                       // tokens whose chunk could retrieve something
    Nats gold_retrieved;                  // of those, where the own retriever found a gold chunk
    std::map<int64_t, Nats> by_position;  // first token of each stretch in the span -> its tokens
};

struct DocumentScores {
    std::string id, collection;
    uint64_t bytes = 0;
    int64_t tokens = 0;
    std::map<Row, RowScores> rows;
    RankingSums own_ranking, bm25_ranking;
    int64_t distinct_retrieved = 0;  // different chunks among the own neighbours, summed over spans
    int64_t slots_retrieved = 0;     // own neighbours in all
};

// Rows that this kind of model can be read with.
std::vector<Row> rows_of(const model::ModelConfig& config);

// `text`: a document's tokens, the closing one included (it is not predicted). The document is read
// in spans; each begins with the beginning-of-text token and an empty memory.
DocumentScores score_document(const model::RptModel& model,
                              const train::ShardVocabulary& vocabulary,
                              std::span<const int32_t> text, const EvalOptions& options,
                              at::Device device);

}  // namespace rpt::eval
