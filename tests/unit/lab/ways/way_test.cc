#include "lab/ways/way.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "core/model/reading.h"

namespace rpt::ways {
namespace {

TEST(Way, names_say_what_is_read_how_much_and_who_chooses) {
    EXPECT_EQ(parse_way("none").reading, 0u);
    const Way plain = parse_way("upper,copy");
    EXPECT_EQ(plain.reading, model::kReadUpper | model::kReadCopy);
    EXPECT_EQ(plain.k, 0u);
    EXPECT_EQ(plain.chooser, Chooser::kOwn);
    EXPECT_FALSE(plain.four_bits);
    const Way all = parse_way("upper,copy@16:bm25:4bit");
    EXPECT_EQ(all.name, "upper,copy@16:bm25:4bit");
    EXPECT_EQ(all.reading, model::kReadUpper | model::kReadCopy);
    EXPECT_EQ(all.k, 16u);
    EXPECT_EQ(all.chooser, Chooser::kWords);
    EXPECT_TRUE(all.four_bits);
    EXPECT_TRUE(parse_way("upper:4bit").four_bits);
    EXPECT_EQ(parse_way("text:oracle").chooser, Chooser::kOracle);
    EXPECT_EQ(parse_way("text@2:random").chooser, Chooser::kRandom);
    EXPECT_EQ(parse_way("upper:nothing").chooser, Chooser::kNothing);
    EXPECT_EQ(parse_way("cca@3").k, 3u);
    EXPECT_TRUE(parse_way("text").chooses_chunks());
    EXPECT_FALSE(parse_way("cca,copy").chooses_chunks());
}

TEST(Way, what_nothing_reads_is_refused_with_a_reason) {
    for (const char* wrong :
         {"", "uper", "upper,", ",copy", "none,copy", "upper@", "upper@0", "upper@x", "upper@2000",
          "copy@2", "none@2", "upper:", "upper:best", "copy:bm25", "cca:random", "text:4bit",
          "upper:bm25@2", "upper:4bit:"}) {
        try {
            parse_way(wrong);
            ADD_FAILURE() << wrong;
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), Status::kArgument) << wrong;
            EXPECT_NE(std::string(error.what()).find("--way"), std::string::npos) << wrong;
        }
    }
}

}  // namespace
}  // namespace rpt::ways
