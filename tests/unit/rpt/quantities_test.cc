#include "apps/rpt/quantities.h"

#include <gtest/gtest.h>

namespace rpt::cli {
namespace {

TEST(quantities, sizes_are_powers_of_1024) {
    EXPECT_EQ(parse_size("0"), 0u);
    EXPECT_EQ(parse_size("1000"), 1000u);
    EXPECT_EQ(parse_size("12B"), 12u);
    EXPECT_EQ(parse_size("512M"), 512u << 20);
    EXPECT_EQ(parse_size("2GiB"), 2ull << 30);
    EXPECT_EQ(parse_size("1.5kB"), 1536u);
}

TEST(quantities, what_is_no_size_is_refused) {
    for (const char* word :
         {"", "M", "12X", "-1", "1 M", "nan", "inf", "1Mib", "1e40", "99999999T"}) {
        EXPECT_FALSE(parse_size(word)) << word;
    }
}

TEST(quantities, durations_have_units) {
    EXPECT_EQ(parse_duration_ms("30s"), 30000);
    EXPECT_EQ(parse_duration_ms("250ms"), 250);
    EXPECT_EQ(parse_duration_ms("2m"), 120000);
    EXPECT_EQ(parse_duration_ms("1.5h"), 5400000);
    EXPECT_EQ(parse_duration_ms("45"), 45000);
    EXPECT_FALSE(parse_duration_ms("3y"));
    EXPECT_FALSE(parse_duration_ms(""));
}

TEST(quantities, counts_are_powers_of_1000) {
    EXPECT_EQ(parse_count("10k"), 10000u);
    EXPECT_EQ(parse_count("1M"), 1000000u);
    EXPECT_EQ(parse_count("250000"), 250000u);
    EXPECT_FALSE(parse_count("1q"));
}

TEST(quantities, formats_are_for_people) {
    EXPECT_EQ(format_size(512), "512 B");
    EXPECT_EQ(format_size(1536), "1.5 KiB");
    EXPECT_EQ(format_size(300ull << 20), "300 MiB");
    EXPECT_EQ(format_count(0), "0");
    EXPECT_EQ(format_count(999), "999");
    EXPECT_EQ(format_count(1234567), "1,234,567");
    EXPECT_EQ(format_seconds(0.85), "850 ms");
    EXPECT_EQ(format_seconds(12.34), "12.3 s");
    EXPECT_EQ(format_seconds(245), "4 min 05 s");
    EXPECT_EQ(format_count(123456), "123,456");
    EXPECT_EQ(format_duration_ms(3000), "3 s");
    EXPECT_EQ(format_duration_ms(1500), "1500 ms");
    EXPECT_EQ(format_duration_ms(90000), "90 s");
    EXPECT_EQ(format_duration_ms(7200000), "2 h");
}

}  // namespace
}  // namespace rpt::cli
