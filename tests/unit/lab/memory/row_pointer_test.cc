#include "lab/memory/row_pointer.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "lab/train/counter_random.h"
#include "tests/unit/lab/eval/tiny_row.h"
#include "tests/unit/lab/memory/made_documents.h"

namespace rpt::memory {
namespace {

model::ModelConfig row_of(model::RetrievalKind kind) {
    model::ModelConfig config = eval::tiny_row();
    config.retrieval = kind;
    if (kind == model::RetrievalKind::kNone) config.cca_layers.clear();
    return config;
}

// Says the same 40 tokens again and again.
std::vector<int32_t> repeating_text(int64_t n, bool ends) {
    std::vector<int32_t> text;
    for (int64_t i = 0; i < n; ++i)
        text.push_back(static_cast<int32_t>(3 + train::draw_below(4, 0, i % 40, 61)));
    if (ends) text.push_back(1);
    return text;
}

eval::RowScores scores_of(const model::RptModel& model, std::span<const int32_t> text,
                          eval::RowKind kind, const eval::EvalSources& sources = {}) {
    eval::EvalOptions options;
    options.span = 64;
    options.rows = {{kind}};
    options.per_chunk = true;
    options.sources = sources;
    return eval::score_document(model, eval::kTinyVocabulary, text, options, at::kCPU)
        .rows.at({kind});
}

RowPointer some_pointer(const model::RptModel& model, std::span<const int32_t> text, float bias) {
    RowPointer out;
    out.layer = 2;
    out.weights = "abc";
    out.parameters = untrained(
        {cache_span(eval::read_span(model, eval::kTinyVocabulary, text, out.layer), 8, "", "")}, 8,
        64);
    const at::NoGradGuard guard;
    out.parameters.bias.fill_(bias);
    return out;
}

TEST(RowPointer, a_span_is_read_as_an_evaluation_reads_it) {
    const std::map<model::RetrievalKind, eval::RowKind> kinds = {
        {model::RetrievalKind::kNone, eval::RowKind::kNone},
        {model::RetrievalKind::kGiven, eval::RowKind::kBm25},
        {model::RetrievalKind::kLambdaRank, eval::RowKind::kOwn}};
    const std::vector<int32_t> text = repeating_text(61, true);  // two tokens of padding
    for (const auto& [kind, usual] : kinds) {
        const model::RptModel model(row_of(kind), 3);
        const auto reading = eval::read_span(model, eval::kTinyVocabulary, text, 3);
        ASSERT_EQ(reading.nll.size(0), 62);
        EXPECT_NEAR(reading.nll.sum().item<double>(), scores_of(model, text, usual).all.sum, 1e-3);
        EXPECT_EQ(reading.nll[61].item<float>(), 0);  // the end of the text is not predicted
        EXPECT_GT(reading.entropy.min().item<float>(), 0);
        EXPECT_LT(reading.entropy.max().item<float>(), std::log(64.0f) + 1e-4);
        const auto before = eval::read_span(model, eval::kTinyVocabulary, text, 1);
        const auto inputs = at::tensor(
            std::vector<int64_t>(reading.span.inputs.begin(), reading.span.inputs.end()));
        const at::NoGradGuard guard;
        EXPECT_TRUE(
            before.states.equal(model.lower_hidden(inputs.unsqueeze(0))[0].narrow(0, 0, 62)));
        EXPECT_FALSE(before.states.allclose(reading.states));
        // what comes after all layers makes the predictions
        const at::Tensor last =
            model.config().final_norm
                ? reading.states *
                      at::rsqrt(reading.states.square().mean(-1, true) + model.config().norm_eps)
                : reading.states;
        const at::Tensor log_p = at::log_softmax(model.logits(last), -1);
        EXPECT_NEAR(log_p[5][text[5]].item<float>(), -reading.nll[5].item<float>(), 1e-3);
    }
}

TEST(RowPointer, keeps_each_token_that_is_predicted_and_its_state) {
    const model::RptModel model(row_of(model::RetrievalKind::kNone), 3);
    for (const bool ends : {false, true}) {
        const std::vector<int32_t> text = repeating_text(40, ends);
        const DocumentCache cache =
            cache_span(eval::read_span(model, eval::kTinyVocabulary, text, 3), 8, "corpus", "id");
        ASSERT_EQ(cache.size(), 41) << ends;
        EXPECT_EQ(cache.tokens[0].item<int64_t>(), 0);
        for (size_t t = 0; t < 40; ++t)
            EXPECT_EQ(cache.tokens[static_cast<int64_t>(t) + 1].item<int64_t>(), text[t]);
        EXPECT_EQ(cache.states.size(0), ends ? 41 : 40);
        EXPECT_EQ(cache.nll.size(0), 40);
        EXPECT_GT(cache.nll.min().item<float>(), 0);
    }
}

// Token by token, from the definition.
TEST(RowPointer, copies_from_what_has_left_the_window) {
    const DocumentCache document = repeating_document(100, 30, 16, 2);
    CopyParameters p = untrained({document}, 8, 100);
    const at::NoGradGuard guard;
    p.bias.fill_(-0.5);
    const at::Tensor nll = nll_with_pointer(p, document);
    ASSERT_EQ(nll.size(0), 99);
    const at::Tensor queries = query_rows(p, document.states), keys = key_rows(p, document.states);
    const double lambda = 1 / (1 + std::exp(0.5));  // no weight on any input
    for (int64_t t = 0; t < 99; ++t) {
        const int64_t far = (t / 16 - 1) * 16;
        double total = 0, of_next = 0;
        for (int64_t j = 0; j < far; ++j) {
            const double score = std::exp(20 * (at::dot(queries[t], keys[j]).item<double>() - 1));
            total += score;
            if (document.tokens[j + 1].equal(document.tokens[t + 1])) of_next += score;
        }
        const double p_model = std::exp(-document.nll[t].item<double>());
        const double want = far > 0 ? (1 - lambda) * p_model + lambda * of_next / total : p_model;
        EXPECT_NEAR(nll[t].item<double>(), -std::log(want), 2e-3) << t;
    }
}

TEST(RowPointer, an_evaluation_has_a_row_that_differs_behind_the_window_alone) {
    const model::RptModel model(row_of(model::RetrievalKind::kLambdaRank), 3);
    const std::vector<int32_t> text = repeating_text(150, true);
    const eval::RowScores usual = scores_of(model, text, eval::RowKind::kOwn);
    eval::EvalSources shut, open;
    add_pointer(some_pointer(model, text, -40), model.config(), "abc", "p", shut);
    add_pointer(some_pointer(model, text, 0), model.config(), "abc", "p", open);
    EXPECT_TRUE(eval::rows_of(model.config(), open).back() == eval::Row{eval::RowKind::kPointer});
    const eval::RowScores same = scores_of(model, text, eval::RowKind::kPointer, shut);
    EXPECT_EQ(same.all.tokens, usual.all.tokens);
    EXPECT_NEAR(same.all.sum, usual.all.sum, 1e-3);
    const eval::RowScores copied = scores_of(model, text, eval::RowKind::kPointer, open);
    EXPECT_LT(copied.all.sum, 0.9 * usual.all.sum);  // the text repeats itself
    // spans of 64: the two blocks of 8 at each beginning have no far tokens
    ASSERT_EQ(copied.per_chunk.size(), usual.per_chunk.size());
    for (size_t chunk = 0; chunk < 4; ++chunk)
        EXPECT_NEAR(copied.per_chunk[chunk], usual.per_chunk[chunk], 1e-3);
    EXPECT_GT(std::abs(copied.per_chunk[10] - usual.per_chunk[10]), 0.1);
    EXPECT_THROW(eval::choose_rows(model.config(), open, {"pointer@4"}, {}), Error);
    EXPECT_THROW(eval::choose_rows(model.config(), {}, {"pointer"}, {}), Error);
}

TEST(RowPointer, is_kept_in_a_file_and_belongs_to_one_model) {
    const model::RptModel model(row_of(model::RetrievalKind::kNone), 3);
    const RowPointer pointer = some_pointer(model, repeating_text(60, false), -1.5f);
    const std::string path = testing::TempDir() + "row.pointer.safetensors";
    save_pointer(pointer, "a test", path);
    const RowPointer back = load_pointer(path);
    EXPECT_EQ(back.layer, 2);
    EXPECT_EQ(back.weights, "abc");
    EXPECT_TRUE(back.parameters.query.equal(pointer.parameters.query));
    EXPECT_FLOAT_EQ(back.parameters.bias.item<float>(), -1.5f);
    eval::EvalSources sources;
    EXPECT_THROW(add_pointer(back, model.config(), "abd", path, sources), Error);
    model::ModelConfig other = model.config();
    other.n_lower = 3;
    EXPECT_THROW(add_pointer(back, other, "abc", path, sources), Error);
    EXPECT_FALSE(sources.pointer);
    std::filesystem::remove(path);
}

TEST(RowPointer, spans_lie_evenly_over_a_shard) {
    const std::string path = testing::TempDir() + "row_pointer.shard";
    train::ShardWriter writer(path, eval::kTinyVocabulary);
    for (const int64_t tokens : {25, 5, 100}) {
        const std::vector<int32_t> text(static_cast<size_t>(tokens), 3);
        train::ShardDocument document;
        document.id = std::to_string(tokens);
        document.collection = "c";
        writer.add(document, text);
    }
    writer.finish();
    const auto shard = train::Shard::open(path);
    const auto places = [&](int64_t count) {
        std::vector<std::pair<size_t, uint64_t>> out;
        for (const SpanPlace& place : span_places(*shard, count, 10))
            out.emplace_back(place.document, place.begin);
        return out;
    };
    EXPECT_EQ(places(100).size(), 12u);  // 2 + 0 + 10
    using Places = std::vector<std::pair<size_t, uint64_t>>;
    EXPECT_EQ(places(3), (Places{{2, 0}, {2, 40}, {2, 80}}));
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".json");
}

}  // namespace
}  // namespace rpt::memory
