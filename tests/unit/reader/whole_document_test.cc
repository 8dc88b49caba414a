// A session's score of a document against the plain way: the training forward over all of it, with
// the best chunks by score picked one by one.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/reader/session.h"
#include "lab/engine/torch_factory.h"
#include "lab/network/rpt_model.h"
#include "lab/network/upper_reading.h"
#include "tests/fakes/fake_engine.h"
#include "tests/unit/reader/tiny_model.h"

namespace rpt::reader {

namespace {

// The K best of the chunks that chunk i may retrieve: [1, l, K], -1 where there are fewer.
at::Tensor best_neighbours(const model::RptModel& model, const model::LowerOutput& low) {
    const model::ModelConfig& c = model.config();
    const at::Tensor scores = model.retrieval_scores(low)[0];
    const int64_t chunks = scores.size(0);
    at::Tensor best = at::full({1, chunks, c.neighbours}, -1, at::kLong);
    for (int64_t i = 0; i < chunks; ++i) {
        std::vector<std::pair<float, int64_t>> pool;
        for (int64_t j = 0; j <= model::last_retrievable(c, i); ++j)
            pool.emplace_back(-scores[i][j].item<float>(), j);
        std::sort(pool.begin(), pool.end());
        for (size_t k = 0; k < pool.size() && k < size_t(c.neighbours); ++k)
            best[0][i][int64_t(k)] = pool[k].second;
    }
    return best;
}

double nats_of_whole_document(const model::RptModel& model, std::vector<int64_t> ids) {
    const c10::NoGradGuard no_grad;
    const int64_t read = int64_t(ids.size()) - 1, s = model.config().stride;
    const at::Tensor next = at::tensor(std::vector<int64_t>(ids.begin() + 1, ids.end()));
    ids.resize(size_t((read + s - 1) / s * s), 0);  // no token sees the padding behind it
    const model::LowerOutput low = model.lower(at::tensor(ids).unsqueeze(0));
    const at::Tensor hidden = model.upper(low, best_neighbours(model, low))[0];
    return model.token_nll(hidden.narrow(0, 0, read), next).sum().item<double>();
}

}  // namespace

TEST(whole_document, session_scores_as_the_training_forward) {
    std::string text;
    for (int i = 0; i < 12; ++i)
        text +=
            "the reader " + std::to_string(i * i) + " reads the chunk " + std::to_string(i) + "; ";
    model::ModelConfig weighed = tiny_model_config();
    weighed.retrieval = model::RetrievalKind::kGca;
    weighed.cca_fuse = model::CcaFuse::kWeighted;
    weighed.augment = false;
    model::ModelConfig biased = weighed;
    biased.cca_fuse = model::CcaFuse::kBias;
    model::ModelConfig counted = tiny_model_config();
    counted.key_features = 80;
    for (const model::ModelConfig& config : {tiny_model_config(), weighed, biased, counted}) {
        const model::RptModel model(config, 7);
        const std::string path = testing::TempDir() + "reader_whole_document.safetensors";
        save_tiny_model(model, path);
        const auto engine = engine::open_torch_engine(path, {});
        std::vector<int64_t> ids{engine->tokenizer()->bos()};
        for (const text::Token& token : engine->tokenizer()->encode(text)) ids.push_back(token.id);
        const Score score = Session(engine, nullptr, {}, {}).score(text, false);
        ASSERT_EQ(score.tokens, ids.size() - 1);
        // the own past keeps its states in fp16
        EXPECT_NEAR(score.nats / double(score.tokens),
                    nats_of_whole_document(model, ids) / double(score.tokens), 2e-4);
        EXPECT_GT(std::abs(score.nats - Session(engine, nullptr, {}, {}).score(text, true).nats),
                  0.01);
    }
}

// A frozen decoder copies from its own past; where the text is cut into context and question
// changes nothing.
TEST(whole_document, frozen_model_copies_alike_however_the_text_is_cut) {
    std::string text;
    for (int i = 0; i < 12; ++i)
        text +=
            "the reader " + std::to_string(i * i) + " reads the chunk " + std::to_string(i) + "; ";
    for (const int64_t layer : {1, 3}) {
        model::ModelConfig config = tiny_model_config();
        config.retrieval = model::RetrievalKind::kPointer;
        config.cca_layers.clear();
        config.pointer_layer = layer;
        config.pointer_width = 12;
        config.sink = true;
        const std::string path = testing::TempDir() + "reader_frozen_model.safetensors";
        save_tiny_model(model::RptModel(config, 7), path);
        const auto engine = engine::open_torch_engine(path, {});
        const Score whole = Session(engine, nullptr, {}, {}).score(text, false);
        EXPECT_GT(std::abs(whole.nats - Session(engine, nullptr, {}, {}).score(text, true).nats),
                  0.01);
        for (size_t cut = text.find(' ', 50); cut != text.npos; cut = text.find(' ', cut + 60)) {
            const Score first = Session(engine, nullptr, {}, {}).score(text.substr(0, cut), false);
            Session session(engine, nullptr, {}, {});
            for (const char c : text.substr(0, cut)) session.read(std::string_view(&c, 1));
            const Score second = session.score(text.substr(cut), false);
            ASSERT_EQ(first.tokens + second.tokens, whole.tokens);
            EXPECT_NEAR(first.nats + second.nats, whole.nats, 1e-4 * double(whole.tokens)) << cut;
        }
    }
}

// Chunks read through the upper layers: with those that the session tells, one mask over the whole
// document gives its scores; and where the text is cut changes nothing.
TEST(whole_document, frozen_model_reads_upper_as_one_mask_over_the_document) {
    std::string text;
    for (int i = 0; i < 12; ++i)
        text +=
            "the reader " + std::to_string(i * i) + " reads the chunk " + std::to_string(i) + "; ";
    for (const int64_t layer : {1, 3}) {
        model::ModelConfig config = tiny_model_config();
        config.retrieval = model::RetrievalKind::kPointer;
        config.cca_layers.clear();
        config.pointer_layer = layer;
        config.pointer_width = 12;
        config.sink = true;
        config.reading = kReadUpper;
        const model::RptModel model(config, 7);
        const std::string path = testing::TempDir() + "reader_upper_model.safetensors";
        save_tiny_model(model, path);
        const auto engine = engine::open_torch_engine(path, {});
        std::vector<int64_t> ids{engine->tokenizer()->bos()};
        for (const text::Token& token : engine->tokenizer()->encode(text)) ids.push_back(token.id);

        std::vector<std::vector<uint64_t>> read;  // by the tokens of each chunk
        size_t total = 0;
        const Score whole =
            Session(engine, nullptr, {}, {}).score(text, false, {}, [&](const ScoredChunk& chunk) {
                read.emplace_back();
                for (const RetrievedChunk& hit : *chunk.hits)
                    read.back().push_back(hit.info.ordinal);
                total += read.back().size();
            });
        EXPECT_GT(total, 20u);
        const c10::NoGradGuard no_grad;
        const int64_t n = int64_t(ids.size()) - 1, m = config.chunk;
        const at::Tensor next = at::tensor(std::vector<int64_t>(ids.begin() + 1, ids.end()));
        ids.resize(size_t((n + config.stride - 1) / config.stride * config.stride), 0);
        const at::Tensor low = model.lower_hidden(at::tensor(ids).unsqueeze(0))[0];
        std::vector<std::vector<at::Tensor>> texts;  // what chunk u found, read by chunk u + 1
        for (size_t u = 1; u < read.size(); ++u) {
            texts.emplace_back();
            for (const uint64_t chunk : read[u])
                texts.back().push_back(low.narrow(0, int64_t(chunk) * m, 2 * m));
        }
        texts.resize(size_t(low.size(0) / m));
        const at::Tensor sink = model.lower_hidden(at::tensor({ids[0]}).unsqueeze(0))[0];
        const at::Tensor hidden =
            model::upper_reading_slow(config, model.weights(), low, sink, texts).narrow(0, 0, n);
        EXPECT_NEAR(whole.nats / double(n),
                    model.token_nll(hidden, next).sum().item<double>() / double(n), 2e-4);
        EXPECT_GT(std::abs(whole.nats - Session(engine, nullptr, {}, {}).score(text, true).nats),
                  0.01);
        for (size_t cut = text.find(' ', 50); cut != text.npos; cut = text.find(' ', cut + 60)) {
            const Score first = Session(engine, nullptr, {}, {}).score(text.substr(0, cut), false);
            Session session(engine, nullptr, {}, {});
            for (const char c : text.substr(0, cut)) session.read(std::string_view(&c, 1));
            const Score second = session.score(text.substr(cut), false);
            ASSERT_EQ(first.tokens + second.tokens, whole.tokens);
            EXPECT_NEAR(first.nats + second.nats, whole.nats, 1e-4 * double(whole.tokens)) << cut;
        }
    }
}

}  // namespace rpt::reader
