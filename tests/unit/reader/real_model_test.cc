// The laws of the reader once more, with a random LibTorch model and a store on disk.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "core/engine/engine_factory.h"
#include "core/reader/document_writer.h"
#include "core/reader/segment_encoder.h"
#include "core/reader/session.h"
#include "tests/fakes/stored_document.h"
#include "tests/fakes/watched_store.h"
#include "tests/unit/reader/tiny_model.h"

namespace rpt::reader {

namespace {

namespace fs = std::filesystem;

std::string some_text(int from, int n) {
    std::string text;
    for (int i = from; i < from + n; ++i)
        text += "the reader " + std::to_string(i * i) + " reads the chunk " + std::to_string(i) +
                "; \xE6\x97\xA5\xE6\x9C\xAC and the window moves on. ";
    return text;
}

class RealModelTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        const std::string path = testing::TempDir() + "reader_tiny_model.safetensors";
        save_tiny_model(model::RptModel(tiny_model_config(), 7), path);
        engine_ = new std::shared_ptr<const engine::Engine>(engine::open_engine(path, {}));
    }
    static void TearDownTestSuite() {
        delete engine_;
        engine_ = nullptr;
    }
    void SetUp() override {
        folder_ = testing::TempDir() + "reader_store_" +
                  testing::UnitTest::GetInstance()->current_test_info()->name();
        fs::remove_all(folder_);
        open(folder_, true);
        write("a", {some_text(0, 9)});
        write("b", {some_text(100, 9)});
    }
    void TearDown() override {
        space_.reset();
        store_.reset();
        fs::remove_all(folder_);
    }
    void open(const std::string& folder, bool create) {
        storage::StoreOptions options;
        options.create = create;
        options.durability = storage::Durability::kNormal;
        options.model = storage::ModelBinding{
            engine()->fingerprint(), uint32_t(engine()->config().dim),
            uint32_t(engine()->config().chunk), fakes::context_tokens_of(*engine())};
        store_ = storage::Store::open(folder, options);
        space_ = store_->open_space("o", "c", create);
    }
    static const std::shared_ptr<const engine::Engine>& engine() { return *engine_; }

    storage::DocumentInfo write(const std::string& key, const std::vector<std::string>& pieces,
                                bool flushes = false) {
        storage::DocumentSpec spec;
        spec.key = key;
        DocumentWriter writer(engine(), space_, spec, text::Utf8Gate::Mode::kRefuse,
                              store_->model().context_tokens, fakes::kSmallBorders);
        for (size_t i = 0; i < pieces.size(); ++i) {
            writer.append(pieces[i]);
            if (flushes && i % 5 == 0) writer.flush(i % 2 == 0);
        }
        return writer.finish();
    }
    std::unique_ptr<Session> session() {
        return std::make_unique<Session>(engine(), store_,
                                         std::vector<std::shared_ptr<storage::Space>>{space_},
                                         SessionOptions{});
    }
    std::unique_ptr<Session> session_after(std::string_view text) {
        auto out = session();
        out->read(text);
        return out;
    }
    static std::string generate(Session& from, uint32_t n) {
        std::string text;
        GenerateOptions options;
        options.max_tokens = n;
        from.generate(options, [&](const GenerateEvent& event) {
            if (event.type == GenerateEvent::Type::kText) text += event.text;
            return 0;
        });
        return text;
    }
    static std::vector<std::string> pieces_of(const std::string& text, std::mt19937& random,
                                              size_t most) {
        std::vector<std::string> pieces;
        for (size_t at = 0; at < text.size(); at += pieces.back().size())
            pieces.push_back(text.substr(at, 1 + random() % most));
        return pieces;
    }
    // What a search finds and what a greedy run says.
    struct Answer {
        std::vector<std::tuple<bool, uint64_t, uint64_t, float>> hits;
        std::string text;
        bool operator==(const Answer&) const = default;
    };
    Answer answer(const std::string& prompt) {
        Answer out;
        auto s = session_after(prompt);
        RetrieveOptions options;
        options.k = 6;
        for (const RetrievedChunk& hit : s->retrieve(options))
            out.hits.emplace_back(hit.own, hit.info.chunk_id, hit.info.ordinal, hit.score);
        out.text = generate(*s, 40);
        return out;
    }

    static std::shared_ptr<const engine::Engine>* engine_;
    std::string folder_;
    std::shared_ptr<storage::Store> store_;
    std::shared_ptr<storage::Space> space_;
};

std::shared_ptr<const engine::Engine>* RealModelTest::engine_ = nullptr;

}  // namespace

TEST_F(RealModelTest, documents_do_not_depend_on_splits) {
    std::mt19937 random(3);
    const std::string text = some_text(20, 6);
    const storage::DocumentInfo want = write("whole", {text});
    EXPECT_EQ(want.bytes_searchable, text.size());
    const fakes::StoredDocument stored = fakes::read_document(*space_, "whole");
    for (int split = 0; split < 24; ++split) {
        const std::string key = "doc";
        space_ = store_->open_space("split " + std::to_string(split), "c", true);
        const storage::DocumentInfo info =
            write(key, pieces_of(text, random, split % 2 ? 60 : 9), split % 3 == 0);
        EXPECT_EQ(info.content_hash, want.content_hash);
        ASSERT_EQ(fakes::difference(fakes::read_document(*space_, key), stored), "") << split;
    }
}

// What was flushed of an open segment came out of shorter passes than the whole segment.
TEST_F(RealModelTest, long_segment_does_not_depend_on_flushes) {
    const std::string text = some_text(0, 45);
    std::vector<fakes::StoredDocument> documents;
    for (const bool flushes : {false, true}) {
        space_ = store_->open_space(flushes ? "flushed" : "whole", "c", true);
        storage::DocumentSpec spec;
        spec.key = "doc";
        DocumentWriter writer(engine(), space_, spec, text::Utf8Gate::Mode::kRefuse,
                              store_->model().context_tokens, {4000, 16384});
        for (size_t at = 0; at < text.size(); at += 400) {
            writer.append(text.substr(at, 400));
            if (flushes) writer.flush(true);
        }
        writer.finish();
        documents.push_back(fakes::read_document(*space_, "doc"));
    }
    EXPECT_EQ(documents[0].segments.size(), 1u);
    EXPECT_EQ(fakes::difference(documents[1], documents[0]), "");
}

TEST_F(RealModelTest, documents_do_not_depend_on_changes) {
    std::mt19937 random(5);
    for (int round = 0; round < 12; ++round) {
        // A space of its own: nothing of another round is there to be shared.
        space_ = store_->open_space("round " + std::to_string(round), "c", true);
        std::string text = some_text(20 * round, 6);
        storage::DocumentSpec spec;
        spec.key = "changed";
        {
            DocumentWriter writer(engine(), space_, spec, text::Utf8Gate::Mode::kRefuse,
                                  store_->model().context_tokens, fakes::kSmallBorders);
            writer.append(text);
            writer.flush(round % 2 == 0);
            for (int i = 0; i < 4; ++i) {
                const size_t at = text.find(' ', random() % (text.size() - 40));
                const std::string bytes = i % 3 == 0 ? "" : " and " + std::to_string(random());
                writer.splice({at, at + size_t(i % 2)}, bytes);
                text.replace(at, size_t(i % 2), bytes);
                writer.append("more");
                text += "more";
            }
            writer.finish();
        }
        const fakes::StoredDocument changed = fakes::read_document(*space_, "changed");
        space_ = store_->open_space("fresh " + std::to_string(round), "c", true);
        write("fresh", {text});
        ASSERT_EQ(fakes::difference(changed, fakes::read_document(*space_, "fresh")), "") << round;
    }
}

TEST_F(RealModelTest, states_made_again_are_bit_equal) {
    const fakes::StoredDocument want = fakes::read_document(*space_, "a");
    const SegmentEncoder encoder(*engine(), store_->model().context_tokens);
    size_t at = 0;
    for (const storage::SegmentInfo& segment : want.segments) {
        const auto tokens = store_->read_segment_tokens(segment.id, 2 * encoder.context_tokens());
        ASSERT_TRUE(tokens.has_value());
        std::vector<std::vector<float>> made;
        for (engine::EncodedChunk& chunk : encoder.again(tokens->context, tokens->tokens))
            made.push_back(std::move(chunk.states));
        for (const auto& states : store_->restore_states(segment.id, made))
            EXPECT_EQ(*states, want.chunks.at(at++).states);
    }
    EXPECT_EQ(at, want.chunks.size());
    EXPECT_GT(want.segments.size(), 3u);
}

TEST_F(RealModelTest, sessions_do_not_depend_on_splits_and_rewinds) {
    std::mt19937 random(4);
    const std::string text = some_text(40, 8);
    auto whole = session_after(text);
    const double want_nats = whole->score(" the window", false).nats;
    const std::string want = generate(*whole, 30);
    for (int split = 0; split < 10; ++split) {
        auto s = session();
        for (const std::string& piece : pieces_of(text, random, split % 2 ? 90 : 12))
            s->read(piece);
        EXPECT_EQ(s->score(" the window", false).nats, want_nats);
        s->read(" other words that go away again, and more of them");
        s->rewind(text.size());
        ASSERT_EQ(generate(*s, 30), want) << split;
    }
}

TEST_F(RealModelTest, score_of_two_parts_adds_up) {
    const std::string text = some_text(60, 5), more = " and the chunk of the reader";
    const Score whole = session()->score(text + "x" + more, false);
    const Score first = session()->score(text + "x", false),
                second = session_after(text + "x")->score(more, false);
    EXPECT_EQ(first.tokens + second.tokens, whole.tokens);
    EXPECT_NEAR(first.nats + second.nats, whole.nats, 1e-4 * double(whole.tokens));
}

TEST_F(RealModelTest, reader_finds_the_document_it_is_asked_about) {
    const std::string text = some_text(100, 4);
    const auto hits = retrieve(*engine(), {space_}, *store_, text, {});
    ASSERT_EQ(hits.size(), 2u);
    EXPECT_EQ(space_->find_document(hits[0].info.key).has_value(), true);
    auto s = session_after(text);
    space_->delete_document("b");
    s->generate({}, [&](const GenerateEvent& event) {
        if (event.type == GenerateEvent::Type::kHits) {
            for (const RetrievedChunk& hit : *event.hits) EXPECT_NE(hit.info.key, "b");
        }
        return 0;
    });
}

TEST_F(RealModelTest, reopened_store_gives_same_answers) {
    const std::string prompt = some_text(3, 7);
    const Answer want = answer(prompt);
    EXPECT_EQ(want.hits.size(), 6u);
    space_.reset();
    store_.reset();
    open(folder_, false);
    EXPECT_EQ(answer(prompt), want);
}

TEST_F(RealModelTest, store_as_a_kill_leaves_it_gives_same_answers) {
    const std::string prompt = some_text(3, 7);
    const Answer want = answer(prompt);
    // A writer is in the middle of a document; what the files hold now is what a kill would leave.
    storage::DocumentSpec spec;
    spec.key = "unfinished";
    DocumentWriter writer(engine(), space_, spec, text::Utf8Gate::Mode::kRefuse,
                          store_->model().context_tokens, fakes::kSmallBorders);
    writer.append(some_text(200, 5));
    const std::string copy = folder_ + "_killed";
    fs::remove_all(copy);
    fs::copy(folder_, copy, fs::copy_options::recursive);
    open(copy, false);
    EXPECT_EQ(answer(prompt), want);
    EXPECT_FALSE(space_->find_document("unfinished").has_value());
    space_.reset();
    store_.reset();
    fs::remove_all(copy);
}

}  // namespace rpt::reader
