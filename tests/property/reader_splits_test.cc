// What a reader leaves or says depends on the text, never on how it was cut.
#include <gtest/gtest.h>

#include <random>

#include "core/reader/document_writer.h"
#include "core/reader/session.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/fake_store.h"

namespace rpt::reader {

namespace {

using Random = std::mt19937;

size_t below(Random& random, size_t n) {
    return n == 0 ? 0 : random() % n;
}

// Words, rulers, scripts of one to four bytes a code point; with `broken` also bytes that are no
// UTF-8.
std::string random_text(Random& random, size_t size, bool broken) {
    static const char* const kParts[] = {" the",
                                         " chunk",
                                         "reader",
                                         ";\n\n",
                                         "    ",
                                         "\\begin{align}",
                                         "\xC3\xBC",
                                         "\xE6\x97\xA5\xE6\x9C\xAC",
                                         "\xF0\x9F\x98\x80",
                                         "12345",
                                         "aaaaaaaa",
                                         "\t",
                                         " & "};
    static const char* const kBroken[] = {"\xFF",         "\xC3",     "\xE6\x97",
                                          "\xF0\x9F\x98", "\x80\x80", "\xED\xA0\x80"};
    std::string text;
    while (text.size() < size) {
        if (broken && random() % 6 == 0)
            text += kBroken[below(random, std::size(kBroken))];
        else
            text += kParts[below(random, std::size(kParts))];
    }
    return text;
}

// Cuts of any size, mostly small ones, also inside code points.
std::vector<std::string> random_pieces(Random& random, const std::string& text) {
    std::vector<std::string> pieces;
    const size_t most = 1 + below(random, random() % 2 == 0 ? 5 : 80);
    for (size_t at = 0; at < text.size();) {
        const size_t n = below(random, most + 1);
        pieces.push_back(text.substr(at, n));
        at += n;
    }
    return pieces;
}

struct Written {
    std::string text;
    std::map<uint64_t, storage::ChunkRecord> chunks;
};

struct Reader {
    std::shared_ptr<fakes::FakeEngine> engine = std::make_shared<fakes::FakeEngine>();
    std::shared_ptr<fakes::FakeStore> store = std::make_shared<fakes::FakeStore>();
    std::shared_ptr<fakes::FakeSpace> space =
        std::static_pointer_cast<fakes::FakeSpace>(store->open_space("o", "c", true));

    Written write(const std::vector<std::string>& pieces, bool broken, Random* flushes) {
        storage::DocumentSpec spec;
        spec.key = "doc";
        spec.replace = true;
        DocumentWriter writer(
            engine, space, spec,
            broken ? text::Utf8Gate::Mode::kReplace : text::Utf8Gate::Mode::kRefuse);
        for (const std::string& piece : pieces) {
            writer.append(piece);
            if (flushes != nullptr && (*flushes)() % 8 == 0) writer.flush((*flushes)() % 2 == 0);
        }
        writer.finish();
        const fakes::FakeDocument& document = space->documents.at("doc");
        return {document.text, document.chunks};
    }
    std::unique_ptr<Session> session() const {
        return std::make_unique<Session>(
            engine, store, std::vector<std::shared_ptr<storage::Space>>{space}, SessionOptions{});
    }
};

void expect_equal(const Written& a, const Written& b) {
    ASSERT_EQ(a.text, b.text);
    ASSERT_EQ(a.chunks.size(), b.chunks.size());
    for (const auto& [ordinal, want] : a.chunks) {
        const storage::ChunkRecord& got = b.chunks.at(ordinal);
        ASSERT_EQ(got.bytes, want.bytes) << "chunk " << ordinal;
        ASSERT_EQ(got.tokens, want.tokens);
        ASSERT_EQ(got.key, want.key);
        ASSERT_EQ(got.states, want.states);
        ASSERT_EQ(got.provisional, want.provisional);
    }
}

std::string generate(Session& session, uint32_t n) {
    std::string out;
    GenerateOptions options;
    options.max_tokens = n;
    session.generate(options, [&](const GenerateEvent& event) {
        if (event.type == GenerateEvent::Type::kText) out += event.text;
        return 0;
    });
    return out;
}

bool on_border(const std::string& text, size_t at) {
    return at == text.size() || (uint8_t(text[at]) & 0xC0) != 0x80;
}

}  // namespace

TEST(ReaderSplitsTest, documents_do_not_depend_on_splits_and_flushes) {
    Random random(1);
    Reader reader;
    for (int round = 0; round < 150; ++round) {
        const bool broken = round % 3 == 2;
        const std::string text = random_text(random, below(random, 700), broken);
        const Written want = reader.write({text}, broken, nullptr);
        for (const auto& [ordinal, record] : want.chunks) ASSERT_FALSE(record.provisional);
        for (int split = 0; split < 20; ++split) {
            const std::vector<std::string> pieces = random_pieces(random, text);
            ASSERT_NO_FATAL_FAILURE(expect_equal(
                want, reader.write(pieces, broken, split % 2 == 0 ? nullptr : &random)))
                << "round " << round;
        }
    }
}

TEST(ReaderSplitsTest, sessions_do_not_depend_on_splits_questions_and_rewinds) {
    Random random(2);
    Reader reader;
    reader.write({random_text(random, 2000, false)}, false, nullptr);
    for (int round = 0; round < 50; ++round) {
        const std::string text = random_text(random, below(random, 1500), false);
        auto plain = reader.session();
        plain->read(text);
        const Score want_score = plain->score(" the reader", false);
        const std::string want = generate(*plain, 25);
        for (int split = 0; split < 4; ++split) {
            auto session = reader.session();
            std::string so_far;
            for (const std::string& piece : random_pieces(random, text)) {
                session->read(piece);
                so_far += piece;
                ASSERT_EQ(session->offset(), so_far.size());
                if (random() % 16 != 0 || !on_border(text, so_far.size())) continue;
                switch (random() % 4) {
                    case 0:
                        session->score(" chunk", random() % 2 == 0);
                        break;
                    case 1:
                        if (!so_far.empty()) session->retrieve({});
                        break;
                    case 2:
                        generate(*session, uint32_t(below(random, 30)));
                        session->rewind(so_far.size());
                        break;
                    default: {
                        size_t to = below(random, so_far.size() + 1);
                        while (!on_border(so_far, to)) --to;
                        session->rewind(to);
                        session->read(so_far.substr(to));
                    }
                }
            }
            const Score score = session->score(" the reader", false);
            ASSERT_EQ(score.tokens, want_score.tokens) << "round " << round;
            ASSERT_EQ(score.nats, want_score.nats) << "round " << round;
            ASSERT_EQ(generate(*session, 25), want) << "round " << round;
        }
    }
}

}  // namespace rpt::reader
