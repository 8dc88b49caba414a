#include "core/reader/document_writer.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/fakes/fake_engine.h"
#include "tests/fakes/fake_store.h"

namespace rpt::reader {

namespace {

class DocumentWriterTest : public testing::Test {
  protected:
    std::unique_ptr<DocumentWriter> writer(
        text::Utf8Gate::Mode mode = text::Utf8Gate::Mode::kRefuse) {
        storage::DocumentSpec spec;
        spec.key = "doc";
        spec.replace = true;
        return std::make_unique<DocumentWriter>(engine_, space_, spec, mode);
    }
    const fakes::FakeDocument& document() const { return space_->documents.at("doc"); }
    static Status status_of(const std::function<void()>& call) {
        try {
            call();
        } catch (const Error& error) {
            return error.status();
        }
        return Status::kOk;
    }

    std::shared_ptr<fakes::FakeEngine> engine_ = std::make_shared<fakes::FakeEngine>();
    fakes::FakeStore store_;
    std::shared_ptr<fakes::FakeSpace> space_ =
        std::static_pointer_cast<fakes::FakeSpace>(store_.open_space("o", "c", true));
};

const std::string kText =
    "the chunk of the document reads what the reader wrote; the window moves on, and then "
    "\xE6\x97\xA5 again.";

}  // namespace

TEST_F(DocumentWriterTest, chunks_hold_the_input_positions_and_their_bytes) {
    auto doc = writer();
    doc->append(kText);
    const storage::DocumentInfo info = doc->finish();
    // The plain twin: the whole text at once, chunk j from positions [4 j, 4 j + 4).
    std::vector<int32_t> ids{engine_->tokenizer()->bos()};
    std::vector<uint64_t> ends{0};
    for (const text::Token& token : engine_->tokenizer()->encode(kText)) {
        ids.push_back(token.id);
        ends.push_back(ends.back() + token.size);
    }
    const auto& chunks = document().chunks;
    ASSERT_EQ(chunks.size(), (ids.size() + 3) / 4);
    for (const auto& [ordinal, record] : chunks) {
        const size_t begin = ordinal * 4, end = std::min(begin + 4, ids.size());
        EXPECT_EQ(record.tokens, std::vector<int32_t>(ids.begin() + ptrdiff_t(begin),
                                                      ids.begin() + ptrdiff_t(end)));
        EXPECT_EQ(record.bytes, (ByteSpan{begin == 0 ? 0 : ends[begin - 1], ends[end - 1]}));
        EXPECT_EQ(record.states.size(), (end - begin) * 16);
        EXPECT_FALSE(record.provisional);
    }
    EXPECT_EQ(document().text, kText);
    EXPECT_TRUE(info.finished);
    EXPECT_EQ(info.bytes_searchable, kText.size());
}

TEST_F(DocumentWriterTest, flush_with_tail_exposes_everything_provisionally) {
    auto doc = writer();
    doc->append("the chunk of the rea");
    storage::DocumentInfo info = doc->flush(true);
    EXPECT_EQ(info.bytes_searchable, 20u);
    EXPECT_TRUE(document().chunks.rbegin()->second.provisional);
    doc->append("der");
    info = doc->flush(true);
    EXPECT_EQ(info.bytes_searchable, 23u);
    info = doc->flush(false);
    EXPECT_LT(info.bytes_searchable, 23u);
    for (const auto& [ordinal, record] : document().chunks) EXPECT_FALSE(record.provisional);
    info = doc->finish();
    EXPECT_EQ(info.bytes_searchable, 23u);
    for (const auto& [ordinal, record] : document().chunks) EXPECT_FALSE(record.provisional);
}

TEST_F(DocumentWriterTest, empty_document_has_no_chunks) {
    auto doc = writer();
    doc->flush(true);
    const storage::DocumentInfo info = doc->finish();
    EXPECT_EQ(info.bytes, 0u);
    EXPECT_EQ(info.chunks, 0u);
    EXPECT_TRUE(info.finished);
}

TEST_F(DocumentWriterTest, invalid_utf8_is_refused_with_its_offset_and_nothing_taken) {
    auto doc = writer();
    doc->append("ab\xC3");
    try {
        doc->append("\xA9xy\xFFz");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kUtf8);
        EXPECT_EQ(error.offset(), 6);
    }
    EXPECT_EQ(doc->bytes_accepted(), 3u);
    EXPECT_EQ(status_of([&] { doc->finish(); }), Status::kUtf8);
    doc->append("\xA9");
    doc->finish();
    EXPECT_EQ(document().text, "ab\xC3\xA9");
}

TEST_F(DocumentWriterTest, lossy_spans_and_text_are_the_original_bytes) {
    const std::string bytes = "the \xFF chunk \xE6\x97 reads\xC3";
    auto doc = writer(text::Utf8Gate::Mode::kReplace);
    doc->append(bytes);
    const storage::DocumentInfo info = doc->finish();
    EXPECT_EQ(document().text, bytes);
    EXPECT_EQ(info.bytes_searchable, bytes.size());
    std::vector<int32_t> ids;
    uint64_t end = 0;
    for (const auto& [ordinal, record] : document().chunks) {
        EXPECT_EQ(record.bytes.begin, end);
        end = record.bytes.end;
        ids.insert(ids.end(), record.tokens.begin(), record.tokens.end());
    }
    EXPECT_EQ(engine_->tokenizer()->decode(ids),
              "the \xEF\xBF\xBD chunk \xEF\xBF\xBD reads\xEF\xBF\xBD");
}

TEST_F(DocumentWriterTest, failed_flush_and_finish_can_be_tried_again) {
    auto doc = writer();
    doc->append(kText);
    store_.commits_to_failure = 1;
    EXPECT_EQ(status_of([&] { doc->flush(true); }), Status::kNoSpace);
    EXPECT_TRUE(document().chunks.empty());
    doc->flush(true);
    const size_t n_chunks = document().chunks.size();
    store_.commits_to_failure = 1;
    EXPECT_EQ(status_of([&] { doc->finish(); }), Status::kNoSpace);
    EXPECT_EQ(status_of([&] { doc->append("x"); }), Status::kState);
    doc->finish();
    EXPECT_EQ(document().chunks.size(), n_chunks);
    EXPECT_EQ(document().text, kText);
    EXPECT_EQ(status_of([&] { doc->append("x"); }), Status::kState);
    EXPECT_EQ(status_of([&] { doc->finish(); }), Status::kState);
}

TEST_F(DocumentWriterTest, every_failure_of_the_device_leaves_a_writer_that_goes_on) {
    auto want = writer();
    want->append(kText + kText);
    want->finish();
    const auto expected = document().chunks;
    for (int n = 1;; ++n) {
        auto doc = writer();
        engine_->calls_to_failure = n;
        bool failed = status_of([&] { doc->append(kText + kText); }) == Status::kDevice;
        EXPECT_EQ(doc->bytes_accepted(), 2 * kText.size());
        failed |= status_of([&] { doc->finish(); }) == Status::kDevice;
        engine_->calls_to_failure = 0;
        if (!document().finished) doc->finish();
        ASSERT_EQ(document().chunks.size(), expected.size());
        for (const auto& [ordinal, record] : expected)
            EXPECT_EQ(document().chunks.at(ordinal).states, record.states);
        if (!failed) break;
    }
}

TEST_F(DocumentWriterTest, cancelled_append_takes_nothing) {
    auto doc = writer();
    const std::atomic<bool> cancelled = true;
    EXPECT_EQ(status_of([&] { doc->append(kText, CallControl(&cancelled, 0)); }),
              Status::kCancelled);
    EXPECT_EQ(doc->bytes_accepted(), 0u);
}

TEST_F(DocumentWriterTest, model_without_a_retriever_writes_no_documents) {
    engine_->mutable_config().retrieval = model::RetrievalKind::kNone;
    EXPECT_EQ(status_of([&] { writer(); }), Status::kUnsupported);
}

}  // namespace rpt::reader
