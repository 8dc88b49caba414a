// Sessions that read chunks through the upper layers, against a slow twin that reads token by token
// and looks at every place.
#include <gtest/gtest.h>

#include <cmath>

#include "base/half.h"
#include "core/reader/copy_mixture.h"
#include "core/reader/copy_reader.h"
#include "core/reader/mass_search.h"
#include "tests/unit/reader/mass_twin.h"
#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {
namespace {

const char* kMore =
    " and the chunk of the reader wrote the document; the window moves on, on and on, 7 8 9.";

class SessionUpper : public SessionFixture, public testing::WithParamInterface<bool> {
  protected:
    SessionUpper() {
        engine_ = frozen_engine(GetParam(), kReadUpper);
        store_ = std::make_shared<fakes::WatchedStore>(*engine_);
        space_ = store_->open_space("o", "c", true);
        other_ = store_->open_space("o", "d", true);
    }
    std::unique_ptr<Session> session_of(Spaces spaces, const SessionOptions& options = {}) {
        return std::make_unique<Session>(engine_, store_, std::move(spaces), options);
    }
    std::vector<int32_t> ids_of(std::string_view text) const {
        std::vector<int32_t> ids{engine_->tokenizer()->bos()};
        for (const text::Token& token : engine_->tokenizer()->encode(text)) ids.push_back(token.id);
        return ids;
    }
    size_t width() const { return size_t(engine_->config().pointer_width); }

    struct Twin {
        std::vector<std::vector<float>> logits;
        std::vector<std::vector<ChunkName>> read;  // of each chunk
    };
    Twin twin(const std::vector<int32_t>& ids, const Spaces& spaces, bool own = true) const {
        const model::ModelConfig& config = engine_->config();
        const size_t m = size_t(config.chunk);
        Twin out;
        std::vector<std::vector<float>> keys, queries;
        std::vector<std::vector<float>> states;  // of own chunks
        const std::vector<MassPlace> stored =
            stored_places(*store_, spaces, width(), engine_->tokenizer()->bos());
        const auto stream = engine_->new_stream();
        for (size_t p = 0; p < ids.size(); ++p) {
            for (const auto& chunk : stream->advance_lower(std::span(ids).subspan(p, 1))) {
                states.push_back(chunk.states);
                std::vector<MassPlace> places = stored;
                const int64_t last = model::last_retrievable(config, int64_t(chunk.index));
                for (size_t j = 1; own && last >= 0 && j < size_t(last + 1) * m; ++j)
                    places.push_back({{true, j / m}, keys[j]});
                const size_t asked = std::min(kMassQueries, queries.size());
                out.read.push_back(best_by_mass(places, std::span(queries).last(asked),
                                                size_t(config.neighbours)));
                std::vector<storage::HitStates> held;
                std::vector<engine::Neighbour> neighbours;
                for (const auto& [is_own, number] : out.read.back()) {
                    if (is_own) {
                        neighbours.push_back({states[number], states[number + 1]});
                        continue;
                    }
                    const storage::Hit hit{number, 0};
                    held.push_back(store_->load_states({&hit, 1}).front());
                    neighbours.push_back({*held.back().chunk, {}});
                    if (held.back().successor) neighbours.back().successor = *held.back().successor;
                }
                stream->set_neighbours(chunk.index, neighbours);
            }
            stream->advance_upper_rows([&](size_t, std::span<const float> row) {
                out.logits.emplace_back(row.begin(), row.end());
            });
            std::vector<float> key, query;
            stream->pointers(key, query);
            for (float& one : key) one = from_half(to_half(one));
            keys.push_back(key);
            queries.push_back(query);
        }
        return out;
    }
    static double nats_of(const Twin& twin, const std::vector<int32_t>& ids, size_t first) {
        double nats = 0;
        for (size_t i = first; i + 1 < ids.size(); ++i)
            nats -= std::log(plain::mix(twin.logits[i], {})[size_t(ids[i + 1])]);
        return nats;
    }

    std::shared_ptr<storage::Space> other_;
};

TEST_P(SessionUpper, scores_equal_the_slow_twin) {
    const std::string text = long_text() + kMore;
    const std::vector<int32_t> ids = ids_of(text);
    const auto expect = [&](const Spaces& spaces, bool own) {
        SessionOptions options;
        options.self_memory = own;
        const double want = nats_of(twin(ids, spaces, own), ids, 0);
        EXPECT_NEAR(session_of(spaces, options)->score(text, false).nats, want, 1e-3);
    };
    expect({}, true);
    expect({space_}, true);
    expect({space_, other_}, true);
    expect({space_}, false);
    auto after = session_of({space_});
    after->read(long_text());
    EXPECT_NEAR(after->score(kMore, false).nats,
                nats_of(twin(ids, {space_}), ids, ids_of(long_text()).size() - 1), 1e-3);
}

TEST_P(SessionUpper, neighbours_are_as_many_as_the_session_says) {
    const std::vector<int32_t> ids = ids_of(long_text());
    engine_->mutable_config().neighbours = 5;
    const double want = nats_of(twin(ids, {space_}), ids, 0);
    engine_->mutable_config().neighbours = 2;
    SessionOptions options;
    options.retrieve.k = 5;
    EXPECT_NEAR(session_of({space_}, options)->score(long_text(), false).nats, want, 1e-3);
    EXPECT_GT(std::abs(session_of({space_})->score(long_text(), false).nats - want), 1e-2);
}

// Chooses what somebody else would, and keeps what it was asked; or nothing.
struct ListeningChooser final : ChunkChooser {
    std::vector<Found> choose(const ChunkQuestion& question, const RetrieveOptions& options,
                              const CallControl& control) const override {
        ends.push_back(question.end);
        EXPECT_LE(question.queries.size(), kMassQueries * 12);
        return other == nullptr ? std::vector<Found>{} : other->choose(question, options, control);
    }
    const ChunkChooser* other = nullptr;
    mutable std::vector<size_t> ends;
};

TEST_P(SessionUpper, chunks_can_be_chosen_by_the_caller) {
    const std::string text = long_text() + kMore;
    const MassSearch by_mass(*engine_, store_.get(), std::vector{space_});
    const auto chooser = std::make_shared<ListeningChooser>();
    SessionOptions options;
    options.chooser = chooser;
    const Score nothing = session_of({space_}, options)->score(text, false);
    EXPECT_NEAR(nothing.nats, session_of({space_})->score(text, true).nats, 1e-3);
    // once for each chunk, by the tokens before its last one
    const size_t m = size_t(engine_->config().chunk), n = ids_of(text).size();
    ASSERT_EQ(chooser->ends.size(), (n - 1) / m);
    for (size_t i = 0; i < chooser->ends.size(); ++i) EXPECT_EQ(chooser->ends[i], (i + 1) * m - 1);
    chooser->other = &by_mass;
    EXPECT_EQ(session_of({space_}, options)->score(text, false).nats,
              session_of({space_})->score(text, false).nats);
    // the way `text` asks once, at the end of what was read
    options.reading = kReadText;
    chooser->ends.clear();
    auto pasting = session_of({space_}, options);
    pasting->read(long_text());
    pasting->score(kMore, false);
    EXPECT_EQ(chooser->ends, std::vector<size_t>{ids_of(long_text()).size()});
}

TEST_P(SessionUpper, whole_text_blocks_and_single_tokens_are_equal) {
    const std::string text = long_text() + kMore;
    for (const uint32_t reading : {kReadUpper, kReadUpper | kReadCopy}) {
        SessionOptions options;
        options.reading = reading;
        const Score whole = session_of({space_}, options)->score(text, false);
        for (size_t cut = 0; cut < text.size(); cut = text.find(' ', cut + 20)) {
            const std::string a = text.substr(0, cut), b = text.substr(cut);
            auto after = session_of({space_}, options);
            for (const char c : a) after->read(std::string_view(&c, 1));
            EXPECT_NEAR(
                session_of({space_}, options)->score(a, false).nats + after->score(b, false).nats,
                whole.nats, 1e-4)
                << cut;
        }
    }
}

TEST_P(SessionUpper, copying_comes_on_top) {
    const std::string text = long_text() + kMore;
    SessionOptions options;
    options.reading = kReadUpper | kReadCopy;
    const double both = session_of({space_}, options)->score(text, false).nats;
    options.reading = kReadCopy;
    const double copy = session_of({space_}, options)->score(text, false).nats;
    EXPECT_GT(std::abs(both - copy), 1e-2);
    EXPECT_GT(std::abs(both - session_of({space_})->score(text, false).nats), 1e-2);
    // what is copied is added to what the layers read
    const std::vector<int32_t> ids = ids_of(text);
    const Twin read = twin(ids, {});
    options.reading = kReadUpper | kReadCopy;
    double nats = 0;
    const auto stream = engine_->new_stream();
    std::vector<float> keys, queries;
    for (size_t p = 0; p < ids.size(); ++p) {
        for (const auto& chunk : stream->advance_lower(std::span(ids).subspan(p, 1)))
            stream->set_neighbours(chunk.index, {});
        stream->advance_upper_rows([](size_t, std::span<const float>) {});
        std::vector<float> key, query;
        stream->pointers(key, query);
        for (const float one : key) keys.push_back(from_half(to_half(one)));
        queries.insert(queries.end(), query.begin(), query.end());
    }
    for (size_t p = 0; p + 1 < ids.size(); ++p) {
        plain::Source past{CopySettings::read(engine_->copy).own, {}};
        for (size_t j = 1; j < own_places_end(engine_->config(), p); ++j) {
            double cosine = 0;
            for (size_t i = 0; i < width(); ++i)
                cosine += double(queries[p * width() + i]) * double(keys[j * width() + i]);
            past.places.emplace_back(cosine, ids[j + 1]);
        }
        std::vector<plain::Source> sources;
        if (!past.places.empty()) sources.push_back(past);
        nats -= std::log(plain::mix(read.logits[p], sources)[size_t(ids[p + 1])]);
    }
    EXPECT_NEAR(session_of({}, options)->score(text, false).nats, nats, 1e-3);
}

TEST_P(SessionUpper, what_was_read_is_told) {
    const std::string text = long_text() + kMore;
    const std::vector<int32_t> ids = ids_of(text);
    const Twin want = twin(ids, {space_});
    auto s = session_of({space_});
    size_t chunk = 0;
    bool own = false, stored = false;
    const size_t m = size_t(engine_->config().chunk);
    s->score(text, false, {}, [&](const ScoredChunk& scored) {
        if (chunk++ == 0) {
            EXPECT_TRUE(scored.hits->empty());
            return;
        }
        // the tokens of chunk i read what chunk i - 1 found
        const auto& read = want.read.at(chunk - 2);
        ASSERT_EQ(scored.hits->size(), read.size()) << chunk;
        for (size_t i = 0; i < read.size(); ++i) {
            const RetrievedChunk& hit = (*scored.hits)[i];
            EXPECT_EQ(hit.own, read[i].first);
            EXPECT_EQ(hit.own ? hit.info.ordinal : hit.info.chunk_id, read[i].second);
            EXPECT_EQ(hit.reading, kReadUpper);
            EXPECT_EQ(hit.copied, 0);
            EXPECT_GT(hit.score, 0);
            EXPECT_LE(hit.score, 1);
            (hit.own ? own : stored) = true;
        }
    });
    EXPECT_EQ(chunk, (ids.size() + m - 1) / m);
    EXPECT_TRUE(own && stored);
    Told told;
    auto t = session_of({space_});
    t->read(long_text());
    GenerateOptions options = greedy(20);
    options.retrieve.with_text = true;
    t->generate(options, into(told));
    ASSERT_FALSE(told.hits.empty());
    for (const Told::Hits& hits : told.hits)
        for (const RetrievedChunk& hit : hits.chunks) {
            EXPECT_EQ(hit.reading, kReadUpper);
            EXPECT_FALSE(hit.text.empty());
        }
    Told silent;
    options.no_memory = true;
    auto u = session_of({space_});
    u->read(long_text());
    u->generate(options, into(silent));
    EXPECT_TRUE(silent.hits.empty());
}

TEST_P(SessionUpper, generates_what_the_twin_says) {
    auto s = session_of({space_});
    s->read(long_text());
    Told told;
    s->generate(greedy(20), into(told));
    std::vector<int32_t> ids = ids_of(long_text());
    std::string text;
    text::Utf8Gate gate(text::Utf8Gate::Mode::kReplace);
    for (int n = 0; n < 20; ++n) {
        const std::vector<float> row = twin(ids, {space_}).logits.back();
        int32_t best = -1;
        for (int32_t v = 0; v < engine_->tokenizer()->vocab_size(); ++v)
            if (!engine_->tokenizer()->is_special(v) || v == engine_->tokenizer()->eos())
                if (best < 0 || row[size_t(v)] > row[size_t(best)]) best = v;
        if (best == engine_->tokenizer()->eos()) break;
        ids.push_back(best);
        for (const auto& piece : gate.append(engine_->tokenizer()->bytes(best))) text += piece.text;
    }
    EXPECT_GT(text.size(), 10u);
    EXPECT_EQ(told.text, text);
}

TEST_P(SessionUpper, one_session_answers_in_the_ways_that_are_chosen) {
    SessionOptions options;
    options.reading = kReadUpper | kReadCopy | kReadText;
    auto s = session_of({space_}, options);
    s->choose_reading(kReadCopy);
    s->read(long_text());
    const auto alone = [&](uint32_t reading) {
        SessionOptions one;
        one.reading = reading;
        auto t = session_of({space_}, one);
        t->read(long_text());
        const double nats = t->score(kMore, false).nats;
        return std::pair(nats, generate(*t, 12));
    };
    // of `upper` the fake's numbers would depend on the chunks that were in force before
    for (const uint32_t reading : {kReadCopy, kReadText}) {
        s->choose_reading(reading);
        EXPECT_NEAR(s->score(kMore, false).nats, alone(reading).first, 1e-3) << reading;
    }
    s->choose_reading(kReadCopy);
    auto t = session_of({space_}, options);
    t->choose_reading(kReadCopy);
    t->read(long_text());
    EXPECT_EQ(generate(*s, 12), alone(kReadCopy).second);
    std::vector<double> nats;
    for (const uint32_t reading : {kReadCopy, kReadUpper, kReadUpper | kReadCopy, kReadText, 0u}) {
        t->choose_reading(reading);
        nats.push_back(t->score(kMore, false).nats);
    }
    for (size_t i = 0; i < nats.size(); ++i)
        for (size_t j = 0; j < i; ++j) EXPECT_GT(std::abs(nats[i] - nats[j]), 1e-4) << i << j;
    t->choose_reading(kReadCopy);
    EXPECT_EQ(t->score(kMore, false).nats, nats[0]);
    EXPECT_EQ(status_of([&] { t->choose_reading(kReadCca); }), Status::kArgument);
    EXPECT_EQ(status_of([&] { session_of({space_})->choose_reading(kReadCopy); }),
              Status::kArgument);
}

TEST_P(SessionUpper, filters_hide_documents) {
    SessionOptions options;
    options.self_memory = false;
    options.retrieve.filter.exclude_key = "a";
    size_t seen = 0;
    session_of({space_}, options)->score(long_text(), false, {}, [&](const ScoredChunk& chunk) {
        for (const RetrievedChunk& hit : *chunk.hits) {
            EXPECT_EQ(hit.info.key, "b");
            ++seen;
        }
    });
    EXPECT_GT(seen, 10u);
    options.retrieve.filter = {};
    options.retrieve.filter.max_per_document = 1;
    options.retrieve.k = 8;
    session_of({space_}, options)->score(long_text(), false, {}, [&](const ScoredChunk& chunk) {
        EXPECT_LE(chunk.hits->size(), 2u);
        if (chunk.hits->size() == 2) {
            EXPECT_NE((*chunk.hits)[0].info.key, (*chunk.hits)[1].info.key);
        }
    });
}

TEST_P(SessionUpper, other_spaces_change_nothing_and_deleted_text_is_gone) {
    const std::string text = long_text() + kMore;
    const double before = session_of({space_})->score(text, false).nats;
    std::swap(space_, other_);
    write("far", long_text());
    std::swap(space_, other_);
    EXPECT_EQ(session_of({space_})->score(text, false).nats, before);
    auto held = session_of({space_});
    held->read(long_text());
    const double of_more = held->score(kMore, false).nats;
    write("x", long_text() + kMore);
    EXPECT_NE(held->score(kMore, false).nats, of_more);
    space_->delete_document("x");
    EXPECT_EQ(held->score(kMore, false).nats, of_more);
}

TEST_P(SessionUpper, session_is_unchanged_by_questions_and_rewinds) {
    const std::string text = long_text();
    auto s = session_of({space_});
    s->read(text);
    const std::string before = fingerprint(*s);
    for (const size_t back : {size_t{1}, size_t{60}, size_t{300}, text.size()}) {
        auto t = session_of({space_});
        t->read(text);
        t->score(kMore, false);
        t->score(kMore, true);
        t->rewind(text.size() - back + (back == 300 ? 2 : 0));
        t->score(kMore, false);
        t->read(std::string_view(text).substr(size_t(t->offset())));
        t->read(kMore);
        t->rewind(text.size());
        EXPECT_EQ(fingerprint(*t), before) << back;
    }
}

TEST_P(SessionUpper, a_gap_finds_what_lies_before_it) {
    const std::string text = long_text() + long_text();
    auto s = session_of({});
    s->read(text);
    GenerateOptions options = greedy(12);
    options.suffix = " and the window moves on";
    Told told;
    s->generate(options, into(told));
    ASSERT_FALSE(told.hits.empty());
    for (const Told::Hits& hits : told.hits)
        for (const RetrievedChunk& hit : hits.chunks) {
            EXPECT_TRUE(hit.own);
            EXPECT_LT(hit.info.next_bytes.end, text.size());
        }
}

TEST_P(SessionUpper, reading_can_be_chosen) {
    SessionOptions options;
    options.reading = kReadCopy;
    EXPECT_NE(session_of({space_}, options)->score(kMore, false).nats,
              session_of({space_})->score(kMore, false).nats);
    options.reading = kReadUpper;
    const auto without = std::make_shared<fakes::FakeEngine>();
    EXPECT_EQ(status_of([&] { Session(without, nullptr, {}, options); }), Status::kUnsupported);
    engine_->mutable_config().reading = 0;  // unless the package says so, a frozen model copies
    EXPECT_EQ(reading_of(engine_->config()), kReadCopy);
}

TEST_P(SessionUpper, failures_leave_the_session_whole) {
    auto s = session_of({space_});
    s->read(long_text());
    const std::string whole = fingerprint(*s);
    for (int call = 1; call < 24; call += 3) {
        auto t = session_of({space_});
        t->read(long_text());
        engine_->calls_to_failure = call;
        const Status status = status_of([&] { t->score(kMore, false); });
        engine_->calls_to_failure = 0;
        EXPECT_EQ(status, Status::kDevice) << call;
        EXPECT_EQ(fingerprint(*t), whole) << call;
        auto u = session_of({space_});
        engine_->calls_to_failure = call;
        EXPECT_EQ(status_of([&] { u->read(long_text()); }), Status::kDevice) << call;
        engine_->calls_to_failure = 0;
        u->read(std::string_view(long_text()).substr(size_t(u->offset())));
        EXPECT_EQ(fingerprint(*u), whole) << call;
    }
}

INSTANTIATE_TEST_SUITE_P(Depth, SessionUpper, testing::Bool(),
                         [](const auto& one) { return one.param ? "deep" : "split"; });

}  // namespace
}  // namespace rpt::reader
