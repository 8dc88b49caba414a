#include "lab/eval/document_scores.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "lab/train/document_span.h"

namespace rpt::eval {
namespace {

constexpr int64_t kRanked = 20;  // of a ranking, for nDCG@20

// The entry of the token at `p`: 0 before the first chunk is complete, then 1 + the chunk whose
// neighbours it reads (spec 1.13).
int64_t entry_of(const model::ModelConfig& config, int64_t p) {
    return (p + 1) / config.chunk;
}

// 0, 512, 1024, 2048, ...: where in the span a token stands.
int64_t position_class(int64_t p) {
    int64_t begin = 0;
    for (int64_t end = 512; p >= end; end *= 2) begin = end;
    return begin;
}

class SpanScorer {
  public:
    SpanScorer(const model::RptModel& model, const train::ShardVocabulary& vocabulary,
               const EvalOptions& options, at::Device device)
        : model_(model),
          config_(model.config()),
          vocabulary_(vocabulary),
          options_(options),
          rows_(options.rows.empty() ? rows_of(config_, options.sources) : options.rows),
          device_(device),
          width_(kRanked) {
        for (const Row& row : rows_) width_ = std::max(width_, k_of(row));
    }

    void score(std::span<const int32_t> text, uint64_t number, DocumentScores& scores) const {
        const train::DocumentSpan span = train::make_document_span(config_, vocabulary_, text);
        const at::Tensor inputs =
            at::tensor(std::vector<int64_t>(span.inputs.begin(), span.inputs.end()))
                .unsqueeze(0)
                .to(device_);
        const at::Tensor targets = at::tensor(span.targets).unsqueeze(0).to(device_);
        const model::LowerOutput low = model_.lower(inputs);

        std::string flags = flags_of(span);
        std::map<RowKind, Neighbours> rankings;
        if (config_.has_memory() && config_.has_cca()) {
            const train::ChunkLists gold = gold_of(span);
            rankings = rankings_of(low, span, gold, number);
            judge_all(rankings, gold, span, scores);
            flag(rankings[usual_row(config_).kind], gold, flags);
        }
        for (const Row& row : rows_) {
            const RowKind reads =
                row.kind == RowKind::kPointer ? usual_row(config_).kind : row.kind;
            at::Tensor neighbours;
            if (reads != RowKind::kNone)
                neighbours = as_tensor(rankings.at(reads), k_of(row), device_);
            const at::Tensor nll =
                row.kind == RowKind::kPointer
                    ? options_.sources.pointer(
                          read_upper(model_, low, neighbours, span, options_.sources.pointer_layer))
                    : model_.token_nll(model_.upper(low, neighbours), targets);
            const at::Tensor ready = nll.to(at::kCPU, at::kFloat).contiguous();
            add(ready.data_ptr<float>(), span, flags, scores.rows[row]);
        }
        for (const int64_t target : span.targets) scores.tokens += target >= 0;
        if (options_.per_chunk) {
            scores.spans.push_back(static_cast<int64_t>(flags.size()));
            std::vector<int64_t> tokens(flags.size(), 0);
            for (int64_t p = 0; p < span.n_tokens; ++p)
                tokens[entry_of(config_, p)] += span.targets[p] >= 0;
            scores.chunk_tokens.insert(scores.chunk_tokens.end(), tokens.begin(), tokens.end());
            scores.chunk_flags += flags;
        }
    }

  private:
    int64_t k_of(const Row& row) const { return row.k > 0 ? row.k : config_.neighbours; }

    train::ChunkLists gold_of(const train::DocumentSpan& span) const {
        if (options_.sources.targets) {
            auto lists = options_.sources.targets(span.inputs, span.n_tokens);
            if (lists && static_cast<int64_t>(lists->chunk.size()) == span.chunks * lists->width)
                return *std::move(lists);
            throw Error(Status::kNotFound, "rpt",
                        "the file of target scores has none for this text; make it from the same "
                        "shards with the same span, chunk and length");
        }
        train::TrainOptions lexical;
        lexical.candidates = options_.candidates;
        return train::make_candidates(config_, lexical, span.inputs, span.n_tokens);
    }

    std::map<RowKind, Neighbours> rankings_of(const model::LowerOutput& low,
                                              const train::DocumentSpan& span,
                                              const train::ChunkLists& gold,
                                              uint64_t number) const {
        const auto by_bm25 = [&](train::GivenQuery query) {
            return from_lists(
                train::make_given_neighbours(config_, query, width_, span.inputs, span.n_tokens));
        };
        std::map<RowKind, Neighbours> rankings;
        rankings[usual_row(config_).kind] = usual_ranking(model_, low, span, width_);
        if (options_.sources.dpr) {
            rankings[RowKind::kDpr] =
                best_by_scores(config_, options_.sources.dpr(span.inputs), width_);
        }
        if (options_.sources.targets)
            rankings[RowKind::kOracleScores] = best_by_target(gold, width_);
        rankings[RowKind::kOracle] = by_bm25(train::GivenQuery::kChunkAndTarget);
        if (config_.has_retriever()) rankings[RowKind::kBm25] = by_bm25(train::GivenQuery::kChunk);
        const auto random = std::find_if(rows_.begin(), rows_.end(),
                                         [](const Row& r) { return r.kind == RowKind::kRandom; });
        if (random != rows_.end()) {
            rankings[RowKind::kRandom] =
                random_neighbours(config_, span.chunks, width_, options_.seed, number << 32);
        }
        return rankings;
    }

    // Target scores may cover some of the chunks.
    bool judged(const train::ChunkLists& gold, int64_t i) const {
        const auto begin = gold.chunk.begin() + i * gold.width;
        return !options_.sources.targets ||
               std::any_of(begin, begin + gold.width, [](int32_t j) { return j >= 0; });
    }

    void judge_all(const std::map<RowKind, Neighbours>& rankings, const train::ChunkLists& gold,
                   const train::DocumentSpan& span, DocumentScores& scores) const {
        std::set<int32_t> distinct;
        for (int64_t i = 0; i + 1 < span.n_tokens / config_.chunk; ++i) {
            if (model::last_retrievable(config_, i) < 0 || !judged(gold, i)) continue;
            for (const RowKind kind : {RowKind::kOwn, RowKind::kBm25, RowKind::kDpr}) {
                const auto it = rankings.find(kind);
                if (it == rankings.end()) continue;
                RankingSums& sums = scores.rankings[row_name({kind})];
                judge_ranking(it->second[i], gold, i, sums);
                add_overlap(it->second[i], span.inputs, config_.chunk, i, sums);
            }
            if (options_.sources.targets)
                scores.best_scores.add_chunk(rankings.at(RowKind::kOracle)[i], gold, i);
            if (!config_.has_retriever()) continue;
            const auto& own = rankings.at(RowKind::kOwn)[i];
            const auto n = std::min<int64_t>(config_.neighbours, static_cast<int64_t>(own.size()));
            distinct.insert(own.begin(), own.begin() + n);
            scores.slots_retrieved += n;
        }
        scores.distinct_retrieved += static_cast<int64_t>(distinct.size());
    }

    // A model without a memory has a pool all the same, so that the same tokens compare.
    std::string flags_of(const train::DocumentSpan& span) const {
        std::string flags(entry_of(config_, span.n_tokens - 1) + 1, '.');
        for (size_t entry = 1; entry < flags.size(); ++entry) {
            if (model::last_retrievable(config_, static_cast<int64_t>(entry) - 1) >= 0)
                flags[entry] = '0';
        }
        return flags;
    }

    void flag(const Neighbours& usual, const train::ChunkLists& gold, std::string& flags) const {
        for (size_t entry = 1; entry < flags.size(); ++entry) {
            const auto chunk = static_cast<int64_t>(entry) - 1;
            if (flags[entry] == '.') continue;
            if (!judged(gold, chunk)) {
                flags[entry] = '-';
            } else if (finds_gold(usual[chunk], gold, chunk, config_.neighbours)) {
                flags[entry] = '1';
            }
        }
    }

    void add(const float* nll, const train::DocumentSpan& span, const std::string& flags,
             RowScores& row) const {
        std::vector<double> per_chunk(flags.size(), 0.0);
        for (int64_t p = 0; p < span.n_tokens; ++p) {
            if (span.targets[p] < 0) continue;
            const Nats one{nll[p], 1};
            const int64_t entry = entry_of(config_, p);
            row.all.add(one);
            row.by_position[position_class(p)].add(one);
            per_chunk[entry] += one.sum;
            if (flags[entry] != '.') row.with_pool.add(one);
            if (flags[entry] == '1') row.gold_retrieved.add(one);
        }
        if (options_.per_chunk)
            row.per_chunk.insert(row.per_chunk.end(), per_chunk.begin(), per_chunk.end());
    }

    const model::RptModel& model_;
    const model::ModelConfig& config_;
    const train::ShardVocabulary& vocabulary_;
    const EvalOptions& options_;
    std::vector<Row> rows_;
    at::Device device_;
    int64_t width_;  // chunks kept of every ranking
};

}  // namespace

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
