// A document depends on its text alone: however it was appended, flushed, spliced and resumed, it
// equals one that read the final text from the start where nothing else is.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "core/reader/document_writer.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/stored_document.h"
#include "tests/fakes/watched_store.h"
#include "tests/property/random_texts.h"
#include "tests/property/rounds.h"

namespace rpt::reader {

namespace {

using Mode = text::Utf8Gate::Mode;

struct Workshop {
    std::shared_ptr<const fakes::FakeEngine> engine;
    uint32_t context_tokens;
    text::SegmenterOptions borders;
    Mode mode = Mode::kRefuse;
    std::shared_ptr<storage::Space> space;

    std::unique_ptr<DocumentWriter> begin() const {
        storage::DocumentSpec spec;
        spec.key = "doc";
        spec.replace = true;
        return std::make_unique<DocumentWriter>(engine, space, spec, mode, context_tokens, borders);
    }
    std::unique_ptr<DocumentWriter> resume() const {
        return std::make_unique<DocumentWriter>(engine, space, "doc", mode, context_tokens,
                                                borders);
    }
};

// Mostly words, or a text without anything to cut at.
std::string some_text(Random& random, size_t size, bool periodic, bool broken) {
    return periodic ? periodic_text(random, size) : random_text(random, size, broken);
}

// A span between code points: small ones, large ones, the begin, the end, all.
ByteSpan some_span(Random& random, const std::string& text) {
    if (random() % 16 == 0) return {0, text.size()};
    size_t begin = below(random, text.size() + 1);
    if (random() % 5 == 0) begin = 0;
    if (random() % 5 == 0) begin = text.size();
    const size_t most = random() % 6 == 0 ? text.size() : 30;
    size_t end = random() % 3 == 0 ? begin : std::min(begin + below(random, most), text.size());
    if (random() % 8 == 0) end = text.size();
    begin = code_point_at(text, begin);
    return {begin, std::max(begin, code_point_at(text, end))};
}

struct Plan {
    int rounds, seed;
    bool broken;
    uint32_t context_tokens;
    text::SegmenterOptions borders;
};

void run(const Plan& plan) {
    Random random(unsigned(plan.seed));
    const auto engine = std::make_shared<fakes::FakeEngine>();
    const auto changed_store =
                   std::make_shared<fakes::WatchedStore>(*engine, plan.context_tokens, 0),
               fresh_store = std::make_shared<fakes::WatchedStore>(*engine, plan.context_tokens, 0);
    const Mode mode = plan.broken ? Mode::kReplace : Mode::kRefuse;
    // Keeps what earlier rounds left, so that segments are shared with what was replaced.
    const Workshop changed{engine, plan.context_tokens, plan.borders, mode,
                           changed_store->open_space("o", "c", true)};
    for (int round = 0; round < rounds(plan.rounds); ++round) {
        const bool periodic = !plan.broken && random() % 4 == 0;
        const size_t most = random() % 4 == 0 ? 3000 : 700;
        auto writer = changed.begin();
        std::string text, log;
        const auto append = [&](const std::string& bytes) {
            for (const std::string& piece : random_pieces(random, bytes)) writer->append(piece);
            text += bytes;
            log += " append " + std::to_string(bytes.size());
        };
        append(some_text(random, below(random, most), periodic, plan.broken));
        const size_t n_changes = below(random, 9);
        for (size_t i = 0; i < n_changes; ++i) {
            switch (random() % (plan.broken ? 5 : 10)) {
                case 0:
                case 1:
                    append(some_text(random, below(random, 150), periodic, plan.broken));
                    break;
                case 2:
                    writer->flush(true);
                    log += " flush all";
                    break;
                case 3:
                    writer->flush(false);
                    log += " flush";
                    break;
                case 4:
                    writer->finish();
                    writer.reset();
                    writer = changed.resume();
                    log += " resume";
                    break;
                default: {
                    const ByteSpan where = some_span(random, text);
                    const std::string bytes =
                        random() % 3 == 0
                            ? std::string()
                            : some_text(random, below(random, random() % 5 == 0 ? 400 : 20),
                                        periodic && random() % 2 == 0, false);
                    log += " splice " + std::to_string(where.begin) + " " +
                           std::to_string(where.end) + " " + std::to_string(bytes.size());
                    const SpliceResult result = writer->splice(where, bytes);
                    text.replace(where.begin, where.size(), bytes);
                    ASSERT_LE(result.bytes.begin, where.begin) << log;
                    ASSERT_GE(result.bytes.end, where.begin + bytes.size()) << log;
                    ASSERT_LE(result.bytes.end, text.size()) << log;
                }
            }
            ASSERT_EQ(writer->bytes_accepted(), text.size()) << log;
        }
        writer->finish();
        writer.reset();

        const std::string owner = "round " + std::to_string(round);
        const Workshop fresh{engine, plan.context_tokens, plan.borders, mode,
                             fresh_store->open_space(owner, "c", true)};
        auto reader = fresh.begin();
        reader->append(text);
        reader->finish();
        const fakes::StoredDocument want = fakes::read_document(*fresh.space, "doc");
        ASSERT_EQ(want.text, text);
        ASSERT_EQ(fakes::difference(fakes::read_document(*changed.space, "doc"), want), "")
            << "round " << round << ":" << log;
        reader.reset();
        fresh_store->drop_space(owner, "c");
        if (random() % 8 == 0) changed.space->delete_document("doc");
    }
}

}  // namespace

TEST(ReaderSplicesTest, document_depends_on_its_text_alone) {
    run({300, 1, false, 8, fakes::kSmallBorders});
}

TEST(ReaderSplicesTest, document_of_invalid_bytes_depends_on_its_text_alone) {
    run({100, 2, true, 8, fakes::kSmallBorders});
}

// Segments of a few tokens, of which many lie within one context.
TEST(ReaderSplicesTest, document_of_tiny_segments_depends_on_its_text_alone) {
    run({150, 3, false, 24, {1, 5}});
    run({150, 4, false, 24, {4, 12}});
    run({150, 5, true, 24, {2, 6}});
}

TEST(ReaderSplicesTest, document_depends_on_its_text_alone_for_any_context) {
    for (const uint32_t context : {1u, 4u, 10u, 15u, 64u})
        run({60, 10 + int(context), false, context, {6, 30}});
}

// While the text before a segment is shorter than what it may see, what it sees grows chunk by
// chunk: a first token that one segment does not see may be seen by a later one.
TEST(ReaderSplicesTest, change_of_the_first_token_reaches_all_that_see_it) {
    Random random(6);
    const auto engine = std::make_shared<fakes::FakeEngine>();
    const auto changed_store = std::make_shared<fakes::WatchedStore>(*engine, 64u, 0),
               fresh_store = std::make_shared<fakes::WatchedStore>(*engine, 64u, 0);
    for (int round = 0; round < rounds(100); ++round) {
        const std::string owner = "round " + std::to_string(round);
        const Workshop changed{
            engine, 64, {2, 8}, Mode::kRefuse, changed_store->open_space(owner, "c", true)},
            fresh{engine, 64, {2, 8}, Mode::kRefuse, fresh_store->open_space(owner, "c", true)};
        const std::string text = random_text(random, 400, false);
        auto writer = changed.begin();
        writer->append("x " + text);
        writer->splice({0, 1}, "y");
        writer->finish();
        auto reader = fresh.begin();
        reader->append("y " + text);
        reader->finish();
        ASSERT_EQ(fakes::difference(fakes::read_document(*changed.space, "doc"),
                                    fakes::read_document(*fresh.space, "doc")),
                  "")
            << "round " << round;
    }
}

}  // namespace rpt::reader
