// States that a budget took from the disk are made again and change no answer.
#include <gtest/gtest.h>

#include "core/reader/segment_encoder.h"
#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {

class DroppedStatesTest : public SessionFixture {
  protected:
    // Nothing of a document stays in memory.
    DroppedStatesTest() { open_store(); }
    void open_store() {
        store_ = std::make_shared<fakes::WatchedStore>(*engine_, uint64_t{1});
        space_ = store_->open_space("o", "c", true);
    }
    void write_document(const std::string& key, const std::string& text, bool discard_text,
                        bool finish = true, text::SegmenterOptions borders = fakes::kSmallBorders) {
        storage::DocumentSpec spec;
        spec.key = key;
        spec.discard_text = discard_text;
        DocumentWriter writer(engine_, space_, spec, text::Utf8Gate::Mode::kRefuse,
                              store_->model().context_tokens, borders);
        writer.append(text);
        writer.flush(true);
        if (finish) writer.finish();
    }
    // The least budget that the space can keep; all states go.
    void drop_all_states() {
        uint64_t too_small = 0, enough = uint64_t{1} << 30;
        while (enough - too_small > 1) {
            const uint64_t bytes = too_small + (enough - too_small) / 2;
            if (status_of([&] { space_->set_budget(bytes); }) == Status::kOk) {
                enough = bytes;
            } else {
                too_small = bytes;
            }
        }
        space_->set_budget(enough);
        ASSERT_EQ(store_->stats().state_bytes_disk, 0u);
    }
    // The answers, and every neighbour that the model was shown.
    std::pair<std::string, std::vector<std::pair<uint64_t, std::vector<uint64_t>>>> answers() {
        engine_->neighbours_set.clear();
        std::string all;
        for (const std::string& text :
             {long_text(), std::string("the chunk of the document reads what"),
              std::string("for (int i = 0; i < n")}) {
            SessionOptions options;
            options.retrieve.k = 4;
            auto s = session(options);
            s->read(text);
            all += fingerprint(*s) + "\n";
        }
        return {all, engine_->neighbours_set};
    }
};

TEST_F(DroppedStatesTest, answers_are_the_same_as_before) {
    write_document("c", long_text() + long_text(), false);
    write_document("secret", "so " + long_text(), true);
    write_document("unfinished", long_text() + " gr", false, false);
    const auto want = answers();
    EXPECT_EQ(store_->dropped_states, 0);
    drop_all_states();
    EXPECT_EQ(answers(), want);
    EXPECT_GT(store_->dropped_states, 20);
    EXPECT_EQ(store_->stats().state_bytes_disk, 0u);  // no room to keep them
}

TEST_F(DroppedStatesTest, answers_of_discarded_texts_alone_are_the_same_as_before) {
    space_->delete_document("a");
    space_->delete_document("b");
    write_document("secret", long_text(), true);
    const auto want = answers();
    drop_all_states();
    EXPECT_EQ(answers(), want);
    EXPECT_GT(store_->dropped_states, 20);
}

TEST_F(DroppedStatesTest, shared_segments_are_made_again_wherever_they_stand_first) {
    write_document("c", long_text(), false);
    write_document("d", "first of all " + long_text() + "the end", false);
    const auto want = answers();
    drop_all_states();
    // What was first is gone; its segments stand elsewhere behind other texts.
    const auto dropped = answers();
    EXPECT_EQ(dropped, want);
    space_->set_budget(0);
    space_->delete_document("c");
    const auto without = answers();  // makes the rest again and keeps it
    EXPECT_EQ(answers(), without);
}

TEST_F(DroppedStatesTest, states_made_again_are_kept_where_there_is_room) {
    write_document("c", long_text(), false);
    const auto want = answers();
    drop_all_states();
    space_->set_budget(0);
    EXPECT_EQ(answers(), want);
    EXPECT_GT(store_->stats().state_bytes_disk, 0u);
    store_->dropped_states = 0;
    EXPECT_EQ(answers(), want);
    EXPECT_EQ(store_->dropped_states, 0);
}

TEST_F(DroppedStatesTest, chunks_made_again_equal_those_of_the_document) {
    write_document("c", long_text(), false);
    std::vector<std::vector<float>> want;
    for (uint64_t i = 0; auto chunk = space_->read_chunk("c", i); ++i)
        want.push_back(chunk->states);
    drop_all_states();
    EXPECT_TRUE(space_->read_chunk("c", 0)->states.empty());
    const SegmentEncoder encoder(*engine_, store_->model().context_tokens);
    size_t at = 0;
    for (const storage::SegmentInfo& segment : space_->list_segments("c")) {
        const auto tokens = store_->read_segment_tokens(segment.id, 2 * encoder.context_tokens());
        ASSERT_TRUE(tokens.has_value());
        std::vector<std::vector<float>> made;
        for (engine::EncodedChunk& chunk : encoder.again(tokens->context, tokens->tokens))
            made.push_back(std::move(chunk.states));
        for (const auto& states : store_->restore_states(segment.id, made))
            EXPECT_EQ(*states, want[at++]);
    }
    EXPECT_EQ(at, want.size());
}

// States that are most of what a chunk takes, and more of them than the least budget holds.
class BudgetTest : public DroppedStatesTest {
  protected:
    BudgetTest() {
        engine_->mutable_config().chunk = 16;
        engine_->mutable_config().dim = 64;
        open_store();
    }
};

TEST_F(BudgetTest, store_with_a_budget_answers_as_one_without) {
    std::string text;
    for (int i = 0; text.size() < 25000; ++i)
        text += "the reader " + std::to_string(i) + " reads the chunk " + std::to_string(i * i) +
                "; and the window moves on.\n";
    write_document("c", text, false, true, {200, 1000});
    const auto want = answers();
    const uint64_t states = store_->stats().state_bytes_disk;
    store_->set_budget(1 << 20);
    EXPECT_LE(store_->stats().disk_bytes, uint64_t{1} << 20);
    EXPECT_LT(store_->stats().state_bytes_disk, states);
    EXPECT_EQ(answers(), want);
    EXPECT_GT(store_->dropped_states, 0);
    // States that were made again took the place of others.
    EXPECT_LE(store_->stats().disk_bytes, (uint64_t{1} << 20) * 101 / 100);
}

}  // namespace rpt::reader
