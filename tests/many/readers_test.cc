#include "tests/many/readers.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/many/signed_documents.h"

namespace rpt::many {
namespace {

TEST(SignedDocumentsTest, mixtures_of_two_states_are_seen) {
    const std::string old_body = body_segment("d1", 5, 0) + body_segment("d1", 5, 1);
    const std::string new_body = body_segment("d1", 5, 0) + body_segment("d1", 6, 1);
    const std::string old_text = old_body + last_segment("d1", 5, old_body);
    const std::string new_text = new_body + last_segment("d1", 6, new_body);
    EXPECT_EQ(fault_of_text(old_text, "d1", true), "");
    EXPECT_EQ(fault_of_text(new_text, "d1", true), "");
    EXPECT_EQ(fault_of_text(old_body, "d1", false), "");
    EXPECT_NE(fault_of_text(old_body, "d1", true), "");
    EXPECT_NE(fault_of_text(old_body + last_segment("d1", 6, new_body), "d1", true), "");
    EXPECT_NE(fault_of_text(old_text, "d2", true), "");
    EXPECT_NE(fault_of_text(old_text.substr(0, 300), "d1", false), "");
    EXPECT_EQ(segments_of(new_text).size(), 3u);
}

TEST(ReadersTest, readers_are_right_while_writers_die) {
    const std::filesystem::path path =
        std::filesystem::path(::testing::TempDir()) / "rpt_readers_test";
    std::filesystem::remove_all(path);
    ReadersOptions options;
    options.path = path;
    options.seconds = 2;
    options.readers = 3;
    options.documents = 30;
    options.flat_limit = 200;
    options.pause_us = 2000;
    options.rival_every_ms = 100;
    options.kill_every_ms = 500;
    options.compact_every_ms = 300;
    options.durability = storage::Durability::kNone;
    const ReadersResult result = read_together(options);
    EXPECT_EQ(result.all.wrong, 0u) << result.all.first_wrong;
    EXPECT_EQ(result.all.failed, 0u) << result.all.first_failed;
    EXPECT_STREQ(result.writer.failed, "");
    EXPECT_GT(result.all.checks, 0u);
    EXPECT_GT(result.rivals, 0u);
    EXPECT_EQ(result.rivals_right, result.rivals) << result.first_rival;
    EXPECT_GT(result.takeover_ms.size(), 0u);
    EXPECT_EQ(result.findings, 0u);
    EXPECT_EQ(result.wrong_at_end, 0u);
    std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace rpt::many
