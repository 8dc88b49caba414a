// Sessions that copy, against a slow twin that looks at every place of every token.
#include <gtest/gtest.h>

#include <cmath>

#include "base/half.h"
#include "core/reader/copy_mixture.h"
#include "storage/codec/pointer_codec.h"
#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {
namespace {

std::shared_ptr<fakes::FakeEngine> copying_engine(bool deep) {
    auto engine = std::make_shared<fakes::FakeEngine>();
    model::ModelConfig& config = engine->mutable_config();
    config.cca_layers.clear();
    config.retrieval = model::RetrievalKind::kPointer;
    config.pointer_layer = deep ? 2 : 1;
    config.pointer_width = 12;
    return engine;
}

const char* kMore =
    " and the chunk of the reader wrote the document; the window moves on, on and on, 7 8 9.";

class SessionCopy : public SessionFixture, public testing::WithParamInterface<bool> {
  protected:
    SessionCopy() {
        engine_ = copying_engine(GetParam());
        store_ = std::make_shared<fakes::WatchedStore>(*engine_);
        space_ = store_->open_space("o", "c", true);
        other_ = store_->open_space("o", "d", true);
    }
    void write_other(const std::string& key, const std::string& text) {
        const auto space = space_;
        space_ = other_;
        write(key, text);
        space_ = space;
    }
    std::unique_ptr<Session> session_of(std::vector<std::shared_ptr<storage::Space>> spaces,
                                        const SessionOptions& options = {}) {
        return std::make_unique<Session>(engine_, store_, std::move(spaces), options);
    }
    std::vector<int32_t> ids_of(std::string_view text) const {
        std::vector<int32_t> ids{engine_->tokenizer()->bos()};
        for (const text::Token& token : engine_->tokenizer()->encode(text)) ids.push_back(token.id);
        return ids;
    }

    // What the engine says of every token, whatever is copied.
    struct Passed {
        std::vector<std::vector<float>> logits;
        std::vector<float> keys, queries;
    };
    Passed pass(const std::vector<int32_t>& ids) const {
        Passed passed;
        const auto stream = engine_->new_stream();
        const size_t vocab = size_t(engine_->config().vocab);
        while (stream->position() < ids.size()) {
            const size_t n =
                std::min<size_t>(stream->room(), ids.size() - size_t(stream->position()));
            for (const auto& chunk :
                 stream->advance_lower(std::span(ids).subspan(size_t(stream->position()), n)))
                stream->set_neighbours(chunk.index, {});
            stream->advance_upper_rows([&](size_t, std::span<const float> rows) {
                for (size_t i = 0; i < rows.size(); i += vocab)
                    passed.logits.emplace_back(rows.begin() + ptrdiff_t(i),
                                               rows.begin() + ptrdiff_t(i + vocab));
            });
            std::vector<float> keys, queries;
            stream->pointers(keys, queries);
            passed.keys.insert(passed.keys.end(), keys.begin(), keys.end());
            passed.queries.insert(passed.queries.end(), queries.begin(), queries.end());
        }
        return passed;
    }

    size_t width() const { return size_t(engine_->config().pointer_width); }
    double cosine(const Passed& passed, size_t position, const float* key) const {
        double sum = 0;
        for (size_t k = 0; k < width(); ++k)
            sum += double(passed.queries[position * width() + k]) * double(key[k]);
        return sum;
    }
    plain::Source in_space(const std::shared_ptr<storage::Space>& space, const Passed& passed,
                           size_t position, const CopySettings& settings) const {
        plain::Source source{settings.spaces, {}};
        const int32_t bos = engine_->tokenizer()->bos();
        const auto snapshot = store_->pointers(space);
        for (const auto& part : snapshot->parts) {
            const std::vector<float> keys =
                storage::expand_pointers(part.rows(), uint32_t(width()));
            const auto tokens = part.rows().tokens;
            for (size_t t = 0; t < tokens.size(); ++t) {
                const int32_t next = t + 1 < tokens.size() ? tokens[t + 1] : part.next;
                if (tokens[t] != bos && next >= 0 && next != bos)
                    source.places.emplace_back(cosine(passed, position, keys.data() + t * width()),
                                               next);
            }
        }
        return source;
    }
    // Probabilities of what follows `position` of `ids`.
    std::vector<double> expected(const std::vector<int32_t>& ids, const Passed& passed,
                                 size_t position,
                                 const std::vector<std::shared_ptr<storage::Space>>& spaces,
                                 bool own = true) const {
        const CopySettings settings = CopySettings::read(engine_->copy);
        const size_t stride = size_t(engine_->config().stride), block = position / stride;
        std::vector<plain::Source> sources;
        for (const auto& space : spaces) {
            sources.push_back(in_space(space, passed, position, settings));
            if (sources.back().places.empty()) sources.pop_back();
        }
        plain::Source past{settings.own, {}};
        for (size_t j = 1; own && block > 0 && j < (block - 1) * stride; ++j) {
            std::vector<float> key(width());
            for (size_t k = 0; k < width(); ++k)
                key[k] = from_half(to_half(passed.keys[j * width() + k]));
            past.places.emplace_back(cosine(passed, position, key.data()), ids[j + 1]);
        }
        if (!past.places.empty()) sources.push_back(std::move(past));
        return plain::mix(passed.logits[position], sources);
    }
    // Of the tokens of `b` after `a`, whose border is a token's.
    double expected_nats(const std::string& a, const std::string& b,
                         const std::vector<std::shared_ptr<storage::Space>>& spaces,
                         bool own = true) const {
        const std::vector<int32_t> ids = ids_of(a + b);
        const Passed passed = pass(ids);
        double nats = 0;
        for (size_t i = ids_of(a).size() - 1; i + 1 < ids.size(); ++i)
            nats -= std::log(expected(ids, passed, i, spaces, own)[size_t(ids[i + 1])]);
        return nats;
    }
    void fit() {
        engine_->copy = {12, 0.5f, -1, 0.25f, -0.25f, 0.5f, 0.25f, 0.5f, 0,  1,    -1,      2,
                         0,  1,    2,  1,     1,      1,    10,    0.4f, -2, 0.5f, -0.125f, 0.25f,
                         0,  0.5f, 1,  0,     0,      0,    0.5f,  1,    1,  2,    1,       1};
    }

    std::shared_ptr<storage::Space> other_;
};

TEST_P(SessionCopy, scores_equal_the_slow_twin) {
    write_other("far", long_text());
    for (const bool fitted : {false, true}) {
        if (fitted) fit();
        const std::string text = long_text() + kMore;
        EXPECT_NEAR(session_of({})->score(text, false).nats, expected_nats("", text, {}), 1e-3);
        EXPECT_NEAR(session_of({space_})->score(text, false).nats,
                    expected_nats("", text, {space_}), 1e-3);
        EXPECT_NEAR(session_of({space_, other_, space_})->score(text, false).nats,
                    expected_nats("", text, {space_, other_}), 1e-3);
        auto after = session_of({space_, other_});
        after->read(long_text());
        EXPECT_NEAR(after->score(kMore, false).nats,
                    expected_nats(long_text(), kMore, {space_, other_}), 1e-3);
        SessionOptions forgetful;
        forgetful.self_memory = false;
        EXPECT_NEAR(session_of({space_}, forgetful)->score(text, false).nats,
                    expected_nats("", text, {space_}, false), 1e-3);
    }
}

TEST_P(SessionCopy, whole_text_blocks_and_single_tokens_are_equal) {
    fit();
    const std::string text = long_text() + kMore;
    const Score whole = session_of({space_})->score(text, false);
    for (size_t cut = 0; cut <= text.size(); ++cut) {
        if (cut != 0 && cut != text.size() && (text[cut] != ' ' || text[cut - 1] == ' ')) continue;
        const std::string a = text.substr(0, cut), b = text.substr(cut);
        auto after = session_of({space_});
        for (const char c : a) after->read(std::string_view(&c, 1));
        EXPECT_NEAR(session_of({space_})->score(a, false).nats + after->score(b, false).nats,
                    whole.nats, 1e-4)
            << cut;
    }
}

TEST_P(SessionCopy, no_memory_copies_nothing) {
    auto s = session_of({space_});
    s->read(long_text());
    const std::vector<int32_t> ids = ids_of(long_text() + kMore);
    const Passed passed = pass(ids);
    double nats = 0;
    for (size_t i = ids_of(long_text()).size() - 1; i + 1 < ids.size(); ++i)
        nats -= std::log(plain::mix(passed.logits[i], {})[size_t(ids[i + 1])]);
    EXPECT_NEAR(s->score(kMore, true).nats, nats, 1e-3);
    EXPECT_GT(std::abs(s->score(kMore, false).nats - nats), 1e-2);
}

TEST_P(SessionCopy, other_spaces_change_nothing_and_deleted_text_is_gone) {
    const std::string text = long_text() + kMore;
    const double before = session_of({space_})->score(text, false).nats;
    write_other("x", long_text());
    EXPECT_EQ(session_of({space_})->score(text, false).nats, before);
    auto held = session_of({space_});
    held->read(long_text());
    const double of_more = held->score(kMore, false).nats;
    write("x", long_text() + kMore);
    EXPECT_NE(held->score(kMore, false).nats, of_more);  // what was added counts at once
    space_->delete_document("x");
    EXPECT_EQ(held->score(kMore, false).nats, of_more);
}

TEST_P(SessionCopy, session_is_unchanged_by_questions) {
    auto s = session_of({space_});
    s->read(long_text());
    const std::string before = fingerprint(*s);
    auto t = session_of({space_});
    t->read(long_text());
    t->score(kMore, false);
    t->score(kMore, true);
    t->read(kMore);
    t->rewind(long_text().size());
    EXPECT_EQ(fingerprint(*t), before);
}

TEST_P(SessionCopy, generates_what_the_mixture_says) {
    fit();
    const std::string prompt = long_text();
    auto s = session_of({space_});
    s->read(prompt);
    Told told;
    s->generate(greedy(24), into(told));
    std::vector<int32_t> ids = ids_of(prompt);
    std::string text;
    for (int n = 0; n < 24; ++n) {
        const Passed passed = pass(ids);
        const std::vector<double> p = expected(ids, passed, ids.size() - 1, {space_});
        int32_t best = -1;
        for (int32_t v = 0; v < engine_->tokenizer()->vocab_size(); ++v)
            if (!engine_->tokenizer()->is_special(v) || v == engine_->tokenizer()->eos())
                if (best < 0 || p[size_t(v)] > p[size_t(best)]) best = v;
        if (best == engine_->tokenizer()->eos()) break;
        ids.push_back(best);
        text += engine_->tokenizer()->bytes(best);
    }
    EXPECT_EQ(told.text.substr(0, text.size() - 3), text.substr(0, text.size() - 3));
}

TEST_P(SessionCopy, what_a_filter_leaves_out_is_not_copied) {
    fit();
    engine_->copy[2] = engine_->copy[20] = 6;  // nearly all is copied
    const auto generated = [&](const GenerateOptions& options, bool& from_secret) {
        auto s = session_of({space_});
        s->read(kMore);
        Told told;
        s->generate(options, into(told));
        from_secret = false;
        for (const Told::Hits& hits : told.hits)
            for (const RetrievedChunk& chunk : hits.chunks)
                from_secret |= !chunk.own && chunk.info.key == "secret";
        return told.text;
    };
    bool from_secret = false;
    const std::string before = generated(greedy(30), from_secret);
    EXPECT_FALSE(from_secret);
    // its places stand before others of the space: they count for nothing, wherever they are
    write("secret", std::string(kMore) + kMore);
    EXPECT_NE(generated(greedy(30), from_secret), "");
    EXPECT_TRUE(from_secret);
    GenerateOptions options = greedy(30);
    options.retrieve.filter.exclude_key = "secret";
    EXPECT_EQ(generated(options, from_secret), before);
    EXPECT_FALSE(from_secret);
    options.retrieve.filter = {};
    options.retrieve.filter.key_pattern = "secre?";
    generated(options, from_secret);
    EXPECT_TRUE(from_secret);
}

TEST_P(SessionCopy, what_was_copied_is_told) {
    fit();
    engine_->copy[2] = engine_->copy[20] = 6;  // nearly all is copied
    auto s = session_of({space_});
    s->read(long_text());
    Told told;
    GenerateOptions options = greedy(30);
    options.retrieve.with_text = true;
    s->generate(options, into(told));
    ASSERT_FALSE(told.hits.empty());
    bool own = false, stored = false;
    for (const Told::Hits& hits : told.hits) {
        double sum = 0;
        EXPECT_LT(hits.at_token, 30u);
        for (const RetrievedChunk& chunk : hits.chunks) {
            EXPECT_GT(chunk.copied, 0);
            EXPECT_FALSE(chunk.text.empty());
            sum += double(chunk.copied);
            own |= chunk.own;
            stored |= !chunk.own;
            if (chunk.own) {
                EXPECT_EQ(chunk.text,
                          long_text().substr(chunk.info.bytes.begin, chunk.info.bytes.size()));
            } else {
                EXPECT_EQ(chunk.info.collection, "c");
            }
        }
        EXPECT_LE(sum, 1.0001);
        EXPECT_GT(sum, 0.2);
    }
    EXPECT_TRUE(own);
    double most = 0;
    s = session_of({space_});
    s->read(long_text());
    s->score(kMore, false, {}, [&](const ScoredChunk& chunk) {
        double sum = 0;
        for (const RetrievedChunk& hit : *chunk.hits) {
            EXPECT_GT(hit.copied, 0);
            sum += double(hit.copied);
            stored |= !hit.own;
        }
        EXPECT_LE(sum, 1.0001);
        most = std::max(most, sum);
    });
    EXPECT_GT(most, 0.5);
    EXPECT_TRUE(stored);
    Told silent;
    options.no_memory = true;
    session_after(long_text())->generate(options, into(silent));
    EXPECT_TRUE(silent.hits.empty());
}

TEST_P(SessionCopy, reading_can_be_chosen) {
    SessionOptions options;
    options.reading = kReadCca;
    EXPECT_EQ(status_of([&] { session_of({space_}, options); }), Status::kUnsupported);
    options.reading = 64;
    EXPECT_EQ(status_of([&] { session_of({space_}, options); }), Status::kArgument);
    options.reading = kReadCopy;
    EXPECT_EQ(session_of({space_}, options)->score(kMore, false).nats,
              session_of({space_})->score(kMore, false).nats);
    const auto without = std::make_shared<fakes::FakeEngine>();
    EXPECT_EQ(status_of([&] { Session(without, nullptr, {}, options); }), Status::kUnsupported);
    engine_->copy = {1, 2, 3};
    EXPECT_EQ(status_of([&] { session_of({space_}); }), Status::kArgument);
}

TEST_P(SessionCopy, failures_leave_the_session_whole) {
    fit();
    auto s = session_of({space_});
    s->read(long_text());
    const std::string whole = fingerprint(*s);
    for (int call = 1; call < 12; ++call) {
        auto t = session_of({space_});
        t->read(long_text());
        engine_->calls_to_failure = call;
        const Status status = status_of([&] { t->score(kMore, false); });
        engine_->calls_to_failure = 0;
        EXPECT_EQ(status, Status::kDevice) << call;
        EXPECT_EQ(fingerprint(*t), whole) << call;
    }
}

INSTANTIATE_TEST_SUITE_P(Depth, SessionCopy, testing::Bool(),
                         [](const auto& one) { return one.param ? "deep" : "split"; });

}  // namespace
}  // namespace rpt::reader
