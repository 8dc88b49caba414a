#include <cmath>

#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/eval/document_scores.h"
#include "lab/eval/paired_bootstrap.h"
#include "lab/eval/retrieval_metrics.h"
#include "lab/train/counter_random.h"
#include "tests/unit/lab/eval/tiny_row.h"

namespace rpt::eval {
namespace {

TEST(RetrievalMetricsTest, metrics_of_the_golden_ranking) {           // spec A.7
    const std::vector<double> all = {.2, -.1, .05, .4, -.3, .01};     // chunks 3 7 1 9 2 5
    const std::vector<double> ranked = {-.1, .4, -.3, .2, .05, .01};  // chunks 7 9 2 3 1 5
    EXPECT_DOUBLE_EQ(precision_at(ranked, 2), 0.5);
    EXPECT_DOUBLE_EQ(recall_at(ranked, all, 3), 0.25);
    EXPECT_NEAR(ndcg_at(ranked, all, 4), 0.612111, 1e-6);
}

TEST(RetrievalMetricsTest, short_rankings_count_as_misses) {
    const std::vector<double> all = {1.0, 1.0};
    const std::vector<double> one = {1.0};
    EXPECT_DOUBLE_EQ(precision_at(one, 2), 0.5);
    EXPECT_DOUBLE_EQ(recall_at(one, all, 10), 0.5);
    EXPECT_DOUBLE_EQ(precision_at({}, 2), 0.0);
    EXPECT_DOUBLE_EQ(ndcg_at(all, all, 20), 1.0);
}

TEST(PairedBootstrapTest, interval_holds_the_mean_and_repeats_with_the_seed) {
    std::vector<double> a, b;
    std::vector<int64_t> tokens;
    for (uint64_t d = 0; d < 30; ++d) {
        tokens.push_back(100 + static_cast<int64_t>(d));
        b.push_back(300 + 50 * train::draw_uniform(1, 1, d));
        a.push_back(b.back() - 5 - 4 * train::draw_uniform(1, 2, d));  // better on every document
    }
    const Difference d = paired_bootstrap(a, b, tokens, 2000, 9);
    double sum = 0, count = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        sum += a[i] - b[i];
        count += static_cast<double>(tokens[i]);
    }
    EXPECT_DOUBLE_EQ(d.mean, sum / count);
    EXPECT_LT(d.low, d.mean);
    EXPECT_GT(d.high, d.mean);
    EXPECT_LT(d.high, 0);
    EXPECT_DOUBLE_EQ(d.share_below, 1.0);
    const Difference again = paired_bootstrap(a, b, tokens, 2000, 9);
    EXPECT_EQ(d.low, again.low);
    EXPECT_EQ(d.high, again.high);
    const Difference other = paired_bootstrap(b, a, tokens, 2000, 9);
    EXPECT_DOUBLE_EQ(other.mean, -d.mean);
    EXPECT_DOUBLE_EQ(other.share_below, 0.0);
}

std::vector<int32_t> some_text(int64_t n) {
    std::vector<int32_t> text;
    for (int64_t i = 0; i < n; ++i)
        text.push_back(static_cast<int32_t>(3 + train::draw_below(4, i / 4 % 9, i % 4, 61)));
    text.push_back(1);
    return text;
}

TEST(DocumentScoresTest, rows_count_the_same_tokens_and_none_is_the_plain_pass) {
    const auto config = tiny_row();
    const model::RptModel model(config, 3);
    EvalOptions options;
    options.span = 64;
    const auto text = some_text(150);
    const DocumentScores scores = score_document(model, kTinyVocabulary, text, options, at::kCPU);
    EXPECT_EQ(scores.tokens, 150);
    ASSERT_EQ(scores.rows.size(), 5u);
    for (const auto& [row, values] : scores.rows) {
        EXPECT_EQ(values.all.tokens, 150) << row_name(row);
        int64_t by_position = 0;
        for (const auto& [position, nats] : values.by_position) by_position += nats.tokens;
        EXPECT_EQ(by_position, 150);
        EXPECT_LT(values.with_pool.tokens, 150);
        EXPECT_GT(values.with_pool.tokens, 0);
        EXPECT_LE(values.gold_retrieved.tokens, values.with_pool.tokens);
    }
    // tokens before anything can be retrieved read the same under every row
    EXPECT_NE(scores.rows.at({RowKind::kOwn}).all.sum, scores.rows.at({RowKind::kNone}).all.sum);

    double plain = 0;
    for (int64_t at = 0; at < 151; at += 64) {
        const int64_t n = std::min<int64_t>(64, 151 - at);
        std::vector<int64_t> inputs(64, 2), targets(64, -1);
        inputs[0] = 0;
        for (int64_t p = 0; p < n; ++p) {
            if (p + 1 < n) inputs[p + 1] = text[at + p];
            if (text[at + p] != 1) targets[p] = text[at + p];
        }
        const auto low = model.lower(at::tensor(inputs).unsqueeze(0));
        plain += model.token_nll(model.upper(low, {}), at::tensor(targets).unsqueeze(0))
                     .sum()
                     .item<double>();
    }
    EXPECT_NEAR(scores.rows.at({RowKind::kNone}).all.sum, plain, 1e-2);
}

TEST(DocumentScoresTest, ranking_is_judged_on_chunks_with_a_pool) {
    const model::RptModel model(tiny_row(), 3);
    EvalOptions options;
    options.span = 128;
    const DocumentScores scores =
        score_document(model, kTinyVocabulary, some_text(120), options, at::kCPU);
    EXPECT_GT(scores.rankings.at("own").chunks, 0);
    EXPECT_EQ(scores.rankings.at("own").chunks, scores.rankings.at("bm25").chunks);
    EXPECT_GT(scores.rankings.at("bm25").recall_10, 0);
    EXPECT_GT(scores.distinct_retrieved, 0);
    EXPECT_LE(scores.distinct_retrieved, scores.slots_retrieved);
}

TEST(DocumentScoresTest, baselines_have_the_rows_they_can_be_read_with) {
    auto config = tiny_row();
    config.retrieval = model::RetrievalKind::kGiven;
    EXPECT_EQ(rows_of(config, {}).size(), 4u);
    config.retrieval = model::RetrievalKind::kNone;
    config.cca_layers.clear();
    const model::RptModel model(config, 3);
    EvalOptions options;
    options.span = 64;
    const auto scores = score_document(model, kTinyVocabulary, some_text(100), options, at::kCPU);
    EXPECT_EQ(scores.rows.size(), 1u);
    EXPECT_TRUE(scores.rows.contains({RowKind::kNone}));
    options.span = 63;
    EXPECT_THROW(score_document(model, kTinyVocabulary, some_text(100), options, at::kCPU), Error);
}

TEST(DocumentScoresTest, rows_of_another_k_are_named_after_it) {
    const auto config = tiny_row();
    const auto rows = choose_rows(config, {}, {"own", "none"}, {1, 2, 3});
    std::vector<std::string> names;
    for (const Row& row : rows) names.push_back(row_name(row));
    EXPECT_EQ(names, (std::vector<std::string>{"own@1", "own", "own@3", "none"}));
    EXPECT_THROW(choose_rows(config, {}, {"dpr"}, {}), Error);
}

TEST(DocumentScoresTest, a_row_may_bring_its_own_k) {
    const auto config = tiny_row();
    const auto names_of = [&](const std::vector<std::string>& asked,
                              const std::vector<int64_t>& ks) {
        std::vector<std::string> names;
        for (const Row& row : choose_rows(config, {}, asked, ks)) names.push_back(row_name(row));
        return names;
    };
    using Names = std::vector<std::string>;
    EXPECT_EQ(names_of({"own", "own@8", "none"}, {}), (Names{"own", "own@8", "none"}));
    EXPECT_EQ(names_of({"own@2", "own"}, {}), (Names{"own"}));  // as many as the model reads anyway
    EXPECT_EQ(names_of({"own@8", "bm25"}, {1, 8}), (Names{"own@8", "bm25@1", "bm25@8"}));
    for (const char* wrong : {"own@", "own@0", "own@65", "own@2x", "none@2", "dpr@2", "@2"})
        EXPECT_THROW(names_of({wrong}, {}), Error) << wrong;
}

TEST(DocumentScoresTest, the_usual_row_is_what_the_model_chooses_by_itself) {
    const auto usual = [](const model::ModelConfig& config, const std::string& name) {
        const auto rows = choose_rows(config, {}, {name}, {});
        return rows.size() == 1 ? row_name(rows[0]) : "";
    };
    auto config = tiny_row();
    EXPECT_EQ(usual(config, "usual"), "own");
    EXPECT_EQ(usual(config, "usual@8"), "own@8");
    config.retrieval = model::RetrievalKind::kGiven;
    EXPECT_EQ(usual(config, "usual"), "bm25");
    EXPECT_EQ(usual(config, "usual@8"), "bm25@8");
    config.cca_layers.clear();
    EXPECT_EQ(usual(config, "usual"), "none");
    EXPECT_THROW(usual(config, "usual@8"), Error);
}

TEST(DocumentScoresTest, target_scores_are_the_gold_and_bring_their_oracle) {
    const model::RptModel model(tiny_row(), 3);
    EvalOptions options;
    options.span = 0;
    options.per_chunk = true;
    // every chunk's first pool chunk is worth something, nothing else is
    options.sources.targets = [](std::span<const int32_t> inputs, int64_t) {
        train::ChunkLists lists;
        lists.width = 1;
        lists.chunk.assign(inputs.size() / 4, 0);
        lists.score.assign(inputs.size() / 4, 0.5f);
        return std::optional(lists);
    };
    const DocumentScores scores =
        score_document(model, kTinyVocabulary, some_text(120), options, at::kCPU);
    EXPECT_TRUE(scores.rows.contains({RowKind::kOracleScores}));
    EXPECT_EQ(scores.rankings.at("own").chunks, scores.rankings.at("own").with_gold);
    EXPECT_GT(scores.best_scores.chunks, 0);
    EXPECT_DOUBLE_EQ(scores.best_scores.best[19],
                     0.5 * static_cast<double>(scores.best_scores.chunks));

    // chunk sums are the row's sums, flags split them as the row does
    EXPECT_EQ(scores.spans, (std::vector<int64_t>{31}));
    ASSERT_EQ(scores.chunk_flags.size(), 31u);
    const RowScores& own = scores.rows.at({RowKind::kOwn});
    Nats all, with_pool, gold;
    for (size_t c = 0; c < own.per_chunk.size(); ++c) {
        const Nats one{own.per_chunk[c], scores.chunk_tokens[c]};
        all.add(one);
        if (scores.chunk_flags[c] != '.') with_pool.add(one);
        if (scores.chunk_flags[c] == '1') gold.add(one);
    }
    EXPECT_EQ(all.tokens, own.all.tokens);
    EXPECT_NEAR(all.sum, own.all.sum, 1e-6);
    EXPECT_EQ(with_pool.tokens, own.with_pool.tokens);
    EXPECT_EQ(gold.tokens, own.gold_retrieved.tokens);
    EXPECT_NEAR(gold.sum, own.gold_retrieved.sum, 1e-6);

    // where only every other chunk was scored, the others are not judged
    options.sources.targets = [](std::span<const int32_t> inputs, int64_t) {
        train::ChunkLists lists;
        lists.width = 1;
        for (size_t i = 0; i < inputs.size() / 4; ++i) lists.chunk.push_back(i % 2 == 0 ? 0 : -1);
        lists.score.assign(inputs.size() / 4, 0.5f);
        return std::optional(lists);
    };
    const DocumentScores half =
        score_document(model, kTinyVocabulary, some_text(120), options, at::kCPU);
    EXPECT_LT(half.rankings.at("own").chunks, scores.rankings.at("own").chunks);
    EXPECT_EQ(half.rankings.at("own").chunks, half.rankings.at("own").with_gold);
    EXPECT_NE(half.chunk_flags.find('-'), std::string::npos);
    EXPECT_EQ(half.rows.at({RowKind::kOwn}).with_pool.tokens, with_pool.tokens);

    options.sources.targets = [](std::span<const int32_t>, int64_t) {
        return std::optional<train::ChunkLists>();
    };
    EXPECT_THROW(score_document(model, kTinyVocabulary, some_text(120), options, at::kCPU), Error);
}

}  // namespace
}  // namespace rpt::eval
