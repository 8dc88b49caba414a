#include "core/eval/document_scores.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "core/eval/retrieval_metrics.h"
#include "core/train/candidates.h"
#include "core/train/counter_random.h"
#include "core/train/document_span.h"
#include "core/train/neighbour_choice.h"

namespace rpt::eval {
namespace {

using Span = train::DocumentSpan;

// The chunk whose neighbours the token at `p` reads (spec 1.13), negative if none.
int64_t reading_chunk(const model::ModelConfig& config, int64_t p) {
    return (p + 1) / config.chunk - 1;
}

// 0, 512, 1024, 2048, ...: where in the span a token stands.
int64_t position_class(int64_t p) {
    int64_t begin = 0;
    for (int64_t end = 512; p >= end; end *= 2) begin = end;
    return begin;
}

using Neighbours = std::vector<std::vector<int32_t>>;  // of each chunk, best first

Neighbours from_lists(const train::ChunkLists& lists) {
    Neighbours neighbours(lists.chunk.size() / lists.width);
    for (size_t slot = 0; slot < lists.chunk.size(); ++slot) {
        if (lists.chunk[slot] >= 0) neighbours[slot / lists.width].push_back(lists.chunk[slot]);
    }
    return neighbours;
}

Neighbours random_neighbours(const model::ModelConfig& config, int64_t chunks, int64_t k,
                             uint64_t seed, uint64_t stream) {
    Neighbours neighbours(chunks);
    for (int64_t i = 0; i < chunks; ++i) {
        const int64_t pool = std::max<int64_t>(0, model::last_retrievable(config, i) + 1);
        std::vector<float> keys;  // random scores: their top k is a random set
        for (int64_t j = 0; j < pool; ++j) {
            keys.push_back(static_cast<float>(
                train::draw_uniform(seed, stream + static_cast<uint64_t>(i), j)));
        }
        neighbours[i] = train::top_k(keys, pool, k);
    }
    return neighbours;
}

at::Tensor as_tensor(const Neighbours& neighbours, int64_t k, at::Device device) {
    const int64_t l = static_cast<int64_t>(neighbours.size());
    at::Tensor tensor = at::full({1, l, k}, -1, at::kLong);
    for (int64_t i = 0; i < l; ++i) {
        for (int64_t c = 0; c < std::min<int64_t>(k, static_cast<int64_t>(neighbours[i].size()));
             ++c) {
            tensor.data_ptr<int64_t>()[i * k + c] = neighbours[i][c];
        }
    }
    return tensor.to(device);
}

// Rankings are judged against the gold candidates of chunk i.
void judge(const Neighbours& ranking, const train::ChunkLists& gold, int64_t i, RankingSums& sums) {
    std::map<int32_t, double> score_of;
    std::vector<double> all;
    for (int64_t c = 0; c < gold.width; ++c) {
        const int64_t slot = i * gold.width + c;
        if (gold.chunk[slot] < 0) continue;
        score_of[gold.chunk[slot]] = gold.score[slot];
        all.push_back(gold.score[slot]);
    }
    std::vector<double> ranked;
    for (const int32_t chunk : ranking[i]) {
        const auto it = score_of.find(chunk);
        ranked.push_back(it == score_of.end() ? 0.0 : it->second);
    }
    sums.precision_2 += precision_at(ranked, 2);
    ++sums.chunks;
    if (std::none_of(all.begin(), all.end(), [](double s) { return s > 0; })) return;
    sums.recall_10 += recall_at(ranked, all, 10);
    sums.ndcg_20 += ndcg_at(ranked, all, 20);
    ++sums.with_gold;
}

class SpanScorer {
  public:
    SpanScorer(const model::RptModel& model, const train::ShardVocabulary& vocabulary,
               const EvalOptions& options, at::Device device)
        : model_(model),
          vocabulary_(vocabulary),
          options_(options),
          device_(device),
          k_(options.neighbours > 0 ? options.neighbours : model.config().neighbours) {}

    void score(std::span<const int32_t> text, uint64_t number, DocumentScores& scores) const {
        const model::ModelConfig& config = model_.config();
        const Span span = train::make_document_span(config, vocabulary_, text);
        const at::Tensor inputs =
            at::tensor(std::vector<int64_t>(span.inputs.begin(), span.inputs.end()))
                .unsqueeze(0)
                .to(device_);
        const at::Tensor targets = at::tensor(span.targets).unsqueeze(0).to(device_);
        const model::LowerOutput low = model_.lower(inputs);

        train::TrainOptions supervision;
        supervision.candidates = options_.candidates;
        const auto gold = train::make_candidates(config, supervision, span.inputs, span.n_tokens);
        const std::vector<Row> rows = rows_of(config);
        Neighbours own;
        if (std::find(rows.begin(), rows.end(), Row::kOwn) != rows.end()) {
            own = own_ranking(low, span);
            const auto bm25 = from_lists(train::make_given_neighbours(
                config, train::GivenQuery::kChunk, 20, span.inputs, span.n_tokens));
            judge_all(own, bm25, gold, span, scores);
        }
        const std::vector<bool> found = gold_found(own, gold, span);
        for (const Row row : rows) {
            const at::Tensor hidden = model_.upper(low, neighbours_of(row, own, span, number));
            const at::Tensor nll =
                model_.token_nll(hidden, targets).to(at::kCPU, at::kFloat).contiguous();
            add(nll.data_ptr<float>(), span, found, scores.rows[row]);
        }
        for (const int64_t target : span.targets) scores.tokens += target >= 0;
    }

  private:
    Neighbours own_ranking(const model::LowerOutput& low, const Span& span) const {
        const at::Tensor scores =
            model_.retrieval_scores(low).to(at::kCPU, at::kFloat).contiguous();
        Neighbours ranking(span.chunks);
        for (int64_t i = 0; i < span.chunks; ++i) {
            const std::span<const float> row(scores.data_ptr<float>() + i * span.chunks,
                                             static_cast<size_t>(span.chunks));
            ranking[i] = train::top_k(row, model::last_retrievable(model_.config(), i) + 1,
                                      std::max<int64_t>(20, k_));
        }
        return ranking;
    }

    at::Tensor neighbours_of(Row row, const Neighbours& own, const Span& span,
                             uint64_t number) const {
        const model::ModelConfig& config = model_.config();
        switch (row) {
            case Row::kOwn:
                return as_tensor(own, k_, device_);
            case Row::kOracle:
            case Row::kBm25: {
                const auto query = row == Row::kBm25 ? train::GivenQuery::kChunk
                                                     : train::GivenQuery::kChunkAndTarget;
                return as_tensor(from_lists(train::make_given_neighbours(
                                     config, query, k_, span.inputs, span.n_tokens)),
                                 k_, device_);
            }
            case Row::kRandom:
                return as_tensor(
                    random_neighbours(config, span.chunks, k_, options_.seed, number << 32), k_,
                    device_);
            case Row::kNone:
                break;
        }
        return {};
    }

    void judge_all(const Neighbours& own, const Neighbours& bm25, const train::ChunkLists& gold,
                   const Span& span, DocumentScores& scores) const {
        std::set<int32_t> distinct;
        for (int64_t i = 0; i + 1 < span.n_tokens / model_.config().chunk; ++i) {
            if (model::last_retrievable(model_.config(), i) < 0) continue;
            judge(own, gold, i, scores.own_ranking);
            judge(bm25, gold, i, scores.bm25_ranking);
            const auto n = std::min<int64_t>(k_, static_cast<int64_t>(own[i].size()));
            distinct.insert(own[i].begin(), own[i].begin() + n);
            scores.slots_retrieved += n;
        }
        scores.distinct_retrieved += static_cast<int64_t>(distinct.size());
    }

    // Chunks whose own K neighbours hold a gold one.
    std::vector<bool> gold_found(const Neighbours& own, const train::ChunkLists& gold,
                                 const Span& span) const {
        std::vector<bool> found(span.chunks, false);
        for (int64_t i = 0; i < static_cast<int64_t>(own.size()); ++i) {
            const auto begin = gold.chunk.begin() + i * gold.width;
            for (int64_t c = 0; c < std::min<int64_t>(k_, static_cast<int64_t>(own[i].size()));
                 ++c) {
                if (std::find(begin, begin + gold.width, own[i][c]) != begin + gold.width)
                    found[i] = true;
            }
        }
        return found;
    }

    void add(const float* nll, const Span& span, const std::vector<bool>& found,
             RowScores& row) const {
        for (int64_t p = 0; p < span.n_tokens; ++p) {
            if (span.targets[p] < 0) continue;
            const Nats one{nll[p], 1};
            row.all.add(one);
            row.by_position[position_class(p)].add(one);
            const int64_t chunk = reading_chunk(model_.config(), p);
            if (chunk < 0 || model::last_retrievable(model_.config(), chunk) < 0) continue;
            row.with_pool.add(one);
            if (found[chunk]) row.gold_retrieved.add(one);
        }
    }

    const model::RptModel& model_;
    const train::ShardVocabulary& vocabulary_;
    const EvalOptions& options_;
    at::Device device_;
    int64_t k_;
};

}  // namespace

const char* row_name(Row row) {
    switch (row) {
        case Row::kOwn:
            return "own";
        case Row::kOracle:
            return "oracle";
        case Row::kBm25:
            return "bm25";
        case Row::kRandom:
            return "random";
        case Row::kNone:
            return "none";
    }
    return "";
}

void RankingSums::add(const RankingSums& other) {
    precision_2 += other.precision_2;
    recall_10 += other.recall_10;
    ndcg_20 += other.ndcg_20;
    chunks += other.chunks;
    with_gold += other.with_gold;
}

std::vector<Row> rows_of(const model::ModelConfig& config) {
    if (config.retrieval == model::RetrievalKind::kNone || config.cca_layers.empty())
        return {Row::kNone};
    if (config.retrieval == model::RetrievalKind::kGiven)
        return {Row::kOracle, Row::kBm25, Row::kRandom, Row::kNone};
    return {kAllRows.begin(), kAllRows.end()};
}

DocumentScores score_document(const model::RptModel& model,
                              const train::ShardVocabulary& vocabulary,
                              std::span<const int32_t> text, const EvalOptions& options,
                              at::Device device) {
    const int64_t length = train::span_length(model.config(), options.span);
    const at::NoGradGuard no_grad;
    if (options.max_tokens > 0)
        text = text.first(std::min(text.size(), static_cast<size_t>(options.max_tokens)));
    DocumentScores scores;
    const SpanScorer scorer(model, vocabulary, options, device);
    uint64_t number = 0;
    for (size_t at = 0; at < text.size(); at += static_cast<size_t>(length)) {
        scorer.score(text.subspan(at, std::min(text.size() - at, static_cast<size_t>(length))),
                     number++, scores);
    }
    return scores;
}

}  // namespace rpt::eval
