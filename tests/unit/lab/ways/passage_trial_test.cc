// Passages of made documents, read by sessions over a fake engine.
#include "lab/ways/passage_trial.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "core/model/reading.h"
#include "core/reader/mass_search.h"
#include "lab/ways/rounded_states.h"
#include "storage/codec/state_codec.h"
#include "tests/unit/reader/mass_twin.h"

namespace rpt::ways {
namespace {

std::string sentences(int n) {
    std::string out;
    for (int i = 0; i < n; ++i)
        out += (i % 3 == 0   ? "the chunk of the document reads what the reader wrote; "
                : i % 3 == 1 ? "Gr\xC3\xBC\xC3\x9F"
                               "e aus K\xC3\xB6ln on and on "
                             : "for (int i = 0; i < n; ++i) ") +
               std::to_string(i * 7919 % 1000) + " ";
    return out;
}

class Passages : public testing::Test {
  protected:
    Passages() {
        engine_ = reader::frozen_engine(true, model::kReadUpper);
        engine_->mutable_config().stride = 64;
        path_ = testing::TempDir() + "rpt_ways_" +
                testing::UnitTest::GetInstance()->current_test_info()->name() + ".jsonl";
        std::ofstream out(path_);
        out << "{\"id\": \"short\", \"text\": \"too little\"}\n";
        for (const int n : {60, 70, 80})
            out << "{\"id\": \"d" << n << "\", \"text\": \"" << sentences(n) << "\"}\n";
    }
    ~Passages() override { std::remove(path_.c_str()); }
    std::vector<Passage> read(int64_t piece = 24) const {
        return read_passages(*engine_->tokenizer(), {2, 700, 500, piece}, {"made=" + path_});
    }

    std::shared_ptr<fakes::FakeEngine> engine_;
    std::string path_;
};

TEST_F(Passages, are_the_first_tokens_of_documents_that_are_long_enough) {
    const std::vector<Passage> passages = read();
    ASSERT_EQ(passages.size(), 2u);
    EXPECT_EQ(passages[0].id, "d60");
    EXPECT_EQ(passages[1].id, "d70");
    for (const Passage& passage : passages) {
        EXPECT_EQ(passage.corpus, "made");
        const auto tokens = engine_->tokenizer()->encode(passage.context + passage.scored());
        EXPECT_NEAR(double(tokens.size()), 700, 2);
        EXPECT_NEAR(double(engine_->tokenizer()->encode(passage.context).size()), 500, 8);
        EXPECT_GE(passage.pieces.size(), 6u);
        EXPECT_TRUE(sentences(70).starts_with(passage.context + passage.scored()));
    }
    EXPECT_THROW(read_passages(*engine_->tokenizer(), {2, 1 << 16, 500, 64}, {"made=" + path_}),
                 Error);
    EXPECT_THROW(read_passages(*engine_->tokenizer(), {2, 700, 500, 64}, {path_}), Error);
}

TEST_F(Passages, pieces_have_the_tokens_of_the_whole) {
    const std::vector<Passage> passages = read();
    for (const Passage& passage : passages) {
        reader::SessionOptions options;
        options.reading = model::kReadCopy;
        reader::Session whole(engine_, nullptr, {}, options), parts(engine_, nullptr, {}, options);
        whole.read(passage.context);
        parts.read(passage.context);
        const reader::Score want = whole.score(passage.scored(), true);
        reader::Score sum;
        for (const std::string& piece : passage.pieces) {
            const reader::Score score = parts.score(piece, true);
            EXPECT_LE(score.tokens, 40u);
            sum.tokens += score.tokens;
            sum.nats += score.nats;
            parts.read(piece);
        }
        EXPECT_EQ(sum.tokens, want.tokens);
        EXPECT_NEAR(sum.nats, want.nats, 1e-3);
    }
}

TEST_F(Passages, ways_say_what_sessions_say) {
    const std::vector<Passage> passages = read();
    const Passage& passage = passages[1];
    PassageTrial trial(engine_, with_rounded_states(engine_), passage);
    const auto nats_of = [&](const char* way) {
        const Tried tried = trial.run(parse_way(way));
        EXPECT_EQ(tried.tokens, trial.run(parse_way("none")).tokens) << way;
        EXPECT_GE(tried.seconds, 0);
        return tried.nats;
    };
    // what was read before is read without chunks
    const auto session_says = [&](uint32_t reading, bool no_memory, uint32_t k = 2) {
        const reader::MassSearch by_mass(*engine_, nullptr, {});
        const auto chooser = std::make_shared<TurnedChooser>();
        reader::SessionOptions options;
        options.reading = reading;
        options.chooser = chooser;
        reader::Session session(engine_, nullptr, {}, options);
        session.read(passage.context);
        session.score("", true);
        chooser->turn_to(&by_mass, k);
        return session.score(passage.scored(), no_memory).nats;
    };
    const double none = session_says(model::kReadCopy, true);
    EXPECT_EQ(nats_of("none"), none);
    EXPECT_EQ(nats_of("copy"), session_says(model::kReadCopy, false));
    EXPECT_NE(nats_of("copy"), none);
    EXPECT_NEAR(nats_of("upper:nothing"), none, 1e-3);
    EXPECT_EQ(nats_of("upper"), session_says(model::kReadUpper, false));
    EXPECT_EQ(nats_of("upper@5"), session_says(model::kReadUpper, false, 5));
    EXPECT_EQ(nats_of("upper,copy"), session_says(model::kReadUpper | model::kReadCopy, false));
    // who chooses, how much and from what makes a difference
    std::vector<double> all{none};
    for (const char* way :
         {"upper", "upper@5", "upper:bm25", "upper:oracle", "upper:random", "upper:4bit", "text",
          "text@1", "text:bm25", "text:nothing", "upper,copy"}) {
        all.push_back(nats_of(way));
        EXPECT_EQ(nats_of(way), all.back()) << way;
        for (size_t i = 0; i + 1 < all.size(); ++i) EXPECT_NE(all[i], all.back()) << way << i;
    }
}

TEST_F(Passages, text_asks_for_every_piece) {
    const std::vector<Passage> passages = read();
    const Passage& passage = passages[0];
    PassageTrial trial(engine_, engine_, passage);
    reader::SessionOptions options;
    options.reading = model::kReadText;
    reader::Session session(engine_, nullptr, {}, options);
    session.read(passage.context);
    double nats = 0;
    for (const std::string& piece : passage.pieces) {
        nats += session.score(piece, false).nats;
        session.read(piece);
    }
    EXPECT_EQ(trial.run(parse_way("text")).nats, nats);
}

TEST_F(Passages, rounded_states_are_those_that_a_store_gives_back) {
    const auto rounded = with_rounded_states(engine_);
    EXPECT_EQ(rounded->config().dim, engine_->config().dim);
    EXPECT_EQ(rounded->fingerprint(), engine_->fingerprint());
    const std::vector<int32_t> tokens{1, 2, 3, 4, 5, 6};
    const auto dim = static_cast<uint32_t>(engine_->config().dim);
    const auto expect_rounded = [&](const auto& exact, const auto& made) {
        ASSERT_EQ(exact.size(), made.size());
        for (size_t i = 0; i < made.size(); ++i) {
            EXPECT_EQ(made[i].states,
                      storage::decode_states(storage::encode_states(exact[i].states, dim,
                                                                    storage::StateCodec::kInt4, 0),
                                             dim, 64));
            EXPECT_NE(made[i].states, exact[i].states);
            EXPECT_EQ(made[i].pointers, exact[i].pointers);
        }
    };
    expect_rounded(engine_->encode_segment({}, tokens), rounded->encode_segment({}, tokens));
    const auto a = engine_->new_stream(), b = rounded->new_stream();
    expect_rounded(a->advance_lower(tokens), b->advance_lower(tokens));
    for (const auto& stream : {a.get(), b.get()}) {
        stream->set_neighbours(0, {});
        std::vector<float> logits(static_cast<size_t>(engine_->config().vocab));
        stream->advance_upper(logits);
    }
    const auto c = b->fork();
    EXPECT_EQ(c->position(), 6u);
    expect_rounded(a->advance_lower(tokens), c->advance_lower(tokens));
}

}  // namespace
}  // namespace rpt::ways
