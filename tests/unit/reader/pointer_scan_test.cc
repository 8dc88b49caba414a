#include "core/reader/pointer_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/fakes/fake_engine.h"

namespace rpt::reader {

TEST(PointerScan, every_path_equals_the_plain_one_to_the_bit) {
    for (const size_t width :
         {1u, 2u, 7u, 62u, 63u, 64u, 65u, 96u, 127u, 128u, 130u, 256u, 2048u}) {
        const size_t row_bytes = (width + 1) / 2;
        for (const size_t n : {0u, 1u, 3u, 4u, 5u, 8u, 64u}) {
            std::vector<uint8_t> rows(n * row_bytes);
            for (size_t i = 0; i < rows.size(); ++i) rows[i] = uint8_t(fakes::mix(width, i));
            const std::vector<float> scales = fakes::noise(width + 1, n);
            const PointerQuery query(fakes::noise(width + n, width));
            std::vector<float> expected(n, -9), got(n, -8);
            plain::scan_pointers(rows.data(), scales.data(), n, query, expected.data());
            scan_pointers(rows.data(), scales.data(), n, query, got.data());
            EXPECT_EQ(got, expected) << width << " x " << n;
#if defined(__x86_64__)
            if (avx2::supported()) {
                std::vector<float> narrow(n, -7);
                avx2::scan_pointers(rows.data(), scales.data(), n, query, narrow.data());
                EXPECT_EQ(narrow, expected) << width << " x " << n;
            }
            if (avx512::supported()) {
                std::vector<float> wide(n, -7);
                avx512::scan_pointers(rows.data(), scales.data(), n, query, wide.data());
                EXPECT_EQ(wide, expected) << width << " x " << n;
            }
#endif
        }
    }
}

TEST(PointerScan, scores_are_inner_products) {
    for (const size_t width : {3u, 128u}) {
        const size_t row_bytes = (width + 1) / 2, n = 40;
        std::vector<uint8_t> rows(n * row_bytes);
        for (size_t i = 0; i < rows.size(); ++i) rows[i] = uint8_t(fakes::mix(width, i));
        const std::vector<float> scales = fakes::noise(5, n), query = fakes::noise(6, width);
        std::vector<float> got(n);
        scan_pointers(rows.data(), scales.data(), n, PointerQuery(query), got.data());
        for (size_t t = 0; t < n; ++t) {
            double sum = 0;
            for (size_t i = 0; i < width; ++i) {
                const uint8_t byte = rows[t * row_bytes + i / 2];
                sum += double(query[i]) * ((i % 2 == 0 ? byte & 15 : byte >> 4) - 8);
            }
            EXPECT_NEAR(got[t], sum * double(scales[t]), 1e-3 * std::sqrt(double(width)));
        }
    }
}

TEST(PointerScan, queries_without_a_direction_score_nothing) {
    const std::vector<uint8_t> rows(4, 0x3f);
    const std::vector<float> scales{1, 1, 1, 1};
    for (const float number :
         {0.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<float> got(4, 1);
        scan_pointers(rows.data(), scales.data(), 4, PointerQuery(std::vector<float>{number, 0}),
                      got.data());
        EXPECT_EQ(got, std::vector<float>(4, 0.0f)) << number;
    }
}

}  // namespace rpt::reader
