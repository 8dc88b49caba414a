#include "lab/train/speed_trial.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/train/counter_random.h"
#include "lab/train/shard.h"

namespace rpt::train {
namespace {

TEST(SpeedTrialTest, median_is_the_middle) {
    EXPECT_DOUBLE_EQ(median({3, 1, 9}), 3);
    EXPECT_DOUBLE_EQ(median({4, 1, 9, 2}), 3);
}

TEST(SpeedTrialTest, rows_take_turns_and_are_measured_against_the_first) {
    const std::string dir = testing::TempDir();
    const ShardVocabulary vocabulary{40, 0, 1, 2, {}};
    ShardWriter writer(dir + "speed_trial_test.shard", vocabulary);
    std::vector<int32_t> tokens;
    for (uint64_t t = 0; t < 600; ++t)
        tokens.push_back(static_cast<int32_t>(3 + draw_below(1, 1, t, 37)));
    ShardDocument document;
    document.id = "a";
    writer.add(document, tokens);
    writer.finish();

    TrainConfig small;
    small.model.vocab = 40;
    small.model.dim = 16;
    small.model.n_lower = small.model.n_upper = 1;
    small.model.n_heads = small.model.n_kv_heads = 1;
    small.model.head_dim = 16;
    small.model.ffn_dim = 32;
    small.model.chunk = 4;
    small.model.stride = 8;
    small.model.retrieval = model::RetrievalKind::kNone;
    small.data = {{"speed_trial_test.shard"}};
    small.train.length = 64;
    small.train.batch_documents = 2;
    TrainConfig large = small;
    large.model.ffn_dim = 64;
    int64_t rounds = 0;
    const auto rows = measure_speed({{"small", small}, {"large", large}}, dir, 3, 1, at::kCPU,
                                    [&](int64_t round) { rounds = round; });
    EXPECT_EQ(rounds, 4);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].seconds.size(), 3u);
    EXPECT_DOUBLE_EQ(rows[0].time_ratio, 1.0);
    EXPECT_NEAR(rows[1].time_ratio, rows[0].tokens_per_second / rows[1].tokens_per_second, 1e-9);
    EXPECT_NEAR(rows[1].tokens_per_second, 128 / median(rows[1].seconds), 1e-6);
    EXPECT_GT(rows[1].parameters, rows[0].parameters);
    EXPECT_GT(rows[0].gemm_share, 0);
    EXPECT_THROW(measure_speed({}, dir, 3, 1, at::kCPU, {}), Error);
}

}  // namespace
}  // namespace rpt::train
