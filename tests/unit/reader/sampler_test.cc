#include "core/reader/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "tests/fakes/fake_engine.h"

namespace rpt::reader {

namespace {

const text::Tokenizer& tokenizer() {
    static const std::shared_ptr<const text::Tokenizer>& shared =
        *new std::shared_ptr<const text::Tokenizer>(fakes::small_tokenizer());
    return *shared;
}

// Low everywhere but at a few ordinary tokens.
std::vector<float> logits_of(const std::map<int32_t, float>& peaks) {
    std::vector<float> logits(size_t(tokenizer().vocab_size()), -30);
    for (const auto& [id, logit] : peaks) logits[size_t(id)] = logit;
    return logits;
}

std::map<int32_t, int> draw(const GenerateOptions& options, const std::map<int32_t, float>& peaks,
                            int n, const std::vector<int32_t>& recent = {}) {
    Sampler sampler(options, tokenizer());
    std::map<int32_t, int> counts;
    for (int i = 0; i < n; ++i) {
        std::vector<float> logits = logits_of(peaks);
        ++counts[sampler.sample(logits, recent)];
    }
    return counts;
}

}  // namespace

TEST(SamplerTest, greedy_takes_the_highest_and_the_lower_id_of_a_tie) {
    EXPECT_EQ(draw({}, {{100, 1}, {50, 2}, {60, 2}}, 1), (std::map<int32_t, int>{{50, 1}}));
}

TEST(SamplerTest, special_tokens_never_come_but_the_end) {
    const text::Tokenizer& t = tokenizer();
    EXPECT_EQ(draw({}, {{t.bos(), 9}, {t.pad(), 8}, {50, 1}}, 1).begin()->first, 50);
    EXPECT_EQ(draw({}, {{t.eos(), 9}, {50, 1}}, 1).begin()->first, t.eos());
    GenerateOptions hot;
    hot.temperature = 1000;
    hot.seed = 3;
    for (const auto& [id, count] : draw(hot, {}, 3000))
        EXPECT_TRUE(!t.is_special(id) || id == t.eos());
}

TEST(SamplerTest, frequencies_follow_the_probabilities) {
    GenerateOptions options;
    options.temperature = 2;
    options.seed = 11;
    // exp(x / 2): 1 : 3
    const auto counts = draw(options, {{50, 0}, {60, 2 * std::log(3.0f)}}, 4000);
    EXPECT_NEAR(counts.at(60) / 4000.0, 0.75, 0.03);
    EXPECT_EQ(counts.size(), 2u);
}

TEST(SamplerTest, top_k_and_top_p_cut_the_tail) {
    GenerateOptions options;
    options.temperature = 1;
    options.seed = 5;
    options.top_k = 2;
    EXPECT_EQ(draw(options, {{50, 1}, {60, 1.1f}, {70, 0.9f}}, 500).size(), 2u);
    options.top_k = 0;
    options.top_p = 0.5f;  // 50 has 0.6 alone
    EXPECT_EQ(draw(options, {{50, std::log(6.0f)}, {60, std::log(4.0f)}}, 500).size(), 1u);
    options.top_p = 0.7f;
    EXPECT_EQ(draw(options, {{50, std::log(6.0f)}, {60, std::log(4.0f)}}, 500).size(), 2u);
}

TEST(SamplerTest, repeat_penalty_divides_positive_and_multiplies_negative_logits) {
    GenerateOptions options;
    options.repeat_penalty = 2;
    EXPECT_EQ(draw(options, {{50, 3}, {60, 2}}, 1, {50}).begin()->first, 60);
    EXPECT_EQ(draw(options, {{50, -1}, {60, -1.5f}}, 1, {50}).begin()->first, 60);
    options.repeat_window = 1;
    EXPECT_EQ(draw(options, {{50, 3}, {60, 2}}, 1, {50, 70}).begin()->first, 50);
}

TEST(SamplerTest, same_seed_same_draws) {
    GenerateOptions options;
    options.temperature = 1;
    options.seed = 42;
    Sampler a(options, tokenizer()), b(options, tokenizer());
    options.seed = 43;
    Sampler c(options, tokenizer());
    bool differs = false;
    for (int i = 0; i < 50; ++i) {
        std::vector<float> x(size_t(tokenizer().vocab_size())), y = x, z = x;
        const int32_t first = a.sample(x, {});
        EXPECT_EQ(first, b.sample(y, {}));
        differs = differs || first != c.sample(z, {});
    }
    EXPECT_TRUE(differs);
}

TEST(SamplerTest, refuses_options_out_of_range_and_logits_without_numbers) {
    GenerateOptions options;
    options.temperature = -1;
    EXPECT_THROW(Sampler(options, tokenizer()), Error);
    options.temperature = NAN;
    EXPECT_THROW(Sampler(options, tokenizer()), Error);
    options = {};
    options.top_p = 1.5f;
    EXPECT_THROW(Sampler(options, tokenizer()), Error);
    Sampler sampler({}, tokenizer());
    std::vector<float> logits(size_t(tokenizer().vocab_size()), NAN);
    EXPECT_THROW(sampler.sample(logits, {}), Error);
}

}  // namespace rpt::reader
