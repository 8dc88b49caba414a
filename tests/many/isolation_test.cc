#include "tests/many/isolation.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace rpt::many {
namespace {

class IsolationTest : public ::testing::Test {
  protected:
    IsolationTest() : path_(std::filesystem::path(::testing::TempDir()) / "rpt_isolation_test") {
        std::filesystem::remove_all(path_);
        std::filesystem::create_directories(path_);
    }
    ~IsolationTest() override { std::filesystem::remove_all(path_); }

    const std::filesystem::path path_;
};

TEST_F(IsolationTest, crowd_gets_no_foreign_chunk_while_documents_change) {
    CrowdOptions options;
    options.path = path_ / "store";
    options.owners = 50;
    options.operations = 4000;
    options.session_every = 20;
    const CrowdResult result = ask_crowd(options);
    EXPECT_EQ(result.foreign, 0u) << result.first_foreign;
    EXPECT_EQ(result.findings, 0u);
    EXPECT_FALSE(result.stale);
    EXPECT_EQ(result.searches + result.sessions, options.operations);
    EXPECT_GT(result.sessions, 50u);
    EXPECT_GT(result.chunks_seen, options.operations);
    EXPECT_GT(result.changes, 0u);
}

TEST_F(IsolationTest, small_space_answers_the_same_beside_large_ones) {
    GrowthOptions options;
    options.path = path_ / "store";
    options.small_chunks = 300;
    options.queries = 100;
    options.others = {0, 1000, 4000};
    options.other_spaces = 2;
    const auto steps = watch_recall(options);
    ASSERT_EQ(steps.size(), 3u);
    for (const GrowthStep& step : steps) {
        EXPECT_EQ(step.recall, steps[0].recall);
        EXPECT_EQ(step.changed, 0u);
    }
    EXPECT_GT(steps[0].recall, 0.9);
}

TEST_F(IsolationTest, area_under_curve_counts_pairs) {
    EXPECT_EQ(area_under_curve({1, 2}, {3, 4}), 1);
    EXPECT_EQ(area_under_curve({3, 4}, {1, 2}), 0);
    EXPECT_EQ(area_under_curve({1, 2}, {1, 2}), 0.5);
    EXPECT_EQ(area_under_curve({1, 3}, {2}), 0.5);
}

// Times are for the benchmark; here every kind of trial runs, and the control is seen.
TEST_F(IsolationTest, secrets_control_shows_sharing_within_a_space) {
    SecretOptions options;
    options.path = path_;
    options.samples = 20;
    options.ingest_samples = 20;
    options.token_cost_us = 20;
    options.resamples = 20;
    const auto tells = time_secrets(options);
    ASSERT_EQ(tells.size(), 6u);
    EXPECT_GT(tells.back().area, 0.6);
}

}  // namespace
}  // namespace rpt::many
