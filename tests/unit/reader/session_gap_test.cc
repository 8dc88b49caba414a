// Filling a gap: what the model reads, what it finds, and what the session is afterwards.
#include <gtest/gtest.h>

#include <atomic>

#include "core/reader/gap_context.h"
#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {

class GapTest : public SessionFixture {
  protected:
    static GenerateOptions with_suffix(std::string suffix, uint32_t max_tokens) {
        GenerateOptions options = greedy(max_tokens);
        options.suffix = std::move(suffix);
        return options;
    }
    std::vector<int32_t> ids(std::string_view text) const {
        std::vector<int32_t> out;
        for (const text::Token& token : engine_->tokenizer()->encode(text)) out.push_back(token.id);
        return out;
    }
    int32_t special(const char* name) const { return engine_->tokenizer()->special(name); }
    // Answers with `answer` and the end of text, and keeps what was read before.
    void record(const std::string& answer) {
        std::vector<int32_t> out = ids(answer);
        out.push_back(engine_->tokenizer()->eos());
        read_.clear();
        engine_->script = [this, out](std::span<const int32_t> tokens) {
            size_t n = tokens.size();
            while (n > 0 && tokens[n - 1] != special("<|fim_middle|>")) --n;
            if (n == 0) return -1;  // not the gap's stream, or not yet its end
            read_.assign(tokens.begin(), tokens.begin() + ptrdiff_t(n));
            return tokens.size() - n < out.size() ? out[tokens.size() - n] : -1;
        };
    }
    std::vector<int32_t> layout(const std::vector<int32_t>& prefix,
                                const std::vector<int32_t>& suffix) const {
        std::vector<int32_t> out{engine_->tokenizer()->bos(), special("<|fim_prefix|>")};
        out.insert(out.end(), prefix.begin(), prefix.end());
        out.push_back(special("<|fim_suffix|>"));
        out.insert(out.end(), suffix.begin(), suffix.end());
        out.push_back(special("<|fim_middle|>"));
        return out;
    }

    std::vector<int32_t> read_;
};

TEST_F(GapTest, model_reads_prefix_suffix_and_the_middle_token) {
    record("i < n");
    auto s = session_after("for (");
    Told told;
    const GenerateResult result = s->generate(with_suffix("; ++i)", 5), into(told));
    EXPECT_EQ(read_, layout(ids("for ("), ids("; ++i)")));
    EXPECT_EQ(told.text, "i < n");
    EXPECT_EQ(result.finish, Finish::kEos);
    EXPECT_EQ(s->offset(), 10u);
    record("x");
    Told empty;
    session()->generate(with_suffix("; ++i)", 5), into(empty));
    EXPECT_EQ(read_, layout({}, ids("; ++i)")));
    EXPECT_EQ(empty.text, "x");
}

TEST_F(GapTest, parts_share_the_window_and_take_what_the_other_leaves) {
    // S = 16: 32 positions, less 4 and the answer's room.
    const std::string text = long_text();
    const std::vector<int32_t> all = ids(text);
    const struct {
        std::string before, behind;
        uint32_t max_tokens;
        size_t n_prefix, n_suffix;
    } table[] = {
        {text, text, 100, 14, 6},  // room 20: a third for the suffix
        {text, text, 2, 18, 8},    // a short answer leaves more: 26
        {text, "; ++i)", 2, 26 - ids("; ++i)").size(), ids("; ++i)").size()},
        {"for (", text, 100, ids("for (").size(), 20 - ids("for (").size()},
        {"", text, 100, 0, 20},
    };
    for (const auto& row : table) {
        record("x");
        session_after(row.before)->generate(with_suffix(row.behind, row.max_tokens), {});
        const std::vector<int32_t> before = ids(row.before), behind = ids(row.behind);
        EXPECT_EQ(read_, layout({before.end() - ptrdiff_t(row.n_prefix), before.end()},
                                {behind.begin(), behind.begin() + ptrdiff_t(row.n_suffix)}));
    }
}

TEST_F(GapTest, session_afterwards_equals_delivered_text) {
    const std::string prompt = long_text();
    for (const uint32_t n : {0u, 1u, 5u, 40u}) {
        auto s = session_after(prompt);
        Told told;
        const GenerateResult result = s->generate(with_suffix(" and so on", n), into(told));
        EXPECT_EQ(result.bytes, told.text.size());
        EXPECT_EQ(fingerprint(*s), fingerprint(*session_after(prompt + told.text))) << n;
    }
}

TEST_F(GapTest, answer_does_not_depend_on_how_the_text_came) {
    const std::string prompt = long_text();
    const auto answer = [&](Session& s) {
        Told told;
        s.generate(with_suffix(" and so on", 30), into(told));
        for (const auto& hits : told.hits)
            for (const RetrievedChunk& hit : hits.chunks)
                told.text += " " + std::to_string(hit.own) + std::to_string(hit.info.ordinal);
        return told.text;
    };
    const std::string want = answer(*session_after(prompt));
    auto bytes = session();
    for (const char c : prompt) bytes->read(std::string(1, c));
    EXPECT_EQ(answer(*bytes), want);
    auto back = session_after(prompt + prompt);
    back->score("", false);
    back->rewind(prompt.size());
    EXPECT_EQ(answer(*back), want);
}

TEST_F(GapTest, empty_suffix_continues) {
    Told a, b;
    session_after(long_text())->generate(with_suffix("", 30), into(a));
    session_after(long_text())->generate(greedy(30), into(b));
    EXPECT_EQ(a.text, b.text);
}

TEST_F(GapTest, finds_the_spaces_and_the_past_before_what_it_reads) {
    const std::string prompt = long_text() + long_text();
    size_t own = 0, stored = 0;
    Told told;
    GenerateOptions options = with_suffix(" the reader reads", 8);
    options.retrieve.k = 6;
    options.retrieve.with_text = true;
    const GenerateResult result = session_after(prompt)->generate(options, into(told));
    const std::vector<int32_t> all = ids(prompt), suffix = ids(options.suffix);
    const size_t n_prefix = 32 - 4 - 8 - suffix.size();
    const uint64_t begin =
        engine_->tokenizer()->decode({all.begin(), all.end() - ptrdiff_t(n_prefix)}).size();
    for (const auto& hits : told.hits) {
        for (const RetrievedChunk& hit : hits.chunks) {
            ++(hit.own ? own : stored);
            if (!hit.own) continue;
            EXPECT_LE(hit.info.bytes.end, begin);
            EXPECT_LE(hit.info.next_bytes.end, begin);
            EXPECT_FALSE(hit.info.next_bytes.empty());
            EXPECT_EQ(hit.text, prompt.substr(hit.info.bytes.begin, hit.info.bytes.size()));
        }
    }
    EXPECT_GT(own, 0u);
    EXPECT_GT(stored, 0u);
    EXPECT_GE(result.retrievals, 24u / 4);  // one a chunk of four
    EXPECT_EQ(told.hits[0].text_before, 0u);
}

TEST_F(GapTest, last_chunk_before_a_byte_has_its_successor_there_too) {
    OwnPast own(1);
    EXPECT_LT(last_chunk_before(own, 100), 0);
    for (uint64_t i = 0; i < 4; ++i) own.append({i, 1, {0}, {0}, {0}, {}}, {10 * i, 10 * i + 10});
    EXPECT_LT(last_chunk_before(own, 19), 0);
    EXPECT_EQ(last_chunk_before(own, 20), 0);
    EXPECT_EQ(last_chunk_before(own, 39), 1);
    EXPECT_EQ(last_chunk_before(own, 1000), 2);
}

TEST_F(GapTest, short_context_asks_the_spaces_before_any_chunk_is_whole) {
    Told told;
    engine_->mutable_config().chunk = 16;
    const GenerateResult result = session_after("a")->generate(with_suffix("b", 1), into(told));
    EXPECT_EQ(result.retrievals, 1u);
    ASSERT_FALSE(engine_->neighbours_set.empty());
    EXPECT_EQ(engine_->neighbours_set.back().first, UINT64_MAX);
}

TEST_F(GapTest, no_memory_gives_no_neighbours) {
    auto s = session_after(long_text());
    GenerateOptions options = with_suffix(" and so on", 20);
    options.no_memory = true;
    s->score("", false);  // feeds the context
    engine_->neighbours_set.clear();
    Told told;
    EXPECT_EQ(s->generate(options, into(told)).retrievals, 0u);
    EXPECT_TRUE(told.hits.empty());
    EXPECT_FALSE(engine_->neighbours_set.empty());
    for (const auto& [chunk, set] : engine_->neighbours_set) EXPECT_TRUE(set.empty());
}

TEST_F(GapTest, stop_strings_and_the_host_end_it_as_ever) {
    record("one stop here");
    GenerateOptions options = with_suffix(" and so on", 20);
    options.stop = {"here"};
    Told told;
    EXPECT_EQ(session_after("abc")->generate(options, into(told)).finish, Finish::kStop);
    EXPECT_EQ(told.text, "one stop ");
    const GenerateSink sink = [](const GenerateEvent&) { return 1; };
    EXPECT_EQ(session_after("abc")->generate(options, sink).finish, Finish::kHost);
}

TEST_F(GapTest, every_failure_of_the_device_leaves_the_session_with_what_was_delivered) {
    const std::string prompt = long_text();
    for (int n = 1; n < 100; n += 7) {
        auto s = session_after(prompt);
        Told told;
        engine_->calls_to_failure = n;
        status_of([&] { s->generate(with_suffix(" and so on", 12), into(told)); });
        engine_->calls_to_failure = 0;
        ASSERT_EQ(fingerprint(*s), fingerprint(*session_after(prompt + told.text))) << n;
    }
}

TEST_F(GapTest, refuses_invalid_text_and_changes_nothing) {
    auto s = session_after("abc");
    try {
        s->generate(with_suffix("ab\xff", 5), {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kUtf8);
        EXPECT_EQ(error.offset(), 2);
    }
    EXPECT_EQ(status_of([&] { s->generate(with_suffix("ab\xC3", 5), {}); }), Status::kUtf8);
    EXPECT_EQ(s->offset(), 3u);
}

TEST_F(GapTest, tokenizer_without_the_tokens_is_told) {
    text::Vocabulary bytes;
    for (int b = 0; b < 256; ++b) bytes.tokens.emplace_back(1, char(b));
    bytes.tokens.insert(bytes.tokens.end(), {"<|bos|>", "<|eos|>"});
    bytes.special = {256, 257};
    const auto engine =
        std::make_shared<fakes::FakeEngine>(text::Tokenizer::from_vocabulary(bytes));
    Session s(engine, nullptr, {}, {});
    s.read("abc");
    try {
        s.generate(with_suffix("def", 5), {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kUnsupported);
        EXPECT_NE(std::string(error.what()).find("tokens around a gap"), std::string::npos);
    }
    EXPECT_EQ(s.offset(), 3u);
    EXPECT_GT(s.generate(greedy(3), {}).tokens, 0u);
}

}  // namespace rpt::reader
