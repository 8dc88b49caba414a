#include "core/reader/retrieval.h"

#include <gtest/gtest.h>

#include "core/reader/document_writer.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/stored_document.h"
#include "tests/fakes/watched_store.h"

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
}

}  // namespace rpt::reader
