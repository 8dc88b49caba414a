// Schedules, targets and the choice of neighbours: everything around the loss that needs no tensor.
#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/train/candidates.h"
#include "lab/train/counter_random.h"
#include "lab/train/neighbour_choice.h"
#include "lab/train/schedules.h"
#include "lab/train/train_config.h"

namespace rpt::train {
namespace {

TEST(SchedulesTest, schedules_give_the_golden_values) {  // spec A.3
    EXPECT_NEAR(own_probability(0, 0.01, 1.0, 56250), 0.01, 1e-12);
    EXPECT_NEAR(own_probability(5625, 0.01, 1.0, 56250), 0.03423, 5e-6);
    EXPECT_NEAR(own_probability(14062, 0.01, 1.0, 56250), 0.15497, 5e-6);
    EXPECT_NEAR(own_probability(28125, 0.01, 1.0, 56250), 0.505, 1e-9);
    EXPECT_NEAR(own_probability(42187, 0.01, 1.0, 56250), 0.85501, 1e-5);
    EXPECT_NEAR(own_probability(50625, 0.01, 1.0, 56250), 0.97577, 5e-6);
    EXPECT_EQ(own_probability(56250, 0.01, 1.0, 56250), 1.0);
    EXPECT_EQ(own_probability(99999, 0.01, 1.0, 56250), 1.0);
    EXPECT_EQ(linear_ramp(0, 1, 4, 56250), 1.0);
    EXPECT_EQ(linear_ramp(28125, 1, 4, 56250), 2.5);
    EXPECT_EQ(linear_ramp(56250, 1, 4, 56250), 4.0);
    EXPECT_EQ(linear_ramp(99999, 1, 4, 56250), 4.0);
    const auto rate = [](int64_t step) { return learning_rate(step, 5e-3, 5e-4, 2000, 500000); };
    EXPECT_NEAR(rate(1000), 0.00250005, 1e-10);
    EXPECT_NEAR(rate(2000), 0.005, 1e-12);
    EXPECT_NEAR(rate(50000), 0.00489763, 5e-9);
    EXPECT_NEAR(rate(251000), 0.00275, 1e-12);
    EXPECT_NEAR(rate(500000), 0.0005, 1e-12);
}

TEST(SchedulesTest, ramps_of_no_length_are_at_their_end) {
    EXPECT_EQ(linear_ramp(0, 0, 2, 0), 2.0);
    EXPECT_EQ(own_probability(0, 0.5, 1.0, 0), 1.0);
}

// Blocks of one chunk under the paper's rule: chunk i may retrieve chunks 0 .. i - 2.
model::ModelConfig small_model() {
    model::ModelConfig config;
    config.chunk = 4;
    config.stride = 4;
    config.pool = model::PoolRule::kPaper;
    return config;
}

TEST(NeighbourChoiceTest, teacher_and_own_choose_the_golden_chunks) {  // spec A.2
    const std::vector<float> scores = {0.9f, -0.3f, 0.4f, 0.1f, 1.2f, -0.8f};
    EXPECT_EQ(top_k(scores, 5, 2), (std::vector<int32_t>{4, 0}));
    const std::vector<int32_t> chunk = {0, 2, 3, -1};
    const std::vector<float> target = {0.30f, -0.10f, 0.05f, 0.0f};
    EXPECT_EQ(teacher_top_k(chunk, target, 2), (std::vector<int32_t>{0, 3}));
    EXPECT_EQ(teacher_top_k(chunk, target, 5), (std::vector<int32_t>{0, 3}));
}

TEST(NeighbourChoiceTest, top_k_breaks_ties_to_the_lower_number_and_stops_at_the_pool) {
    const std::vector<float> scores = {1, 2, 2, 1};
    EXPECT_EQ(top_k(scores, 4, 3), (std::vector<int32_t>{1, 2, 0}));
    EXPECT_EQ(top_k(scores, 1, 3), (std::vector<int32_t>{0}));
    EXPECT_TRUE(top_k(scores, -3, 2).empty());
}

Sample sample_of(const model::ModelConfig& config, int64_t l) {
    Sample sample;
    sample.inputs.assign(l * config.chunk, 0);
    sample.own_draws.assign(l, 0.5f);
    sample.candidates.width = 2;
    sample.candidates.chunk.assign(l * 2, -1);
    sample.candidates.score.assign(l * 2, 0.0f);
    return sample;
}

TEST(NeighbourChoiceTest, teacher_rows_are_filled_with_own_chunks) {
    const auto config = small_model();
    const int64_t l = 6;
    Sample sample = sample_of(config, l);
    sample.candidates.chunk[5 * 2] = 1;  // chunk 5 has one good chunk, 2 is not good
    sample.candidates.score[5 * 2] = 0.7f;
    sample.candidates.chunk[5 * 2 + 1] = 2;
    sample.candidates.score[5 * 2 + 1] = -0.7f;
    std::vector<float> scores(l * l, 0.0f);
    scores[5 * l + 1] = 5;
    scores[5 * l + 3] = 4;
    scores[5 * l + 4] = 9;  // not in the pool
    const auto teacher = choose_neighbours(config, sample, scores, 0.0);
    EXPECT_EQ(teacher[5 * 2], 1);
    EXPECT_EQ(teacher[5 * 2 + 1], 3);
    const auto own = choose_neighbours(config, sample, scores, 1.0);
    EXPECT_EQ(own[5 * 2], 1);
    EXPECT_EQ(own[5 * 2 + 1], 3);
    EXPECT_EQ(own[2 * 2], 0);  // a pool of one chunk
    EXPECT_EQ(own[2 * 2 + 1], -1);
    EXPECT_EQ(own[1 * 2], -1);
    sample.withheld = true;
    EXPECT_EQ(choose_neighbours(config, sample, scores, 1.0), std::vector<int64_t>(l * 2, -1));
}

TEST(CandidatesTest, valid_pairs_are_those_of_the_golden_query) {  // spec A.2: 7 pairs
    const auto config = small_model();
    ChunkLists lists;
    lists.width = 3;
    lists.chunk.assign(7 * 3, -1);
    lists.score.assign(7 * 3, 0.0f);
    const std::vector<int32_t> chunk = {0, 2, 3};
    const std::vector<float> target = {0.30f, -0.10f, 0.05f};
    std::copy(chunk.begin(), chunk.end(), lists.chunk.begin() + 6 * 3);
    std::copy(target.begin(), target.end(), lists.score.begin() + 6 * 3);
    ASSERT_EQ(model::last_retrievable(config, 6), 4);
    EXPECT_EQ(count_valid_pairs(config, lists), 7);
}

// Ten chunks of four tokens; chunk 9 = chunk 1, and chunk 8 shares its tokens with nobody.
std::vector<int32_t> repetitive_tokens() {
    std::vector<int32_t> tokens;
    for (int32_t c = 0; c < 10; ++c) {
        for (int32_t t = 0; t < 4; ++t) tokens.push_back(c == 9 ? 4 + t : 4 * c + t);
    }
    return tokens;
}

TEST(CandidatesTest, targets_point_at_the_chunk_that_repeats) {
    const auto config = small_model();
    TrainOptions options;
    options.candidates = 5;
    const auto lists = make_candidates(config, options, repetitive_tokens(), 40);
    EXPECT_EQ(lists.chunk[8 * 5], 1);  // c_9 equals c_1
    EXPECT_FLOAT_EQ(lists.score[8 * 5], 1.0f);
    EXPECT_EQ(lists.chunk[8 * 5 + 1], -1);
    EXPECT_EQ(lists.chunk[7 * 5], -1);  // neither c_7 nor c_8 occurred before
    EXPECT_EQ(lists.chunk[9 * 5], -1);  // the last chunk has no target
}

TEST(CandidatesTest, a_share_leaves_out_what_matches_by_chance) {
    const auto config = small_model();
    TrainOptions options;
    options.candidates = 5;
    auto tokens = repetitive_tokens();
    tokens[4 * 7] = 2 * 4;  // c_7 shares one token with c_2
    const auto all = make_candidates(config, options, tokens, 40);
    EXPECT_EQ(all.chunk[6 * 5], 2);
    EXPECT_EQ(all.chunk[8 * 5], 1);
    options.candidate_share = 0.25;
    const auto matching = make_candidates(config, options, tokens, 40);
    EXPECT_EQ(matching.chunk[6 * 5], -1);  // one of eight
    EXPECT_EQ(matching.chunk[8 * 5], 1);   // four of eight
    options.candidate_share = 0.75;
    EXPECT_EQ(make_candidates(config, options, tokens, 40).chunk[8 * 5], -1);
}

TEST(CandidatesTest, without_a_share_even_scores_below_0_count) {
    const auto config = small_model();
    TrainOptions options;
    options.candidates = 5;
    const std::vector<int32_t> same(40, 7);  // a token of every chunk: its idf is below 0
    EXPECT_GE(make_candidates(config, options, same, 40).chunk[8 * 5], 0);
}

TEST(CandidatesTest, padding_has_no_candidates_and_is_none) {
    const auto config = small_model();
    TrainOptions options;
    const auto lists =
        make_candidates(config, options, repetitive_tokens(), 38);  // chunk 9 is not whole
    for (const int32_t chunk : lists.chunk) EXPECT_EQ(chunk, -1);
}

TEST(CandidatesTest, lexical_proxy_counts_what_the_near_context_lacks) {
    const auto config = small_model();
    TrainOptions options;
    options.candidates = 5;
    options.targets = TargetKind::kLexicalProxy;
    options.proxy_threshold = 0;
    auto tokens = repetitive_tokens();
    const auto far = make_candidates(config, options, tokens, 40);
    EXPECT_GT(far.score[8 * 5], 0.0f);
    for (int32_t t = 0; t < 4; ++t)
        tokens[28 + t] = 4 + t;  // now the near context c_7 says the same
    const auto near = make_candidates(config, options, tokens, 40);
    EXPECT_EQ(near.chunk[8 * 5], 1);
    EXPECT_EQ(near.score[8 * 5], 0.0f);
}

TEST(CandidatesTest, given_neighbours_see_the_target_only_when_asked) {
    const auto config = small_model();
    const auto tokens = repetitive_tokens();
    EXPECT_EQ(make_given_neighbours(config, GivenQuery::kChunk, 2, tokens, 40).chunk[8 * 2], -1);
    EXPECT_EQ(
        make_given_neighbours(config, GivenQuery::kChunkAndTarget, 2, tokens, 40).chunk[8 * 2], 1);
    EXPECT_EQ(make_given_neighbours(config, GivenQuery::kChunk, 2, tokens, 40).chunk[9 * 2], 1);
}

TEST(TrainConfigTest, config_survives_its_own_json) {
    TrainConfig config;
    config.data = {{"a.shard", 2.0}, {"b.shard", 0.5}};
    config.validation = {"v.shard"};
    config.train.lr = 0.0123;
    config.train.targets = TargetKind::kLexicalProxy;
    config.train.sampling_per_chunk = false;
    const auto again = TrainConfig::from_json(config.to_json());
    EXPECT_EQ(again.to_json(), config.to_json());
    EXPECT_EQ(again.train.lr, 0.0123);
    EXPECT_EQ(again.data[1].weight, 0.5);
}

std::string refusal(const std::string& json, const std::vector<std::string>& overrides = {}) {
    try {
        TrainConfig::from_json(json, overrides);
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kArgument);
        return error.what();
    }
    return "";
}

TEST(TrainConfigTest, config_refuses_unknown_and_unfit_keys_by_name) {
    const std::string data = R"("data":[{"shard":"a"}])";
    EXPECT_NE(refusal("{" + data + R"(,"train":{"lrr":1}})").find("train.lrr"), std::string::npos);
    EXPECT_NE(refusal("{" + data + R"(,"extra":1})").find("extra"), std::string::npos);
    EXPECT_NE(refusal("{" + data + R"(,"train":{"steps":1.5}})").find("train.steps"),
              std::string::npos);
    EXPECT_NE(refusal("{" + data + R"(,"train":{"targets":"magic"}})").find("bm25_rank"),
              std::string::npos);
    EXPECT_NE(refusal("{" + data + R"(,"train":{"length":100}})").find("train.length"),
              std::string::npos);
    EXPECT_NE(refusal(R"({"data":[{"shard":"a","wait":1}]})").find("data.wait"), std::string::npos);
    EXPECT_NE(refusal("{}").find("data"), std::string::npos);
    EXPECT_NE(refusal("not json").find("json"), std::string::npos);
    EXPECT_NE(refusal("{" + data + "}", {"nonsense=1"}).find("train.nonsense"), std::string::npos);
    EXPECT_NE(refusal("{" + data + "}", {"=1"}).find("key=value"), std::string::npos);
}

TEST(TrainConfigTest, overrides_reach_both_sections) {
    const auto config =
        TrainConfig::from_json(R"({"data":[{"shard":"a"}]})",
                               {"lr=0.5", "model.dim=128", "targets=none", "train.steps=7"});
    EXPECT_EQ(config.train.lr, 0.5);
    EXPECT_EQ(config.model.dim, 128);
    EXPECT_EQ(config.train.targets, TargetKind::kNone);
    EXPECT_EQ(config.train.steps, 7);
}

TEST(CounterRandomTest, draws_are_uniform_and_depend_on_each_number) {
    double sum = 0;
    for (uint64_t i = 0; i < 10000; ++i) sum += draw_uniform(1, 2, i);
    EXPECT_NEAR(sum / 10000, 0.5, 0.01);
    EXPECT_NE(draw_bits(1, 2, 3), draw_bits(1, 2, 4));
    EXPECT_NE(draw_bits(1, 2, 3), draw_bits(1, 3, 3));
    EXPECT_NE(draw_bits(1, 2, 3), draw_bits(2, 2, 3));
    for (uint64_t i = 0; i < 100; ++i) EXPECT_LT(draw_below(1, 2, i, 3), 3u);
}

}  // namespace
}  // namespace rpt::train
