#include "base/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

namespace rpt {

TEST(Half, every_pattern_survives_the_way_to_float_and_back) {
    std::vector<uint16_t> all(65536), back(65536);
    for (uint32_t i = 0; i < 65536; ++i) all[i] = static_cast<uint16_t>(i);
    std::vector<float> wide(65536);
    from_halves(all.data(), wide.data(), all.size());
    to_halves(wide.data(), back.data(), all.size());
    for (uint32_t i = 0; i < 65536; ++i) {
        const bool nan = (i & 0x7c00) == 0x7c00 && (i & 0x3ff) != 0;
        if (nan) {
            EXPECT_TRUE(std::isnan(wide[i]));
            EXPECT_TRUE(std::isnan(from_half(all[i])));
            continue;
        }
        ASSERT_EQ(back[i], all[i]);
        ASSERT_EQ(std::bit_cast<uint32_t>(from_half(all[i])), std::bit_cast<uint32_t>(wide[i]))
            << i;
        ASSERT_EQ(to_half(wide[i]), all[i]);
    }
}

TEST(Half, fast_conversion_equals_the_plain_one_on_many_floats) {
    std::vector<float> values;
    for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 40503) {
        const float value = std::bit_cast<float>(static_cast<uint32_t>(bits));
        if (!std::isnan(value)) values.push_back(value);
    }
    for (uint32_t i = 0; i < 0x7c00; ++i) {  // midpoints, where ties to even shows
        const float low = from_half(static_cast<uint16_t>(i)),
                    high = from_half(static_cast<uint16_t>(i + 1));
        values.push_back(std::isinf(high) ? 65520.0f : (low + high) / 2);
    }
    values.resize(values.size() / 8 * 8);
    std::vector<uint16_t> fast(values.size());
    to_halves(values.data(), fast.data(), values.size());
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(to_half(values[i]), fast[i]) << values[i];
}

}  // namespace rpt
