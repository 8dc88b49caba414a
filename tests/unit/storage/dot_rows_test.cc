#include "storage/dot_rows.h"

#include <gtest/gtest.h>

#include "base/half.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {

TEST(DotRows, every_path_equals_the_plain_one_to_the_bit) {
    Numbers numbers(3);
    for (const size_t columns : {size_t(16), size_t(48), size_t(256)}) {
        for (const size_t n : {size_t(1), size_t(3), size_t(4), size_t(8), size_t(21)}) {
            std::vector<uint16_t> rows(n * columns);
            to_halves(numbers.vector(rows.size()).data(), rows.data(), rows.size());
            const std::vector<float> query = numbers.vector(columns);
            std::vector<float> expected(n), got(n);
            plain::dot_rows(rows.data(), n, columns, query.data(), expected.data());
            dot_rows(rows.data(), n, columns, query.data(), got.data());
            EXPECT_EQ(got, expected);
            const float pair =
                plain::dot_pair(rows.data(), rows.data() + (n - 1) * columns, columns);
            EXPECT_EQ(dot_pair(rows.data(), rows.data() + (n - 1) * columns, columns), pair);
#if defined(__x86_64__)
            if (avx2::supported()) {
                avx2::dot_rows(rows.data(), n, columns, query.data(), got.data());
                EXPECT_EQ(got, expected);
                EXPECT_EQ(avx2::dot_pair(rows.data(), rows.data() + (n - 1) * columns, columns),
                          pair);
            }
#endif
        }
    }
}

}  // namespace rpt::storage
