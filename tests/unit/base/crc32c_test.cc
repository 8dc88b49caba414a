#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace rpt {

TEST(Crc32c, matches_the_check_value_of_its_catalogue_entry) {
    EXPECT_EQ(crc32c("123456789", 9), 0xE3069283u);
    EXPECT_EQ(crc32c("", 0), 0u);
}

TEST(Crc32c, fast_equals_plain_for_all_lengths_and_splits) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 3));
    for (size_t n = 0; n <= bytes.size(); ++n) {
        const uint32_t whole = crc32c_plain(bytes.data(), n);
        ASSERT_EQ(crc32c(bytes.data(), n), whole);
        const size_t cut = n / 3;
        ASSERT_EQ(crc32c(bytes.data() + cut, n - cut, crc32c(bytes.data(), cut)), whole);
    }
}

}  // namespace rpt
