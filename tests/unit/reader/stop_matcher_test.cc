#include "core/reader/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"

namespace rpt::reader {

namespace {

struct Outcome {
    std::string text;
    int stop = -1;
    bool operator==(const Outcome&) const = default;
};

Outcome run(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
    StopMatcher matcher(stops);
    Outcome out;
    for (const std::string& piece : pieces) out.text += matcher.push(piece);
    if (matcher.matched())
        out.stop = int(*matcher.matched());
    else
        out.text += matcher.take_held();
    return out;
}

// The plain twin: for every end, does a stop string end there?
Outcome scan(const std::vector<std::string>& stops, const std::string& text) {
    for (size_t end = 1; end <= text.size(); ++end) {
        int best = -1;
        for (size_t i = 0; i < stops.size(); ++i)
            if (text.substr(0, end).ends_with(stops[i]) &&
                (best < 0 || stops[i].size() > stops[size_t(best)].size()))
                best = int(i);
        if (best >= 0) return {text.substr(0, end - stops[size_t(best)].size()), best};
    }
    return {text, -1};
}

}  // namespace

TEST(StopMatcherTest, matches_across_pieces) {
    const struct {
        std::vector<std::string> stops, pieces;
        Outcome want;
    } table[] = {
        {{"END"}, {"abc", "END", "x"}, {"abc", 0}},
        {{"END"}, {"abcE", "N", "Dx"}, {"abc", 0}},
        {{"END"}, {"abcEN", "x"}, {"abcENx", -1}},
        {{"END"}, {"EENEND"}, {"EEN", 0}},
        {{"\n\n"}, {"a\n", "\nb"}, {"a", 0}},
        {{"abcd", "bc"}, {"ab", "cd"}, {"a", 1}},
        {{"bc", "abc"}, {"xab", "c"}, {"x", 1}},
        {{"bc", "bc"}, {"abc"}, {"a", 0}},
        {{"aab"}, {"a", "a", "a", "b"}, {"a", 0}},
        {{"\xC3\xA9"}, {"\xC3\xA8", "\xC3\xA9"}, {"\xC3\xA8", 0}},
        {{"x"}, {}, {"", -1}},
    };
    for (const auto& row : table) EXPECT_EQ(run(row.stops, row.pieces), row.want);
}

TEST(StopMatcherTest, holds_back_only_what_could_become_a_stop) {
    StopMatcher matcher({"END", "\n\n"});
    EXPECT_EQ(matcher.push("abE"), "ab");
    EXPECT_EQ(matcher.push("Q"), "EQ");
    EXPECT_EQ(matcher.push("\n"), "");
    EXPECT_EQ(matcher.push("c"), "\nc");
}

TEST(StopMatcherTest, equals_plain_scan_for_random_pieces) {
    std::mt19937 random(1);
    const auto text_of = [&](size_t n) {
        std::string text;
        for (size_t i = 0; i < n; ++i) text += "ab"[random() % 2];
        return text;
    };
    for (int round = 0; round < 3000; ++round) {
        std::vector<std::string> stops;
        for (size_t i = 0; i < 1 + random() % 3; ++i) stops.push_back(text_of(1 + random() % 6));
        std::vector<std::string> pieces;
        std::string text;
        for (size_t i = 0; i < random() % 6; ++i)
            text += pieces.emplace_back(text_of(random() % 5));
        ASSERT_EQ(run(stops, pieces), scan(stops, text)) << "round " << round;
    }
}

TEST(StopMatcherTest, refuses_stops_that_cannot_match) {
    EXPECT_THROW(StopMatcher({""}), Error);
    EXPECT_THROW(StopMatcher({"\xC3"}), Error);
}

}  // namespace rpt::reader
