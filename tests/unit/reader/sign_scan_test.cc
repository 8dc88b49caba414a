#include "core/reader/sign_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/reader/pointer_scan.h"
#include "tests/fakes/fake_engine.h"

namespace rpt::reader {
namespace {

std::vector<uint8_t> bytes_of(uint64_t seed, size_t n) {
    std::vector<uint8_t> bytes(n);
    for (size_t i = 0; i < n; ++i) bytes[i] = uint8_t(fakes::mix(seed, i));
    return bytes;
}

}  // namespace

TEST(SignScan, every_path_equals_the_plain_one_to_the_bit) {
    for (const size_t width : {1u, 7u, 8u, 9u, 17u, 64u, 120u, 128u, 130u, 2048u}) {
        const size_t sign_bytes = storage::sign_bytes(uint32_t(width));
        for (const size_t blocks : {0u, 1u, 3u}) {
            const std::vector<uint8_t> signs = bytes_of(width, blocks * sign_bytes * 64);
            const SignQuery query(fakes::noise(width + blocks, width));
            ASSERT_EQ(query.sign_bytes(), sign_bytes);
            std::vector<uint8_t> expected(64 * blocks), got(64 * blocks, 1);
            plain::scan_signs(signs.data(), blocks, query, expected.data());
            scan_signs(signs.data(), blocks, query, got.data());
            EXPECT_EQ(got, expected) << width << " x " << blocks;
#if defined(__x86_64__)
            if (avx2::supported()) {
                got.assign(64 * blocks, 2);
                avx2::scan_signs(signs.data(), blocks, query, got.data());
                EXPECT_EQ(got, expected) << width << " x " << blocks;
            }
            if (avx512::supported()) {
                got.assign(64 * blocks, 3);
                avx512::scan_signs(signs.data(), blocks, query, got.data());
                EXPECT_EQ(got, expected) << width << " x " << blocks;
            }
#endif
        }
    }
}

TEST(SignScan, looks_order_rows_as_their_signs_do) {
    constexpr size_t kWidth = 128, kBytes = kWidth / 8;
    const std::vector<uint8_t> signs = bytes_of(5, kBytes * 64);
    const std::vector<float> numbers = fakes::noise(6, kWidth);
    std::vector<uint8_t> looks(64);
    scan_signs(signs.data(), 1, SignQuery(numbers), looks.data());
    std::vector<double> sums(64);
    for (size_t r = 0; r < 64; ++r)
        for (size_t j = 0; j < kWidth; ++j)
            sums[r] += (signs[j / 8 * 64 + r] >> j % 8 & 1) != 0 ? double(numbers[j])
                                                                 : -double(numbers[j]);
    // One step for all: a look is the sum in steps, within the rounding of 32 groups.
    double step = 0;
    for (size_t r = 0; r < 64; ++r)
        if (looks[r] > 24 && looks[r] < 255) step = sums[r] / double(looks[r]);
    ASSERT_GT(step, 0);
    for (size_t r = 0; r < 64; ++r) {
        if (looks[r] == 255) {
            EXPECT_GT(sums[r], 240 * step);
        }
        if (looks[r] == 0) {
            EXPECT_LT(sums[r], 16 * step);
        }
        if (looks[r] > 0 && looks[r] < 255) {
            EXPECT_NEAR(sums[r], looks[r] * step, 24 * step);
        }
    }
}

TEST(SignScan, queries_without_a_direction_find_all_rows_alike) {
    const std::vector<uint8_t> signs = bytes_of(7, 64);
    for (const float number :
         {0.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<uint8_t> looks(64, 1);
        scan_signs(signs.data(), 1, SignQuery(std::vector<float>{number, 0}), looks.data());
        EXPECT_EQ(looks, std::vector<uint8_t>(64, 0)) << number;
    }
}

TEST(SignScan, level_is_the_least_that_few_enough_reach) {
    const auto reached = [](const std::vector<uint8_t>& numbers, unsigned level) {
        return size_t(std::ranges::count_if(numbers, [&](uint8_t x) { return x >= level; }));
    };
    for (const size_t n : {64u, 1024u, 5120u}) {
        std::vector<uint8_t> numbers = bytes_of(n, n);
        for (uint8_t& number : numbers) number = uint8_t(number * number / 256);
        for (const size_t most : {size_t(0), size_t(1), n / 16, n / 2, n - 1, n}) {
            const uint8_t level = level_of(numbers, most);
            ASSERT_GE(level, 1);
            if (level < 255) {
                EXPECT_LE(reached(numbers, level), most) << n << " " << most;
            }
            if (level > 1) {
                EXPECT_GT(reached(numbers, level - 1u), most) << n << " " << most;
            }
        }
    }
    EXPECT_EQ(level_of(std::vector<uint8_t>(64, 255), 3), 255);
    EXPECT_EQ(level_of(std::vector<uint8_t>(64, 0), 0), 1);
}

TEST(SignScan, reach_has_a_bit_for_each_number) {
    const std::vector<uint8_t> numbers = bytes_of(9, 64);
    for (const unsigned one : {1u, 2u, 100u, 127u, 128u, 129u, 200u, 255u}) {
        const auto level = static_cast<uint8_t>(one);
        uint64_t bits = 0;
        for (size_t i = 0; i < 64; ++i) bits |= uint64_t{numbers[i] >= level} << i;
        EXPECT_EQ(reach(numbers.data(), level), bits);
        EXPECT_EQ(plain::reach(numbers.data(), level), bits);
    }
}

}  // namespace rpt::reader
