#include "core/reader/retrieval.h"

#include <gtest/gtest.h>

#include "core/reader/document_writer.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/stored_document.h"
#include "tests/fakes/watched_store.h"
#include "tests/unit/reader/mass_twin.h"

namespace rpt::reader {

namespace {

class RetrievalTest : public testing::Test {
  protected:
    void write(const std::string& key, const std::string& text) {
        storage::DocumentSpec spec;
        spec.key = key;
        DocumentWriter writer(engine_, space_, spec, text::Utf8Gate::Mode::kRefuse,
                              store_->model().context_tokens);
        writer.append(text);
        writer.finish();
    }
    std::vector<RetrievedChunk> ask(const std::string& text, const RetrieveOptions& options = {}) {
        return retrieve(*engine_, {space_}, *store_, text, options);
    }

    std::shared_ptr<fakes::FakeEngine> engine_ = std::make_shared<fakes::FakeEngine>();
    std::shared_ptr<fakes::WatchedStore> store_ = std::make_shared<fakes::WatchedStore>(*engine_);
    std::shared_ptr<storage::Space> space_ = store_->open_space("o", "c", true);
};

const std::string kText =
    "the chunk of the document reads what the reader wrote; the window moves on ";

}  // namespace

TEST_F(RetrievalTest, finds_the_chunk_that_has_the_query_text) {
    write("a", kText);
    write("b", "return i; for (int i = 0; i < n; ++i) \\begin{align} x &= y \\\\ \\end{align}");
    RetrieveOptions options;
    options.with_text = true;
    options.legs = 1u << kLegKeys;
    // Document "a" is one segment. A question that ends where its last whole chunk does is that
    // chunk.
    const std::vector<storage::ChunkRecord> chunks = fakes::read_document(*space_, "a").chunks;
    uint64_t last_whole = 0, end = 0;
    for (uint64_t ordinal = 0; ordinal < chunks.size(); ++ordinal) {
        if (chunks[ordinal].tokens.size() != 4) continue;
        last_whole = ordinal;
        end = chunks[ordinal].bytes.end;
    }
    const auto hits = ask(kText.substr(0, end), options);
    ASSERT_EQ(hits.size(), 2u);
    EXPECT_EQ(hits[0].info.key, "a");
    EXPECT_EQ(hits[0].info.ordinal, last_whole);
    const ByteSpan bytes = hits[0].info.bytes;
    EXPECT_EQ(hits[0].text, kText.substr(bytes.begin, bytes.size()));
    EXPECT_EQ(hits[0].next_text,
              kText.substr(hits[0].info.next_bytes.begin, hits[0].info.next_bytes.size()));
    EXPECT_GE(hits[0].score, hits[1].score);
}

TEST_F(RetrievalTest, short_text_asks_with_its_unfinished_chunk) {
    write("a", "wi");
    const auto hits = ask("wi");
    ASSERT_EQ(hits.size(), 1u);
    EXPECT_EQ(hits[0].info.ordinal, 0u);
}

TEST_F(RetrievalTest, long_text_asks_with_its_last_blocks) {
    std::string text;
    for (int i = 0; i < 20; ++i) text += kText;
    write("a", text);
    EXPECT_EQ(ask(text).size(), 2u);
}

TEST_F(RetrievalTest, words_find_what_the_keys_do_not) {
    write("sea", "the harbour, the storm and the albatross above the pier ");
    write("code", "int main(int argc, char** argv) { return read_all(argv[1]); } ");
    RetrieveOptions options;
    options.legs = 1u << kLegWords;
    const auto hits = ask("Where is the ALBATROSS?", options);
    ASSERT_FALSE(hits.empty());
    EXPECT_EQ(hits[0].info.key, "sea");
    EXPECT_EQ(hits[0].legs[kLegWords].rank, 1u);
    EXPECT_EQ(hits[0].legs[kLegKeys].rank, 0u);
    options.legs = 1u << kLegDefinitions;
    const auto defined = ask("main", options);
    ASSERT_EQ(defined.size(), 1u);
    EXPECT_EQ(defined[0].info.key, "code");
    EXPECT_TRUE(ask("albatross", options).empty());
}

TEST_F(RetrievalTest, options_count_for_the_order_of_all_legs) {
    write("a", kText + kText);
    write("b", kText + "something else ");
    RetrieveOptions options;
    options.k = 1000;
    const auto all = ask(kText, options);
    ASSERT_GT(all.size(), 4u);
    for (size_t i = 0; i < all.size(); ++i) {
        EXPECT_GT(all[i].score, 0);
        EXPECT_LE(all[i].score, i == 0 ? 1 : all[i - 1].score);
    }
    options.filter.min_score = all[2].score;
    const auto few = ask(kText, options);
    EXPECT_GE(few.size(), 3u);
    EXPECT_LT(few.size(), all.size());
    options.filter.min_score.reset();
    options.filter.max_per_document = 1;
    EXPECT_EQ(ask(kText, options).size(), 2u);
    options.filter.max_per_document = 0;
    options.filter.exclude_key = "a";
    for (const RetrievedChunk& hit : ask(kText, options)) EXPECT_EQ(hit.info.key, "b");
}

class FrozenRetrievalTest : public RetrievalTest {
  protected:
    FrozenRetrievalTest() {
        space_.reset();
        store_.reset();
        engine_ = frozen_engine(true, 0);
        store_ = std::make_shared<fakes::WatchedStore>(*engine_);
        space_ = store_->open_space("o", "c", true);
    }
};

TEST_F(FrozenRetrievalTest, states_rank_what_other_legs_found) {
    EXPECT_EQ(legs_of(engine_->config()), kAllLegs);
    write("a", kText);
    write("b", "nothing of this kind stands here, only words about the weather ");
    RetrieveOptions options;
    options.k = 100;
    options.legs = 1u << kLegStates;
    const auto alone = ask("the chunk of the document", options);
    ASSERT_FALSE(alone.empty());
    double sum = 0;
    for (size_t i = 0; i < alone.size(); ++i) {
        EXPECT_EQ(alone[i].legs[kLegStates].rank, i + 1);
        EXPECT_EQ(alone[i].legs[kLegWords].rank, 0u);
        sum += double(alone[i].legs[kLegStates].score);
    }
    EXPECT_NEAR(sum, 1, 1e-4);
    options.legs = kAllLegs;
    for (const RetrievedChunk& hit : ask("the chunk of the document", options)) {
        const bool short_listed = std::ranges::any_of(
            hit.legs, [](const LegPlace& place) { return place.rank > 0 && place.rank <= 32; });
        EXPECT_TRUE(short_listed);
    }
}

TEST_F(RetrievalTest, refuses_what_cannot_be_asked) {
    const auto status_of = [&](const std::function<void()>& call) {
        try {
            call();
        } catch (const Error& error) {
            return error.status();
        }
        return Status::kOk;
    };
    EXPECT_EQ(status_of([&] { ask(""); }), Status::kArgument);
    EXPECT_EQ(status_of([&] { ask("a\xFF"); }), Status::kUtf8);
    EXPECT_EQ(status_of([&] { retrieve(*engine_, {}, *store_, "a", {}); }), Status::kArgument);
    RetrieveOptions states;
    states.legs = 1u << kLegStates;
    EXPECT_EQ(status_of([&] { ask("a", states); }), Status::kUnsupported);
}

}  // namespace rpt::reader
