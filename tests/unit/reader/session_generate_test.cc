#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "core/text/utf8_gate.h"
#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {

using GenerateTest = SessionFixture;

TEST_F(GenerateTest, session_afterwards_equals_delivered_text) {
    const std::string prompt = long_text();
    for (uint32_t n : {0u, 1u, 5u, 60u, 150u}) {
        auto s = session_after(prompt);
        Told told;
        const GenerateResult result = s->generate(greedy(n), into(told));
        EXPECT_EQ(result.bytes, told.text.size());
        EXPECT_EQ(s->offset(), prompt.size() + told.text.size());
        EXPECT_EQ(fingerprint(*s), fingerprint(*session_after(prompt + told.text))) << n;
    }
}

TEST_F(GenerateTest, delivers_whole_code_points_only) {
    // The fake model says any byte; what is no UTF-8 becomes U+FFFD.
    GenerateOptions options = greedy(300);
    options.temperature = 3;
    for (uint64_t seed = 1; seed < 20; ++seed) {
        options.seed = seed;
        Told told;
        session_after("abc")->generate(options, into(told));
        for (const std::string& piece : told.pieces)
            EXPECT_EQ(text::valid_utf8_prefix(piece), piece.size());
    }
    // A code point over three tokens arrives as one piece.
    const std::string sun = "\xE2\x98\x89";
    script("abc", "x" + sun);
    Told told;
    session_after("abc")->generate(greedy(50), into(told));
    EXPECT_EQ(told.text, "x" + sun);
    EXPECT_EQ(told.pieces.back(), sun);
    // One that is cut by the end is not delivered.
    Told cut;
    session_after("abc")->generate(greedy(3), into(cut));
    EXPECT_EQ(cut.text, "x");
}

TEST_F(GenerateTest, stop_strings_end_before_themselves) {
    const struct {
        const char* text;
        std::vector<std::string> stop;
        const char* want;
        Finish finish;
        uint32_t index;
    } table[] = {
        {"one stop here. two", {"here"}, "one stop ", Finish::kStop, 0},
        {"one stop here. two", {"zzz", "p h"}, "one sto", Finish::kStop, 1},
        {"one stop here. two", {"twosome"}, "one stop here. two", Finish::kEos, 0},
        {"a\n\nb", {"\n\n"}, "a", Finish::kStop, 0},
        {"K\xC3\xB6ln", {"\xC3\xB6"}, "K", Finish::kStop, 0},
    };
    for (const auto& row : table) {
        script("abc;", row.text);
        GenerateOptions options = greedy(100);
        options.stop = row.stop;
        Told told;
        auto s = session_after("abc;");
        const GenerateResult result = s->generate(options, into(told));
        EXPECT_EQ(told.text, row.want);
        EXPECT_EQ(result.finish, row.finish);
        if (row.finish == Finish::kStop) {
            EXPECT_EQ(result.stop_index, row.index);
        }
        engine_->script = nullptr;
        EXPECT_EQ(fingerprint(*s), fingerprint(*session_after(std::string("abc;") + row.want)));
    }
}

TEST_F(GenerateTest, length_delivers_what_a_stop_string_held_back) {
    script("abc;", "one stop");
    GenerateOptions options = greedy(100);
    options.stop = {"stopping"};
    options.max_tokens = uint32_t(engine_->tokenizer()->encode("one stop").size());
    Told told;
    EXPECT_EQ(session_after("abc;")->generate(options, into(told)).finish, Finish::kLength);
    EXPECT_EQ(told.text, "one stop");
}

TEST_F(GenerateTest, same_seed_gives_same_text) {
    GenerateOptions options = greedy(40);
    options.temperature = 1;
    options.top_p = 0.9f;
    std::set<std::string> texts;
    for (uint64_t seed : {1, 2, 3}) {
        options.seed = seed;
        Told a, b;
        session_after(long_text())->generate(options, into(a));
        session_after(long_text())->generate(options, into(b));
        EXPECT_EQ(a.text, b.text);
        texts.insert(a.text);
    }
    EXPECT_EQ(texts.size(), 3u);
}

TEST_F(GenerateTest, every_way_to_end_leaves_the_session_with_what_was_delivered) {
    const std::string prompt = long_text();
    for (int at : {1, 2, 5, 9}) {
        for (int way = 0; way < 4; ++way) {
            auto s = session_after(prompt);
            std::atomic<bool> cancel = false;
            std::string delivered;
            int events = 0;
            const GenerateSink sink = [&](const GenerateEvent& event) {
                if (event.type == GenerateEvent::Type::kText) delivered += event.text;
                if (++events < at) return 0;
                if (way == 0) cancel = true;
                if (way == 3) throw std::runtime_error("the host throws");
                return way == 1 ? 1 : way == 2 ? -1 : 0;
            };
            GenerateResult result;
            Status status = Status::kOk;
            try {
                s->generate(greedy(100), sink, result, CallControl(&cancel, 0));
            } catch (const Error& error) {
                status = error.status();
            } catch (const std::runtime_error&) {
                status = Status::kInternal;
            }
            const Status want[] = {Status::kCancelled, Status::kOk, Status::kCallback,
                                   Status::kInternal};
            EXPECT_EQ(status, want[way]);
            EXPECT_EQ(result.finish, way == 1 ? Finish::kHost : Finish::kNone);
            EXPECT_EQ(result.bytes, delivered.size());
            EXPECT_GE(result.tokens, delivered.empty() ? 0u : 1u);
            EXPECT_LE(result.tokens, 100u);
            EXPECT_GT(result.total_us, 0);
            EXPECT_GT(result.retrievals, 0u);
            EXPECT_EQ(fingerprint(*s), fingerprint(*session_after(prompt + delivered)));
        }
    }
}

TEST_F(GenerateTest, every_event_tells_how_many_tokens_came_before_it) {
    const int32_t x = engine_->tokenizer()->encode("x").front().id;
    engine_->script = [x](std::span<const int32_t>) { return x; };
    for (const char* stop : {"never", "xxxxy"}) {
        GenerateOptions options = greedy(60);
        options.stop = {stop};
        uint64_t bytes = 0, hits = 0, last = 0;
        const uint64_t held = stop[0] == 'x' ? 4 : 0;  // a stop string may begin with them
        session_after(long_text())->generate(options, [&](const GenerateEvent& event) {
            bytes += event.text.size();
            hits += event.hits != nullptr;
            if (event.type == GenerateEvent::Type::kText) {
                EXPECT_EQ(event.at_token, std::min<uint64_t>(bytes + held, 60));
            }
            EXPECT_GE(event.at_token, last);
            last = event.at_token;
            return 0;
        });
        EXPECT_EQ(bytes, 60u);
        EXPECT_EQ(last, 60u);
        EXPECT_GT(hits, 1u);
    }
}

TEST_F(GenerateTest, every_failure_of_the_device_leaves_the_session_with_what_was_delivered) {
    const std::string prompt = long_text();
    for (int n = 1; n < 120; n += 5) {
        auto s = session_after(prompt);
        Told told;
        engine_->calls_to_failure = n;
        status_of([&] { s->generate(greedy(30), into(told)); });
        engine_->calls_to_failure = 0;
        ASSERT_EQ(fingerprint(*s), fingerprint(*session_after(prompt + told.text))) << n;
    }
}

TEST_F(GenerateTest, hits_told_are_those_that_the_model_was_given) {
    auto s = session_after(long_text());
    Told told;
    s->score("", false);  // feeds the context up to the question's part
    engine_->neighbours_set.clear();
    const GenerateResult result = s->generate(greedy(60), into(told));
    ASSERT_FALSE(told.hits.empty());
    EXPECT_EQ(told.hits[0].at_token, 0u);
    EXPECT_EQ(told.hits[0].text_before, 0u);
    // The last sets of the call belong to the last events, one each; gates are hashes of the states
    // that were set.
    const auto& sets = engine_->neighbours_set;
    ASSERT_GE(sets.size(), told.hits.size());
    const size_t shift = sets.size() - told.hits.size();
    for (size_t i = 0; i < told.hits.size(); ++i) {
        const auto& given = sets[shift + i].second;
        ASSERT_EQ(told.hits[i].chunks.size(), given.size());
        for (size_t k = 0; k < given.size(); ++k)
            EXPECT_EQ(told.hits[i].chunks[k].gate, float(given[k] % 1000) / 1000.0f);
        if (i > 1) {
            EXPECT_EQ(told.hits[i].at_token - told.hits[i - 1].at_token, 4u);
        }
    }
    EXPECT_EQ(result.retrievals, sets.size());
}

TEST_F(GenerateTest, text_shorter_than_a_chunk_asks_the_spaces_all_the_same) {
    Told told;
    auto s = session_after("ab");
    const GenerateResult result = s->generate(greedy(1), into(told));
    ASSERT_FALSE(told.hits.empty());
    EXPECT_EQ(told.hits[0].at_token, 0u);
    EXPECT_EQ(result.retrievals, 1u);
    ASSERT_FALSE(engine_->neighbours_set.empty());
    EXPECT_EQ(engine_->neighbours_set[0].first, UINT64_MAX);
    EXPECT_EQ(engine_->neighbours_set[0].second.size(), told.hits[0].chunks.size());
}

// What retrieve() shows is what the first token is read with, wherever the text ends in its chunk.
TEST_F(GenerateTest, unfinished_chunk_asks_with_the_latest_tokens) {
    const std::string text = long_text();
    const auto ids = [](const std::vector<RetrievedChunk>& hits) {
        std::vector<uint64_t> out;
        for (const RetrievedChunk& hit : hits) out.push_back(hit.info.chunk_id);
        return out;
    };
    SessionOptions spaces_only;
    spaces_only.self_memory = false;
    const auto asks = [&](const std::string& of) {
        auto s = session(spaces_only);
        s->read(of);
        const std::vector<uint64_t> shown = ids(s->retrieve({}));
        Told told;
        s->generate(greedy(1), into(told));
        EXPECT_EQ(ids(told.hits.at(0).chunks), shown);
        return shown;
    };
    const auto tokens = engine_->tokenizer()->encode(text);
    size_t bytes = 0, changed = 0;
    std::vector<uint64_t> before;
    for (size_t i = 0; i < 40; ++i) {  // the text's first i + 1 tokens stand behind <|bos|>
        bytes += tokens[i].size;
        if ((text[bytes] & 0xC0) == 0x80) continue;  // inside a code point
        const std::vector<uint64_t> found = asks(text.substr(0, bytes));
        changed += (i + 2) % 4 != 0 && found != before;
        before = found;
    }
    EXPECT_GT(changed, 10u);  // else only chunks that closed had asked
}

TEST_F(GenerateTest, no_memory_gives_no_neighbours) {
    auto s = session_after(long_text());
    GenerateOptions options = greedy(40);
    options.no_memory = true;
    Told told;
    s->score("", false);  // feeds the context up to the question's part
    engine_->neighbours_set.clear();
    EXPECT_EQ(s->generate(options, into(told)).retrievals, 0u);
    EXPECT_TRUE(told.hits.empty());
    for (const auto& [chunk, set] : engine_->neighbours_set) EXPECT_TRUE(set.empty());
    EXPECT_NE(told.text, generate(*session_after(long_text()), 40));
}

TEST_F(GenerateTest, deleted_document_vanishes_from_the_next_chunk_on) {
    SessionOptions spaces_only;
    spaces_only.self_memory = false;
    auto s = session(spaces_only);
    s->read(long_text());
    bool deleted = false;
    const GenerateSink sink = [&](const GenerateEvent& event) {
        if (event.type != GenerateEvent::Type::kHits) return 0;
        for (const RetrievedChunk& hit : *event.hits) EXPECT_FALSE(deleted && hit.info.key == "a");
        if (event.at_token > 8 && !deleted) {
            space_->delete_document("a");
            deleted = true;
        }
        return 0;
    };
    s->generate(greedy(60), sink);
    EXPECT_TRUE(deleted);
}

TEST_F(GenerateTest, document_deleted_between_search_and_use_is_left_out) {
    auto s = session_after(long_text());
    store_->after_search = [&] {
        if (space_->find_document("a")) space_->delete_document("a");
    };
    Told told;
    s->generate(greedy(30), into(told));
    for (const auto& hits : told.hits)
        for (const RetrievedChunk& hit : hits.chunks) EXPECT_NE(hit.info.key, "a");
}

TEST_F(GenerateTest, filter_of_the_question_governs_the_chunk_that_asks) {
    GenerateOptions options = greedy(30);
    options.retrieve.filter.exclude_key = "a";
    options.retrieve.k = 3;
    Told told;
    session_after(long_text())->generate(options, into(told));
    ASSERT_FALSE(told.hits.empty());
    for (const auto& hits : told.hits) {
        EXPECT_EQ(hits.chunks.size(), 3u);
        for (const RetrievedChunk& hit : hits.chunks) EXPECT_NE(hit.info.key, "a");
    }
}

TEST_F(GenerateTest, empty_session_continues_from_the_begin) {
    EXPECT_FALSE(generate(*session(), 20).empty());
}

TEST_F(GenerateTest, refuses_bad_options_and_changes_nothing) {
    auto s = session_after("abc");
    GenerateOptions options = greedy(5);
    options.stop = {""};
    EXPECT_EQ(status_of([&] { s->generate(options, {}); }), Status::kArgument);
    options = greedy(5);
    options.top_p = -1;
    EXPECT_EQ(status_of([&] { s->generate(options, {}); }), Status::kArgument);
    EXPECT_EQ(s->offset(), 3u);
}

}  // namespace rpt::reader
