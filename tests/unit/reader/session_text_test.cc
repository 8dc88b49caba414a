// Sessions that paste the text of chunks, against a slow twin that builds the context by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/half.h"
#include "core/reader/copy_mixture.h"
#include "core/reader/mass_search.h"
#include "tests/unit/reader/mass_twin.h"
#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {
namespace {

const char* kMore = " and the window moves on";

class SessionText : public SessionFixture, public testing::WithParamInterface<bool> {
  protected:
    SessionText() {
        engine_ = frozen_engine(GetParam(), kReadText);
        engine_->mutable_config().stride = 64;  // a window of 128
        store_ = std::make_shared<fakes::WatchedStore>(*engine_);
        space_ = store_->open_space("o", "c", true);
    }
    std::unique_ptr<Session> session_of(Spaces spaces, const SessionOptions& options = {}) {
        return std::make_unique<Session>(engine_, store_, std::move(spaces), options);
    }
    std::vector<int32_t> ids_of(std::string_view text) const {
        std::vector<int32_t> ids{engine_->tokenizer()->bos()};
        for (const text::Token& token : engine_->tokenizer()->encode(text)) ids.push_back(token.id);
        return ids;
    }
    // Logits of every token; keys and queries of its pointers.
    struct Passed {
        std::vector<std::vector<float>> logits, keys, queries;
    };
    Passed pass(const std::vector<int32_t>& ids) const {
        Passed passed;
        const auto stream = engine_->new_stream();
        for (size_t p = 0; p < ids.size(); ++p) {
            for (const auto& chunk : stream->advance_lower(std::span(ids).subspan(p, 1)))
                stream->set_neighbours(chunk.index, {});
            stream->advance_upper_rows([&](size_t, std::span<const float> row) {
                passed.logits.emplace_back(row.begin(), row.end());
            });
            std::vector<float> key, query;
            stream->pointers(key, query);
            for (float& one : key) one = from_half(to_half(one));
            passed.keys.push_back(key);
            passed.queries.push_back(query);
        }
        return passed;
    }
    // What stands before the answer.
    std::vector<int32_t> context(const std::vector<int32_t>& ids, const Spaces& spaces,
                                 size_t answer, std::vector<ChunkName>* read = nullptr) const {
        const size_t m = size_t(engine_->config().chunk), window = 128, n = ids.size();
        const size_t room = window - 1 - std::min<size_t>(answer, window / 4);
        const Passed passed = pass(ids);
        const int32_t bos = engine_->tokenizer()->bos();
        std::vector<MassPlace> places =
            stored_places(*store_, spaces, size_t(engine_->config().pointer_width), bos);
        const size_t border = n - std::min(n - 1, room - room / 2);
        const size_t own_chunks = border / m < 1 ? 0 : border / m - 1;
        for (size_t j = 1; j < own_chunks * m; ++j)
            places.push_back({{true, j / m}, passed.keys[j]});
        const std::vector<ChunkName> best =
            best_by_mass(places, std::span(passed.queries).last(std::min<size_t>(64, n)),
                         size_t(engine_->config().neighbours));
        std::set<ChunkName> chunks;
        size_t end = 1;
        for (const ChunkName& one : best) {
            chunks.insert(one);
            uint64_t next = one.second + 1;
            if (one.first) {
                end = std::max(end, size_t(one.second + 2) * m);
            } else {
                const storage::Hit hit{one.second, 0};
                next = store_->load_states({&hit, 1}).front().successor_id;
            }
            if (one.first || next != 0) chunks.insert({one.first, next});
        }
        if (read != nullptr) *read = best;
        std::vector<int32_t> out{bos};
        for (const auto& [own, number] : chunks) {
            std::vector<int32_t> tokens;
            if (own) {
                tokens.assign(ids.begin() + ptrdiff_t(number * m),
                              ids.begin() + ptrdiff_t((number + 1) * m));
            }
            for (const auto& space : spaces) {
                const auto snapshot = store_->pointers(space);
                for (const auto& part : snapshot->parts) {
                    const auto of_part = part.rows().tokens;
                    if (!own && part.chunk() == number)
                        tokens.assign(of_part.begin(), of_part.end());
                }
            }
            for (const int32_t id : tokens)
                if (id != bos) out.push_back(id);
        }
        const size_t last = std::min({n - 1, room - (out.size() - 1), n - end});
        out.insert(out.end(), ids.end() - ptrdiff_t(last), ids.end());
        return out;
    }
    double expected(const std::string& a, const std::string& b, const Spaces& spaces) const {
        const std::vector<int32_t> before = ids_of(a), all = ids_of(a + b);
        std::vector<int32_t> ids = context(before, spaces, all.size() - before.size());
        const size_t first = ids.size();
        ids.insert(ids.end(), all.begin() + ptrdiff_t(before.size()), all.end());
        const Passed passed = pass(ids);
        double nats = 0;
        for (size_t i = first; i < ids.size(); ++i)
            nats -= std::log(plain::mix(passed.logits[i - 1], {})[size_t(ids[i])]);
        return nats;
    }
};

TEST_P(SessionText, scores_equal_the_slow_twin) {
    for (const Spaces& spaces : {Spaces{}, Spaces{space_}})
        for (const std::string& before : {std::string("the reader"), long_text().substr(0, 200),
                                          long_text(), long_text() + long_text()}) {
            auto s = session_of(spaces);
            s->read(before);
            EXPECT_NEAR(s->score(kMore, false).nats, expected(before, kMore, spaces), 1e-3)
                << before.size();
            if (spaces.empty() && before.size() < 300) continue;  // all of it fits
            EXPECT_GT(std::abs(s->score(kMore, false).nats - s->score(kMore, true).nats), 1e-3);
        }
    // an empty session has nothing to ask with
    EXPECT_NEAR(session_of({space_})->score(kMore, false).nats, expected("", kMore, {}), 1e-3);
}

TEST_P(SessionText, results_do_not_depend_on_splits_questions_and_rewinds) {
    const std::string text = long_text();
    auto s = session_of({space_});
    s->read(text);
    const std::string want = fingerprint(*s);
    auto t = session_of({space_});
    for (const char c : text) t->read(std::string_view(&c, 1));
    EXPECT_EQ(fingerprint(*t), want);
    t->score(kMore, false);
    t->read(kMore);
    EXPECT_NE(fingerprint(*t), want);
    t->rewind(text.size());
    EXPECT_EQ(fingerprint(*t), want);
    t->rewind(text.size() / 2);
    t->read(std::string_view(text).substr(size_t(t->offset())));
    EXPECT_EQ(fingerprint(*t), want);
}

TEST_P(SessionText, generates_what_the_twin_says_and_tells_what_was_pasted) {
    const std::string prompt = long_text();
    std::vector<int32_t> ids = ids_of(prompt);
    std::vector<ChunkName> read;
    std::vector<int32_t> all = context(ids, {space_}, 16, &read);
    std::string text;
    text::Utf8Gate gate(text::Utf8Gate::Mode::kReplace);
    for (int n = 0; n < 16; ++n) {
        const std::vector<float> row = pass(all).logits.back();
        int32_t best = -1;
        for (int32_t v = 0; v < engine_->tokenizer()->vocab_size(); ++v)
            if (!engine_->tokenizer()->is_special(v) || v == engine_->tokenizer()->eos())
                if (best < 0 || row[size_t(v)] > row[size_t(best)]) best = v;
        if (best == engine_->tokenizer()->eos()) break;
        all.push_back(best);
        for (const auto& piece : gate.append(engine_->tokenizer()->bytes(best))) text += piece.text;
    }
    auto s = session_of({space_});
    s->read(prompt);
    Told told;
    GenerateOptions options = greedy(16);
    options.retrieve.with_text = true;
    const GenerateResult result = s->generate(options, into(told));
    EXPECT_EQ(told.text, text);
    EXPECT_EQ(result.retrievals, 1u);
    EXPECT_EQ(s->offset(), prompt.size() + told.text.size());
    ASSERT_EQ(told.hits.size(), 1u);
    EXPECT_EQ(told.hits[0].at_token, 0u);
    EXPECT_EQ(told.hits[0].text_before, 0u);
    ASSERT_EQ(told.hits[0].chunks.size(), read.size());
    for (size_t i = 0; i < read.size(); ++i) {
        const RetrievedChunk& hit = told.hits[0].chunks[i];
        EXPECT_EQ(hit.own, read[i].first);
        EXPECT_EQ(hit.own ? hit.info.ordinal : hit.info.chunk_id, read[i].second);
        EXPECT_EQ(hit.reading, kReadText);
        EXPECT_FALSE(hit.text.empty());
    }
    Told silent;
    options.no_memory = true;
    auto u = session_of({space_});
    u->read(prompt);
    u->generate(options, into(silent));
    EXPECT_TRUE(silent.hits.empty());
}

TEST_P(SessionText, can_be_summed_with_copy_and_upper) {
    const std::string before = long_text() + long_text();
    std::vector<double> nats;
    for (const uint32_t reading : {kReadText, kReadText | kReadCopy, kReadText | kReadUpper,
                                   kReadText | kReadCopy | kReadUpper}) {
        SessionOptions options;
        options.reading = reading;
        auto s = session_of({space_}, options);
        s->read(before);
        size_t tokens = 0;
        const Score score = s->score(kMore, false, {}, [&](const ScoredChunk& chunk) {
            tokens += chunk.tokens;
            EXPECT_FALSE(chunk.hits->empty());
            EXPECT_GE(chunk.bytes.begin, before.size());
        });
        EXPECT_EQ(tokens, score.tokens);
        for (const double other : nats) EXPECT_GT(std::abs(other - score.nats), 1e-4);
        nats.push_back(score.nats);
        const std::string want = fingerprint(*s);
        auto t = session_of({space_}, options);
        for (size_t at = 0; at < before.size(); at += 7)
            t->read(std::string_view(before).substr(at, 7));
        EXPECT_EQ(fingerprint(*t), want);
    }
}

TEST_P(SessionText, other_spaces_change_nothing_and_deleted_text_is_gone) {
    auto s = session_of({space_});
    s->read(long_text());
    const double before = s->score(kMore, false).nats;
    const auto space = space_;
    space_ = store_->open_space("o", "d", true);
    write("far", long_text());
    EXPECT_EQ(s->score(kMore, false).nats, before);
    space_ = space;
    write("near", long_text());
    EXPECT_NE(s->score(kMore, false).nats, before);
    space_->delete_document("near");
    EXPECT_EQ(s->score(kMore, false).nats, before);
}

TEST_P(SessionText, needs_pointers) {
    SessionOptions options;
    options.reading = kReadText;
    const auto without = std::make_shared<fakes::FakeEngine>();
    EXPECT_EQ(status_of([&] { Session(without, nullptr, {}, options); }), Status::kUnsupported);
}

TEST_P(SessionText, failures_leave_the_session_whole) {
    auto s = session_of({space_});
    s->read(long_text());
    const std::string whole = fingerprint(*s);
    for (int call = 1; call < 20; call += 3) {
        auto t = session_of({space_});
        t->read(long_text());
        engine_->calls_to_failure = call;
        Status status = Status::kOk;
        for (int i = 0; i < 9 && status == Status::kOk; ++i)
            status = status_of([&] { t->score(kMore, false); });
        engine_->calls_to_failure = 0;
        EXPECT_EQ(status, Status::kDevice) << call;
        EXPECT_EQ(fingerprint(*t), whole) << call;
    }
}

INSTANTIATE_TEST_SUITE_P(Depth, SessionText, testing::Bool(),
                         [](const auto& one) { return one.param ? "deep" : "split"; });

}  // namespace
}  // namespace rpt::reader
