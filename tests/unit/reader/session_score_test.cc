#include <gtest/gtest.h>

#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {

using ScoreTest = SessionFixture;

namespace {

const char* kMore =
    " and the chunk of the reader wrote the document; the window moves on, on and on, 7 8 9.";

}  // namespace

TEST_F(ScoreTest, score_of_two_parts_adds_up_at_token_borders) {
    const std::string text = long_text() + kMore;
    const Score whole = session()->score(text, false);
    EXPECT_EQ(whole.bytes, text.size());
    EXPECT_EQ(whole.tokens, engine_->tokenizer()->encode(text).size());
    for (size_t cut = 0; cut <= text.size(); ++cut) {
        // Before a space every cut is a border of this tokenizer's pieces, and the parts tokenise
        // as the whole does.
        if (cut != 0 && cut != text.size() && (text[cut] != ' ' || text[cut - 1] == ' ')) continue;
        const std::string a = text.substr(0, cut), b = text.substr(cut);
        const Score first = session()->score(a, false), second = session_after(a)->score(b, false);
        EXPECT_EQ(first.tokens + second.tokens, whole.tokens) << cut;
        EXPECT_NEAR(first.nats + second.nats, whole.nats, 1e-9 * whole.nats) << cut;
    }
}

TEST_F(ScoreTest, token_across_the_border_counts_for_the_text) {
    const auto& tokenizer = *engine_->tokenizer();
    ASSERT_EQ(tokenizer.encode(" the").size(), 1u);
    const Score score = session_after("on th")->score("e", false);
    EXPECT_EQ(score.tokens, 1u);
    EXPECT_NEAR(score.nats, session_after("on")->score(" the", false).nats, 1e-9);
}

TEST_F(ScoreTest, session_is_unchanged) {
    auto s = session_after(long_text());
    s->score(kMore, false);
    s->score(kMore, true);
    EXPECT_EQ(status_of([&] { s->score("a\xFF", false); }), Status::kUtf8);
    EXPECT_EQ(fingerprint(*s), fingerprint(*session_after(long_text())));
}

TEST_F(ScoreTest, no_memory_withdraws_neighbours_from_the_last_whole_chunk_on) {
    auto s = session_after(long_text());
    s->score("", false);  // feeds the context up to the question's part
    engine_->neighbours_set.clear();
    const Score without = s->score(kMore, true);
    EXPECT_EQ(without.retrievals, 0u);
    ASSERT_FALSE(engine_->neighbours_set.empty());
    const size_t n_whole = (1 + engine_->tokenizer()->encode(long_text()).size()) / 4;
    EXPECT_LE(engine_->neighbours_set.front().first, n_whole - 1);
    for (const auto& [chunk, set] : engine_->neighbours_set) EXPECT_TRUE(set.empty());
    EXPECT_NE(without.nats, s->score(kMore, false).nats);
}

TEST_F(ScoreTest, chunks_add_up_to_the_whole_and_name_their_hits) {
    auto s = session_after(long_text());
    double nats = 0;
    uint64_t tokens = 0, end = long_text().size(), n = 0, with_hits = 0;
    const Score score = s->score(kMore, false, {}, [&](const ScoredChunk& chunk) {
        nats += chunk.nats;
        tokens += chunk.tokens;
        EXPECT_EQ(chunk.bytes.begin, end);
        EXPECT_LE(chunk.tokens, 4u);
        end = chunk.bytes.end;
        with_hits += !chunk.hits->empty();
        ++n;
    });
    EXPECT_EQ(tokens, score.tokens);
    EXPECT_NEAR(nats, score.nats, 1e-9 * nats);
    EXPECT_EQ(end, long_text().size() + std::string(kMore).size());
    EXPECT_EQ(with_hits, n);
    EXPECT_NEAR(session_after(long_text())->score(kMore, false).nats, score.nats, 1e-9);
}

TEST_F(ScoreTest, empty_text_scores_nothing) {
    const Score score = session_after("abc")->score("", false);
    EXPECT_EQ(score.tokens, 0u);
    EXPECT_EQ(score.nats, 0);
}

}  // namespace rpt::reader
