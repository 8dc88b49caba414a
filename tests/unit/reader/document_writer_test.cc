#include "core/reader/document_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/half.h"
#include "tests/unit/reader/writer_fixture.h"

namespace rpt::reader {

using DocumentWriterTest = WriterFixture;

namespace {

const std::string kText =
    "the chunk of the document reads what the reader wrote; the window moves on, and then "
    "\xE6\x97\xA5 again.";

// The plain twin: every segment by itself, with the last tokens of all that stand before it.
std::vector<storage::ChunkRecord> chunks_slow(const fakes::FakeEngine& engine,
                                              const std::string& text, size_t context_tokens) {
    const size_t m = size_t(engine.config().chunk);
    std::vector<uint64_t> borders = text::segment_borders_slow(text, fakes::kSmallBorders);
    borders.push_back(text.size());
    std::vector<storage::ChunkRecord> out;
    std::vector<int32_t> all;
    uint64_t begin = 0;
    for (const uint64_t end : borders) {
        const auto tokens = engine.tokenizer()->encode(text.substr(begin, end - begin));
        const size_t n_chunks = std::min(context_tokens, all.size() + 1) / m;
        std::vector<int32_t> context, own;
        std::vector<uint64_t> ends;  // in the document
        if (n_chunks == 0) {
            own.push_back(engine.tokenizer()->bos());
            ends.push_back(begin);
        } else {
            context.push_back(engine.tokenizer()->bos());
            context.insert(context.end(), all.end() - ptrdiff_t(n_chunks * m - 1), all.end());
        }
        uint64_t at = begin;
        for (const text::Token& token : tokens) {
            own.push_back(token.id);
            all.push_back(token.id);
            ends.push_back(at += token.size);
        }
        uint64_t from = begin;
        for (engine::EncodedChunk& chunk : engine.encode_segment(context, own)) {
            const size_t first = size_t(chunk.index) * m, last = first + chunk.n_tokens;
            storage::ChunkRecord record;
            record.bytes = {from, ends[last - 1]};
            from = ends[last - 1];
            record.tokens.assign(own.begin() + ptrdiff_t(first), own.begin() + ptrdiff_t(last));
            record.key = std::move(chunk.key);
            record.states = std::move(chunk.states);
            out.push_back(std::move(record));
        }
        begin = end;
    }
    return out;
}

// States of one chunk within what int8 with a scale a token can hold.
void expect_near(const std::vector<float>& got, const std::vector<float>& want, size_t dim) {
    ASSERT_EQ(got.size(), want.size());
    for (size_t row = 0; row < want.size(); row += dim) {
        float most = 0;
        for (size_t i = row; i < row + dim; ++i) most = std::max(most, std::abs(want[i]));
        for (size_t i = row; i < row + dim; ++i) ASSERT_NEAR(got[i], want[i], most / 200);
    }
}

bool any_provisional(const fakes::StoredDocument& document) {
    return std::ranges::any_of(document.chunks, &storage::ChunkRecord::provisional);
}

}  // namespace

TEST_F(DocumentWriterTest, chunks_hold_segments_with_their_context) {
    for (const std::string& text : {kText, sentences(1), sentences(30), std::string("a"),
                                    std::string(900, 'a'), std::string(500, '\n')}) {
        auto doc = writer();
        doc->append(text);
        const storage::DocumentInfo info = doc->finish();
        const fakes::StoredDocument got = document();
        const auto want = chunks_slow(*engine_, text, store_->model().context_tokens);
        ASSERT_EQ(got.chunks.size(), want.size());
        for (size_t i = 0; i < want.size(); ++i) {
            EXPECT_EQ(got.chunks[i].bytes, want[i].bytes);
            EXPECT_EQ(got.chunks[i].tokens, want[i].tokens);
            EXPECT_FALSE(got.chunks[i].provisional);
            for (size_t k = 0; k < want[i].key.size(); ++k)
                ASSERT_EQ(got.chunks[i].key[k], from_half(to_half(want[i].key[k])));
            expect_near(got.chunks[i].states, want[i].states, size_t(engine_->config().dim));
        }
        EXPECT_EQ(got.text, text);
        EXPECT_TRUE(info.finished);
        EXPECT_EQ(info.bytes_searchable, text.size());
        EXPECT_EQ(info.content_hash, Sha256().update(text.data(), text.size()).finish());
    }
}

TEST_F(DocumentWriterTest, flush_with_tail_exposes_everything_provisionally) {
    auto doc = writer();
    doc->append("the chunk of the rea");
    storage::DocumentInfo info = doc->flush(true);
    EXPECT_EQ(info.bytes_searchable, 20u);
    EXPECT_TRUE(document().chunks.back().provisional);
    doc->append("der");
    info = doc->flush(true);
    EXPECT_EQ(info.bytes_searchable, 23u);
    info = doc->flush(false);
    EXPECT_LT(info.bytes_searchable, 23u);
    EXPECT_FALSE(any_provisional(document()));
    info = doc->finish();
    EXPECT_EQ(info.bytes_searchable, 23u);
    EXPECT_FALSE(any_provisional(document()));
    EXPECT_EQ(fakes::difference(document(), fresh("the chunk of the reader")), "");
}

TEST_F(DocumentWriterTest, flush_without_news_encodes_and_commits_nothing) {
    auto doc = writer();
    doc->append(sentences(9));
    for (const bool tail : {false, true}) {
        doc->flush(tail);
        const uint64_t tokens = engine_->tokens_encoded;
        const int commits = store_->commits;
        doc->flush(tail);
        EXPECT_EQ(engine_->tokens_encoded, tokens);
        EXPECT_EQ(store_->commits, commits);
    }
}

TEST_F(DocumentWriterTest, closed_segments_stay_as_they_are_while_the_text_grows) {
    const std::string text = sentences(20);
    const fakes::StoredDocument want = fresh(text);
    auto doc = writer();
    for (size_t at = 0; at < text.size(); at += 37) {
        doc->append(text.substr(at, 37));
        doc->flush(at % 2 == 0);
        const fakes::StoredDocument now = fakes::read_document(*space_, "doc");
        uint64_t chunk = 0;
        for (size_t i = 0; i + 1 < now.segments.size(); ++i) {
            ASSERT_EQ(now.segments[i].identity, want.segments[i].identity);
            for (const uint64_t end = chunk + now.segments[i].chunks; chunk < end; ++chunk) {
                ASSERT_EQ(now.chunks[chunk].key, want.chunks[chunk].key);
                ASSERT_EQ(now.chunks[chunk].states, want.chunks[chunk].states);
            }
        }
    }
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), want), "");
}

TEST_F(DocumentWriterTest, early_commits_leave_the_same_document) {
    store_->commit_bytes = 700;
    auto doc = writer();
    doc->append(sentences(40));
    EXPECT_GT(store_->commits, 5);
    doc->finish();
    store_->commit_bytes = 0;
    EXPECT_EQ(fakes::difference(document(), fresh(sentences(40))), "");
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

TEST_F(DocumentWriterTest, invalid_utf8_is_told_with_its_offset_in_a_resumed_document) {
    const std::string text = sentences(9);
    auto doc = writer();
    doc->append(text);
    doc->finish();
    doc.reset();
    doc = resumed();
    EXPECT_EQ(doc->bytes_accepted(), text.size());
    doc->append("ab\xC3");
    try {
        doc->append("\xA9xy\xFFz");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.offset(), int64_t(text.size()) + 6);
    }
}

TEST_F(DocumentWriterTest, lossy_spans_and_text_are_the_original_bytes) {
    const std::string bytes = "the \xFF chunk \xE6\x97 reads\xC3";
    auto doc = writer("doc", Mode::kReplace);
    doc->append(bytes);
    const storage::DocumentInfo info = doc->finish();
    const fakes::StoredDocument stored = document();
    EXPECT_EQ(stored.text, bytes);
    EXPECT_EQ(info.bytes_searchable, bytes.size());
    std::vector<int32_t> ids;
    uint64_t end = 0;
    for (const storage::ChunkRecord& record : stored.chunks) {
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
    store_->commits_to_failure = 1;
    EXPECT_EQ(status_of([&] { doc->flush(true); }), Status::kNoSpace);
    EXPECT_FALSE(space_->find_document("doc"));
    doc->flush(true);
    store_->commits_to_failure = 1;
    EXPECT_EQ(status_of([&] { doc->finish(); }), Status::kNoSpace);
    EXPECT_EQ(status_of([&] { doc->append("x"); }), Status::kState);
    EXPECT_EQ(status_of([&] { doc->flush(false); }), Status::kState);
    EXPECT_EQ(status_of([&] { doc->splice({0, 1}, "x"); }), Status::kState);
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh(kText)), "");
    EXPECT_EQ(status_of([&] { doc->append("x"); }), Status::kState);
    EXPECT_EQ(status_of([&] { doc->finish(); }), Status::kState);
}

TEST_F(DocumentWriterTest, same_text_under_another_key_encodes_nothing) {
    const std::string text = sentences(25);
    auto doc = writer("first");
    doc->append(text);
    doc->finish();
    const uint64_t tokens = engine_->tokens_encoded, chunks = store_->stats().chunks;
    EXPECT_GT(tokens, 0u);
    auto again = writer("second");
    for (size_t at = 0; at < text.size(); at += 100) again->append(text.substr(at, 100));
    const storage::DocumentInfo info = again->finish();
    EXPECT_EQ(engine_->tokens_encoded, tokens);
    EXPECT_EQ(store_->stats().chunks, chunks);
    EXPECT_EQ(info.chunks, document("first").info.chunks);
    EXPECT_EQ(fakes::difference(document("second"), document("first")), "");
}

TEST_F(DocumentWriterTest, another_owner_shares_nothing) {
    const std::string text = sentences(25);
    auto doc = writer();
    doc->append(text);
    doc->finish();
    const uint64_t tokens = engine_->tokens_encoded;
    for (const auto& [owner, collection] : {std::pair("p", "c"), std::pair("o", "d")}) {
        const uint64_t before = engine_->tokens_encoded;
        const auto other = store_->open_space(owner, collection, true);
        auto theirs = writer_in(other, "doc");
        theirs->append(text);
        theirs->finish();
        EXPECT_EQ(engine_->tokens_encoded - before, tokens);
        EXPECT_EQ(fakes::difference(fakes::read_document(*other, "doc"), document()), "");
    }
}

TEST_F(DocumentWriterTest, a_kept_and_a_discarded_text_share_nothing) {
    auto doc = writer("kept");
    doc->append(sentences(5));
    doc->finish();
    const uint64_t tokens = engine_->tokens_encoded;
    auto secret = writer("secret", Mode::kRefuse, true);
    secret->append(sentences(5));
    secret->finish();
    EXPECT_EQ(engine_->tokens_encoded, 2 * tokens);
    EXPECT_EQ(status_of([&] { space_->read_text("secret", 0, 1); }), Status::kUnsupported);
    EXPECT_EQ(document("kept").text, sentences(5));
    secret.reset();
    EXPECT_EQ(status_of([&] { resumed("secret"); }), Status::kUnsupported);
}

TEST_F(DocumentWriterTest, periodic_text_is_encoded_once) {
    auto doc = writer();
    doc->append(std::string(20 * 200, 'a'));
    doc->finish();
    const uint64_t tokens = engine_->tokens_encoded;
    // The first two segments have contexts of their own, the last may be shorter.
    EXPECT_LE(tokens, 5 * 201u);
    EXPECT_EQ(fakes::difference(document(), fresh(std::string(20 * 200, 'a'))), "");
}

TEST_F(DocumentWriterTest, segment_lost_before_its_commit_is_encoded_after_all) {
    const std::string text = sentences(7);  // fewer segments than a deletion takes at once
    const fakes::StoredDocument want = fresh(text);
    ASSERT_LE(want.segments.size(), 16u);
    for (const bool flushes : {false, true}) {
        auto first = writer("first");
        first->append(text);
        first->finish();
        first.reset();
        const uint64_t tokens = engine_->tokens_encoded;
        auto doc = writer();
        doc->append(text);
        if (flushes) doc->flush(true);
        EXPECT_LE(engine_->tokens_encoded - tokens, flushes ? 201u : 0u);
        store_->before_commit = [&] {
            if (space_->find_document("first")) space_->delete_document("first");
        };
        doc->finish();
        store_->before_commit = {};
        EXPECT_FALSE(space_->find_document("first"));
        EXPECT_EQ(fakes::difference(document(), want), "");
        if (!flushes) {
            EXPECT_GT(engine_->tokens_encoded - tokens, 100u);
        }
        doc.reset();
        space_->delete_document("doc");
    }
}

TEST_F(DocumentWriterTest, every_failure_of_the_device_leaves_a_writer_that_goes_on) {
    const std::string text = sentences(6);
    const fakes::StoredDocument want = fresh(text);
    for (int n = 1;; ++n) {
        space_ = store_->open_space("round " + std::to_string(n), "c", true);
        auto doc = writer();
        engine_->calls_to_failure = n;
        bool failed = status_of([&] { doc->append(text); }) == Status::kDevice;
        EXPECT_EQ(doc->bytes_accepted(), text.size());
        failed |= status_of([&] { doc->finish(); }) == Status::kDevice;
        engine_->calls_to_failure = 0;
        const auto info = space_->find_document("doc");
        if (!info || !info->finished) doc->finish();
        ASSERT_EQ(fakes::difference(document(), want), "") << n;
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

TEST_F(DocumentWriterTest, append_cancelled_on_the_way_is_taken_up_again) {
    const std::string text = sentences(20);
    for (int n = 1; n < 12; ++n) {
        auto doc = writer();
        int reports = 0;
        const CallControl control(nullptr, 0, [&](uint64_t, uint64_t) { return ++reports < n; });
        EXPECT_EQ(status_of([&] { doc->append(text, control); }), Status::kCancelled);
        EXPECT_EQ(doc->bytes_accepted(), text.size());
        doc->finish();
        ASSERT_EQ(fakes::difference(document(), fresh(text)), "");
    }
}

TEST_F(DocumentWriterTest, model_without_a_retriever_writes_no_documents) {
    engine_->mutable_config().retrieval = model::RetrievalKind::kNone;
    EXPECT_EQ(status_of([&] { writer(); }), Status::kUnsupported);
}

}  // namespace rpt::reader
