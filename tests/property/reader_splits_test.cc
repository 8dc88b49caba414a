// What a reader leaves or says depends on the text, never on how it was cut.
#include <gtest/gtest.h>

#include <random>

#include "core/reader/document_writer.h"
#include "core/reader/session.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/stored_document.h"
#include "tests/fakes/watched_store.h"
#include "tests/property/random_texts.h"
#include "tests/property/rounds.h"

namespace rpt::reader {

namespace {

struct Reader {
    std::shared_ptr<fakes::FakeEngine> engine = std::make_shared<fakes::FakeEngine>();
    std::shared_ptr<fakes::WatchedStore> store = std::make_shared<fakes::WatchedStore>(*engine);
    std::shared_ptr<storage::Space> space = store->open_space("o", "c", true);

    fakes::StoredDocument write(const std::vector<std::string>& pieces, bool broken,
                                Random* flushes) {
        storage::DocumentSpec spec;
        spec.key = "doc";
        spec.replace = true;
        DocumentWriter writer(
            engine, space, spec,
            broken ? text::Utf8Gate::Mode::kReplace : text::Utf8Gate::Mode::kRefuse,
            store->model().context_tokens, fakes::kSmallBorders);
        for (const std::string& piece : pieces) {
            writer.append(piece);
            if (flushes != nullptr && (*flushes)() % 8 == 0) writer.flush((*flushes)() % 2 == 0);
        }
        writer.finish();
        return fakes::read_document(*space, "doc");
    }
    std::unique_ptr<Session> session() const {
        return std::make_unique<Session>(
            engine, store, std::vector<std::shared_ptr<storage::Space>>{space}, SessionOptions{});
    }
};

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

}  // namespace

TEST(ReaderSplitsTest, documents_do_not_depend_on_splits_and_flushes) {
    Random random(1);
    Reader whole;
    for (int round = 0; round < rounds(60); ++round) {
        const bool broken = round % 3 == 2;
        const std::string text = round % 7 == 6 ? periodic_text(random, below(random, 900))
                                                : random_text(random, below(random, 900), broken);
        const fakes::StoredDocument want = whole.write({text}, broken, nullptr);
        ASSERT_EQ(want.text, text);
        for (const storage::ChunkRecord& record : want.chunks) ASSERT_FALSE(record.provisional);
        // A space of its own for each round: nothing of another one is there to be shared.
        Reader pieces{whole.engine, whole.store,
                      whole.store->open_space("round " + std::to_string(round), "c", true)};
        for (int split = 0; split < 8; ++split) {
            const std::vector<std::string> cut = random_pieces(random, text);
            ASSERT_EQ(fakes::difference(
                          pieces.write(cut, broken, split % 2 == 0 ? &random : nullptr), want),
                      "")
                << "round " << round << ", split " << split;
            if (split % 3 == 2) pieces.space->delete_document("doc");
        }
    }
}

TEST(ReaderSplitsTest, sessions_do_not_depend_on_splits_questions_and_rewinds) {
    Random random(2);
    Reader reader;
    reader.write({random_text(random, 2000, false)}, false, nullptr);
    for (int round = 0; round < rounds(50); ++round) {
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
                if (random() % 16 != 0 || code_point_at(text, so_far.size()) != so_far.size())
                    continue;
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
                        const size_t to = code_point_at(so_far, below(random, so_far.size() + 1));
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
