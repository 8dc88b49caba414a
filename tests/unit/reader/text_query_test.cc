#include "core/reader/text_query.h"

#include <gtest/gtest.h>

namespace rpt::reader {

namespace {

// With a token for every character, chunks of 64.
size_t question_of(const std::string& text) {
    Sequence sequence(0);
    for (const char c : text) {
        sequence.text += c;
        sequence.push(c, 1);
    }
    model::ModelConfig config;
    config.chunk = 64;
    return question_tokens(config, sequence);
}

}  // namespace

TEST(question, is_the_last_line) {
    EXPECT_EQ(question_of("what stands before\nwho?"), 4u);
    EXPECT_EQ(question_of("what stands before\n\nwho was it?"), 11u);
    EXPECT_EQ(question_of("what stands before\nwho was it?\n"), 12u);  // the end of the line too
    EXPECT_EQ(question_of(std::string(100, 'x') + "\n" + std::string(16, 'y')), 16u);
}

TEST(question, reaches_back_until_there_are_four_tokens) {
    EXPECT_EQ(question_of("before\nwho?\nA:"), 7u);
    EXPECT_EQ(question_of("before\nwho\n\n"), 5u);
}

TEST(question, of_a_long_line_is_its_end) {
    EXPECT_EQ(question_of(std::string(17, 'x')), 8u);
    EXPECT_EQ(question_of("short\n" + std::string(17, 'x')), 8u);
}

TEST(question, of_a_short_text_is_all_of_it) {
    EXPECT_EQ(question_of(""), 1u);      // the begin of text
    EXPECT_EQ(question_of("who?"), 5u);  // with it
}

}  // namespace rpt::reader
