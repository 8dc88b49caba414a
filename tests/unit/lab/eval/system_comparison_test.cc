#include "lab/eval/system_comparison.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace rpt::eval {
namespace {

// Two documents of 3 and 2 entries of 2 tokens (the first of a span has 1), every token with
// `nats`.
Reading reading_of(double nats, const std::string& flags, bool retrieves) {
    Reading reading;
    reading.chunk = 2;
    reading.retrieves = retrieves;
    size_t at = 0;
    for (const int64_t entries : {3, 2}) {
        ReadDocument d;
        d.id = std::to_string(entries);
        d.collection = entries == 3 ? "math" : "books";
        d.spans = {entries};
        for (int64_t e = 0; e < entries; ++e) {
            d.chunk_tokens.push_back(e == 0 ? 1 : 2);
            d.chunk_nats.push_back(nats * static_cast<double>(d.chunk_tokens.back()));
            d.tokens += d.chunk_tokens.back();
            d.nats += d.chunk_nats.back();
        }
        d.chunk_flags = flags.substr(at, entries);
        at += entries;
        reading.documents.push_back(d);
    }
    return reading;
}

TEST(SystemComparisonTest, difference_is_nats_a_token_over_documents) {
    const System a{"a", "own", {reading_of(2.0, ".01.0", true)}};
    const System b{"b", "none", {reading_of(2.5, ".00.0", false)}};
    const Difference d = compare_systems(a, b, {});
    EXPECT_DOUBLE_EQ(d.mean, -0.5);
    EXPECT_DOUBLE_EQ(d.low, -0.5);
    EXPECT_DOUBLE_EQ(d.high, -0.5);
}

TEST(SystemComparisonTest, several_trainings_count_with_their_mean_and_widen_the_interval) {
    const System a{"a", "own", {reading_of(2.0, ".01.0", true), reading_of(2.4, ".01.0", true)}};
    const System b{"b", "none", {reading_of(2.5, ".00.0", false)}};
    const Difference d = compare_systems(a, b, {});
    EXPECT_NEAR(d.mean, -0.3, 1e-12);
    EXPECT_NEAR(d.low, -0.5, 1e-12);  // both draws are the first training
    EXPECT_NEAR(d.high, -0.1, 1e-12);
}

TEST(SystemComparisonTest, gain_is_split_by_what_was_retrieved) {
    Reading better = reading_of(2.5, ".01.0", true);
    better.documents[0].chunk_nats[2] -= 1.0;  // the entry with gold, 2 tokens
    better.documents[0].nats -= 1.0;
    const System a{"a", "own", {better}};
    const System b{"b", "none", {reading_of(2.5, ".00.0", false)}};
    ASSERT_TRUE(chunks_fit(a, b));
    const auto parts = compare_by_gold(a, b, {});
    EXPECT_EQ(parts.at("no_pool").tokens, 2);
    EXPECT_EQ(parts.at("no_gold").tokens, 4);
    EXPECT_EQ(parts.at("gold").tokens, 2);
    EXPECT_DOUBLE_EQ(parts.at("gold").difference.mean, -0.5);
    EXPECT_DOUBLE_EQ(parts.at("gold").a, 2.0);
    EXPECT_DOUBLE_EQ(parts.at("no_gold").difference.mean, 0.0);
    // the other way round the same system says where gold is
    EXPECT_DOUBLE_EQ(compare_by_gold(b, a, {}).at("gold").difference.mean, 0.5);
    ComparisonOptions books;
    books.collection = "books";
    EXPECT_FALSE(compare_by_gold(a, b, books).contains("gold"));
}

TEST(SystemComparisonTest, position_is_that_of_the_first_token_of_the_entry) {
    Reading reading;
    reading.chunk = 512;
    ReadDocument d;
    d.id = "long";
    d.spans = {4, 1};  // tokens 0, 511, 1023, 1535; a second span begins again at 0
    d.chunk_tokens = {511, 512, 512, 100, 7};
    d.chunk_nats = {511, 512, 512, 100, 7};
    d.chunk_flags = ".....";
    d.tokens = 1642;
    d.nats = 1642;
    reading.documents = {d};
    const System a{"a", "none", {reading}};
    const auto parts = compare_by_position(a, a, {});
    EXPECT_EQ(parts.at(0).tokens, 511 + 512 + 7);
    EXPECT_EQ(parts.at(512).tokens, 512);
    EXPECT_EQ(parts.at(1024).tokens, 100);
    EXPECT_DOUBLE_EQ(parts.at(1024).difference.mean, 0);
}

TEST(SystemComparisonTest, other_documents_are_refused_and_other_chunks_not_split) {
    const System a{"a", "own", {reading_of(2.0, ".01.0", true)}};
    System b = a;
    EXPECT_NO_THROW(require_same_documents({a, b}));
    b.trainings[0].documents[1].spans = {1, 1};
    EXPECT_FALSE(chunks_fit(a, b));
    b.trainings[0].documents[1].tokens += 1;
    EXPECT_THROW(require_same_documents({a, b}), Error);
    b = a;
    b.trainings[0].documents.pop_back();
    EXPECT_THROW(require_same_documents({a, b}), Error);
}

}  // namespace
}  // namespace rpt::eval
