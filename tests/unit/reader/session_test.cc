#include "core/reader/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "core/reader/memory_search.h"
#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {

using SessionTest = SessionFixture;

TEST_F(SessionTest, read_in_pieces_equals_read_at_once) {
    const std::string text = long_text();
    const std::string want = fingerprint(*session_after(text));
    for (size_t size : {1, 3, 7, 50, 1000}) {
        auto pieces = session();
        for (size_t at = 0; at < text.size(); at += size) pieces->read(text.substr(at, size));
        EXPECT_EQ(fingerprint(*pieces), want) << size;
    }
}

TEST_F(SessionTest, cut_code_point_waits_for_the_next_read) {
    auto s = session_after("gr\xC3");
    EXPECT_EQ(s->offset(), 3u);
    EXPECT_EQ(status_of([&] { generate(*s, 1); }), Status::kUtf8);
    EXPECT_EQ(status_of([&] { s->score("x", false); }), Status::kUtf8);
    EXPECT_EQ(status_of([&] { s->retrieve({}); }), Status::kUtf8);
    s->read("\xBC");
    EXPECT_EQ(fingerprint(*s), fingerprint(*session_after("gr\xC3\xBC")));
}

TEST_F(SessionTest, invalid_utf8_is_refused_and_nothing_taken) {
    auto s = session_after("ab\xC3");
    try {
        s->read(
            "\xA9"
            "cd\xFF");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kUtf8);
        EXPECT_EQ(error.offset(), 6);
    }
    EXPECT_EQ(s->offset(), 3u);
    s->rewind(2);
    EXPECT_EQ(fingerprint(*s), fingerprint(*session_after("ab")));
}

TEST_F(SessionTest, rewind_equals_never_read) {
    const std::string text = long_text();
    for (size_t back : {1, 2, 5, 30, 200, 600}) {
        auto s = session_after(text);
        const size_t to = text.size() - back;
        if ((uint8_t(text[to]) & 0xC0) == 0x80) continue;
        s->rewind(to);
        EXPECT_EQ(s->offset(), to);
        EXPECT_EQ(fingerprint(*s), fingerprint(*session_after(text.substr(0, to)))) << back;
        s->rewind(to);  // what the fingerprint has generated
        s->read(" and another end of it");
        EXPECT_EQ(fingerprint(*s),
                  fingerprint(*session_after(text.substr(0, to) + " and another end of it")));
    }
    auto s = session_after(text);
    s->rewind(0);
    EXPECT_EQ(generate(*s, 5), generate(*session(), 5));
}

TEST_F(SessionTest, rewind_near_the_end_reads_little_again) {
    std::string text;
    for (int i = 0; i < 20; ++i) text += long_text();
    auto s = session_after(text);
    const uint64_t before = engine_->tokens_fed;
    s->rewind(text.size() - 4);
    EXPECT_LE(engine_->tokens_fed - before, 16u + 4u);
}

TEST_F(SessionTest, rewind_refuses_places_that_are_none) {
    auto s = session_after("gr\xC3\xBC\xC3");
    EXPECT_EQ(status_of([&] { s->rewind(6); }), Status::kArgument);
    EXPECT_EQ(status_of([&] { s->rewind(3); }), Status::kArgument);
    s->rewind(5);
    EXPECT_EQ(s->offset(), 5u);
    s->rewind(4);
    EXPECT_EQ(s->offset(), 4u);
}

TEST_F(SessionTest, own_past_never_gives_a_chunk_inside_the_window) {
    space_->delete_document("a");
    space_->delete_document("b");
    const std::string text = long_text();
    uint64_t own_hits = 0;
    auto s = session();
    for (size_t at = 0; at < text.size(); at += 13) {
        s->read(text.substr(at, 13));
        std::vector<RetrievedChunk> hits;
        if (status_of([&] { hits = s->retrieve({}); }) != Status::kOk) continue;
        size_t n_tokens = 1 + engine_->tokenizer()->encode(text.substr(0, s->offset())).size();
        const int64_t number = int64_t(n_tokens / 4) - 1;
        for (const RetrievedChunk& hit : hits) {
            ASSERT_TRUE(hit.own);
            // Disjoint rule, 4 chunks a block: both the chunk and its successor lie before the
            // window.
            EXPECT_LE(int64_t(hit.info.ordinal), (number / 4 - 1) * 4 - 2);
            EXPECT_FALSE(hit.info.next_bytes.empty());
            ++own_hits;
        }
    }
    EXPECT_GT(own_hits, 20u);
    SessionOptions forgetful;
    forgetful.self_memory = false;
    auto f = session(forgetful);
    f->read(text);
    EXPECT_TRUE(f->retrieve({}).empty());
}

TEST_F(SessionTest, retrieve_finds_what_was_read_long_ago) {
    const std::string text = long_text() + "the reader 4 reads the chunk 2; gr";
    RetrieveOptions options;
    options.with_text = true;
    options.k = 3;
    auto s = session_after(text);
    const auto hits = s->retrieve(options);
    ASSERT_EQ(hits.size(), 3u);
    for (size_t i = 1; i < hits.size(); ++i) EXPECT_GE(hits[i - 1].score, hits[i].score);
    for (const RetrievedChunk& hit : hits) {
        if (!hit.own) continue;
        EXPECT_EQ(hit.text, text.substr(hit.info.bytes.begin, hit.info.bytes.size()));
        EXPECT_EQ(hit.next_text,
                  text.substr(hit.info.next_bytes.begin, hit.info.next_bytes.size()));
    }
    options.filter.min_score = hits[1].score;
    EXPECT_EQ(s->retrieve(options).size(), 2u);
}

// What was said last finds its chunk, though the last whole chunk is about something else.
TEST_F(SessionTest, question_at_the_end_asks_beside_the_last_chunk) {
    const std::string asked = " zq";  // in no other text
    write("note", "zq zq");
    auto s = session_after(long_text() + asked);
    SessionOptions spaces_only;
    spaces_only.self_memory = false;
    auto f = session(spaces_only);
    f->read(long_text() + asked);
    const auto has_note = [](const std::vector<RetrievedChunk>& hits) {
        return std::any_of(hits.begin(), hits.end(),
                           [](const RetrievedChunk& hit) { return hit.info.key == "note"; });
    };
    EXPECT_TRUE(has_note(f->retrieve({})));
    // no chunk comes twice, though both queries may find it
    RetrieveOptions options;
    options.k = 12;
    const auto hits = s->retrieve(options);
    std::set<std::pair<bool, uint64_t>> places;
    for (const RetrievedChunk& hit : hits)
        EXPECT_TRUE(
            places.insert({hit.own, hit.own ? hit.info.ordinal : hit.info.chunk_id}).second);
    // a cap per document holds for both together
    options.filter.max_per_document = 1;
    std::set<std::string> keys;
    for (const RetrievedChunk& hit : f->retrieve(options))
        EXPECT_TRUE(keys.insert(hit.info.key).second);
}

// A question that one stored chunk answers gets this chunk alone, any other shares the places.
TEST_F(SessionTest, stored_chunk_that_stands_out_is_read_alone) {
    const MemorySearch search(*engine_, store_.get(), {&space_, 1});
    const size_t d = size_t(engine_->config().dim);
    OwnPast own(d);
    for (uint64_t i = 0; i < 9; ++i) {
        engine::EncodedChunk chunk;
        chunk.index = i;
        chunk.key = fakes::noise(i + 900, d);
        chunk.states.resize(d);
        own.append(chunk, {});
    }
    RetrieveOptions options;
    options.k = 6;
    int alone = 0, shared = 0, own_first = 0;
    for (uint64_t i = 0; i < 300; ++i) {
        const std::vector<float> question = fakes::noise(i, d), whole = fakes::noise(i + 500, d);
        const OwnPast* past = i % 3 == 0 ? &own : nullptr;
        std::vector<std::pair<float, bool>> all;
        for (const storage::Hit& hit : store_->search({&space_, 1}, question, 8, {}))
            all.emplace_back(hit.score, false);
        ASSERT_EQ(all.size(), 8u);
        if (past != nullptr)
            for (const auto& [chunk, score] : own.search(question, 8, 8))
                all.emplace_back(score, true);
        std::sort(all.rbegin(), all.rend());
        const bool leads = all[0].first - all[1].first > all[1].first - all[7].first;
        const auto read = search.find_to_read({{question, whole}}, 8, past, options, {});
        if (leads && !all[0].second) {
            ASSERT_EQ(read.size(), 1u);
            EXPECT_EQ(read[0].score, all[0].first);
            ++alone;
        } else {
            EXPECT_EQ(read.size(), 6u);
            ++(all[0].second ? own_first : shared);
        }
        // a chunk that asks for itself is no question
        EXPECT_EQ(search.find_to_read({{question}}, 8, past, options, {}).size(), 6u);
    }
    EXPECT_GT(alone, 10);
    EXPECT_GT(shared, 10);
    EXPECT_GT(own_first, 0);
}

// Documents that hold the very question match better than anything the session has read.
TEST_F(SessionTest, own_past_keeps_half_of_the_places) {
    const std::string question = "the reader 4 reads the chunk 2; the window moves on and on;";
    for (const char* key : {"c", "d", "e", "f", "g", "h"}) write(key, key + question);
    auto s = session_after(long_text() + "c" + question);
    SessionOptions forgetful;
    forgetful.self_memory = false;
    auto f = session(forgetful);
    f->read(long_text() + "c" + question);
    const auto own_of = [](const std::vector<RetrievedChunk>& hits) {
        return std::count_if(hits.begin(), hits.end(),
                             [](const RetrievedChunk& hit) { return hit.own; });
    };
    RetrieveOptions options;
    for (const uint32_t k : {1u, 2u, 4u, 5u, 8u}) {
        options.k = k;
        const auto hits = s->retrieve(options), strange = f->retrieve(options);
        ASSERT_EQ(hits.size(), k);
        EXPECT_GE(own_of(hits), static_cast<std::ptrdiff_t>(k / 2));
        // the other places go to the best of both, in one order
        EXPECT_GE(hits[0].score, strange[0].score);
        for (size_t i = 1; i < hits.size(); ++i) EXPECT_GE(hits[i - 1].score, hits[i].score);
    }
    // by score alone a chunk of the spaces would have taken the last place of the own past
    const auto hits = s->retrieve(options), strange = f->retrieve(options);
    const auto worst_own =
        std::find_if(hits.rbegin(), hits.rend(), [](const RetrievedChunk& hit) { return hit.own; });
    ASSERT_NE(worst_own, hits.rend());
    const auto is_told = [&](const RetrievedChunk& one) {
        return std::any_of(hits.begin(), hits.end(), [&](const RetrievedChunk& hit) {
            return !hit.own && hit.info.chunk_id == one.info.chunk_id;
        });
    };
    EXPECT_TRUE(std::any_of(strange.begin(), strange.end(), [&](const RetrievedChunk& one) {
        return one.score > worst_own->score && !is_told(one);
    }));
    // a session that has not read enough leaves its places to the spaces
    options.k = 4;
    const auto early = session_after(question)->retrieve(options);
    EXPECT_EQ(early.size(), 4u);
    EXPECT_EQ(own_of(early), 0);
}

TEST_F(SessionTest, equal_scores_put_the_own_past_first_then_lower_numbers) {
    std::string
        text;  // the same tokens in every chunk: equal queries; order noise is small but there
    engine_->mutable_config().neighbours = 8;
    for (int i = 0; i < 200; ++i) text += "!";
    auto s = session_after(text);
    const auto hits = s->retrieve({});
    for (size_t i = 1; i < hits.size(); ++i) {
        if (hits[i - 1].score != hits[i].score) continue;
        EXPECT_TRUE(hits[i - 1].own >= hits[i].own);
        if (hits[i - 1].own == hits[i].own) {
            EXPECT_LT(hits[i - 1].info.ordinal, hits[i].info.ordinal);
        }
    }
}

TEST_F(SessionTest, cancelled_read_holds_what_offset_tells) {
    std::string text;
    for (int i = 0; i < 20; ++i) text += long_text();
    int reports = 0;
    auto s = session();
    const CallControl control(nullptr, 0, [&](uint64_t, uint64_t) { return ++reports < 3; });
    EXPECT_EQ(status_of([&] { s->read(text, control); }), Status::kCancelled);
    EXPECT_GT(s->offset(), 0u);
    EXPECT_LT(s->offset(), text.size());
    EXPECT_EQ(fingerprint(*s), fingerprint(*session_after(text.substr(0, s->offset()))));
}

TEST_F(SessionTest, every_failure_leaves_a_session_that_goes_on) {
    const std::string text = long_text();
    const std::string want = fingerprint(*session_after(text));
    for (int n = 1;; n += 7) {
        auto s = session();
        engine_->calls_to_failure = n;
        const Status status = status_of([&] { s->read(text); });
        engine_->calls_to_failure = 0;
        EXPECT_EQ(s->offset(), text.size());  // less than one slice
        ASSERT_EQ(fingerprint(*s), want) << n;
        if (status == Status::kOk) break;
    }
    for (int n = 1;; n += 3) {
        auto s = session();
        store_->searches_to_failure = n;
        const Status status = status_of([&] { s->read(text); });
        store_->searches_to_failure = 0;
        ASSERT_EQ(fingerprint(*s), want) << n;
        if (status == Status::kOk) break;
    }
}

TEST_F(SessionTest, retrieve_refuses_an_empty_session_and_a_model_without_retriever) {
    EXPECT_EQ(status_of([&] { session()->retrieve({}); }), Status::kArgument);
    engine_->mutable_config().retrieval = model::RetrievalKind::kNone;
    auto s = session_after("abc");
    EXPECT_EQ(status_of([&] { s->retrieve({}); }), Status::kUnsupported);
}

// A word that never ends reaches the model all the same, so that nothing is encoded again and
// again.
TEST_F(SessionTest, endless_word_is_fed_as_it_is_read) {
    std::string word(20000, 'r');
    for (size_t i = 0; i < word.size(); ++i) word[i] = "ead"[i * i % 3];
    auto whole = session_after(word);
    EXPECT_GT(engine_->tokens_fed, word.size() / 20);
    auto parts = session();
    for (size_t at = 0, n = 1; at < word.size(); at += n, n = n * 7 % 2503 + 1)
        parts->read(std::string_view(word).substr(at, n));
    EXPECT_EQ(fingerprint(*parts), fingerprint(*whole));
    whole->rewind(word.size() - 6000);
    EXPECT_EQ(fingerprint(*whole), fingerprint(*session_after(word.substr(0, word.size() - 6000))));
}

}  // namespace rpt::reader
