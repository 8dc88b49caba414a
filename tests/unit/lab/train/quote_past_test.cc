// Passages of a sample's past that are written into it again.
#include "lab/train/quote_past.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace rpt::train {
namespace {

constexpr uint64_t kChunk = 16;
const ShardVocabulary kVocabulary{100000, 0, 1, 2, {}, 3, 4, 5};

std::vector<int32_t> numbered(size_t n) {
    std::vector<int32_t> text(n);
    std::iota(text.begin(), text.end(), 10);
    return text;
}

struct Quote {
    size_t to = 0, from = 0, length = 0;
};

// Of a text that was numbered(): stretches that stand elsewhere than they did.
std::vector<Quote> quotes_in(const std::vector<int32_t>& text) {
    std::vector<Quote> found;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto from = static_cast<size_t>(text[i] - 10);
        if (from == i) continue;
        if (!found.empty() && found.back().to + found.back().length == i &&
            found.back().from + found.back().length == from) {
            ++found.back().length;
        } else {
            found.push_back({i, from, 1});
        }
    }
    return found;
}

TEST(QuotePastTest, passages_stand_across_borders_and_come_from_near_and_far) {
    std::vector<int32_t> text = numbered(4000);
    quote_past({0.5, kChunk}, kVocabulary, 7, 0, text);
    const auto found = quotes_in(text);
    ASSERT_GT(found.size(), 40u);
    size_t across = 0, near = 0, far = 0;
    for (const Quote& quote : found) {
        EXPECT_LE(quote.length, kChunk);
        // The model reads text[p - 1] at p: borders are at 15, 31, ...
        const size_t border =
            (quote.to / kChunk + (quote.to % kChunk == kChunk - 1 ? 1 : 0)) * kChunk + kChunk - 1;
        EXPECT_LT(quote.to, border);
        EXPECT_LE(quote.from + quote.length, quote.to);
        across += quote.to + quote.length > border;
        near += quote.to - quote.from < 8 * kChunk;
        far += quote.to - quote.from > 64 * kChunk;
    }
    // All but those whose passage held a quote itself, which quotes_in() sees in pieces.
    EXPECT_GT(across, found.size() / 2);
    EXPECT_GT(near, found.size() / 8);
    EXPECT_GT(far, found.size() / 8);
}

TEST(QuotePastTest, share_0_changes_nothing_and_draws_repeat) {
    std::vector<int32_t> none = numbered(1000), one = numbered(1000), two = one, other = one;
    quote_past({0, kChunk}, kVocabulary, 7, 3, none);
    EXPECT_EQ(none, numbered(1000));
    quote_past({0.5, kChunk}, kVocabulary, 7, 3, one);
    quote_past({0.5, kChunk}, kVocabulary, 7, 3, two);
    quote_past({0.5, kChunk}, kVocabulary, 7, 4, other);
    EXPECT_EQ(one, two);
    EXPECT_NE(one, other);
    EXPECT_NE(one, none);
}

TEST(QuotePastTest, marks_stay_where_they_are) {
    std::vector<int32_t> text = numbered(4000);
    const std::vector<int32_t> marks = {0, 1, 3, 4, 5};
    for (size_t i = 37; i < text.size(); i += 37) text[i] = marks[i % marks.size()];
    const std::vector<int32_t> before = text;
    quote_past({1, kChunk}, kVocabulary, 7, 0, text);
    EXPECT_NE(text, before);
    for (size_t i = 0; i < text.size(); ++i) {
        const bool was = before[i] < 10, is = text[i] < 10;
        EXPECT_EQ(was, is) << i;
        if (was) {
            EXPECT_EQ(text[i], before[i]);
        }
    }
}

TEST(QuotePastTest, what_is_too_short_to_have_a_past_is_left_alone) {
    for (const size_t n : {size_t{0}, size_t{1}, size_t{kChunk / 2}, size_t{kChunk}}) {
        std::vector<int32_t> text = numbered(n);
        quote_past({1, kChunk}, kVocabulary, 7, 0, text);
        EXPECT_EQ(text, numbered(n));
    }
}

}  // namespace
}  // namespace rpt::train
