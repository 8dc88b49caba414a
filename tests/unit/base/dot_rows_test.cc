#include "base/dot_rows.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/half.h"

namespace rpt {
namespace {

// Numbers in [-1, 1), the same on every machine.
class Numbers {
  public:
    explicit Numbers(uint64_t seed) : state_(seed * 2 + 1) {}
    uint32_t below(uint32_t n) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<uint32_t>(state_ >> 33) % n;
    }
    std::vector<float> vector(size_t n) {
        std::vector<float> values(n);
        for (float& v : values) v = static_cast<float>(below(1 << 20)) * 0x1p-19f - 1.0f;
        return values;
    }

  private:
    uint64_t state_;
};

}  // namespace

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
            std::vector<uint32_t> which(n);
            for (size_t i = 0; i < n; ++i) which[i] = numbers.below(static_cast<uint32_t>(n));
            std::vector<float> expected_some(n), some(n);
            plain::dot_some_rows(rows.data(), which.data(), n, columns, query.data(),
                                 expected_some.data());
            for (size_t i = 0; i < n; ++i) EXPECT_EQ(expected_some[i], expected[which[i]]);
            dot_some_rows(rows.data(), which.data(), n, columns, query.data(), some.data());
            EXPECT_EQ(some, expected_some);
            const float pair =
                plain::dot_pair(rows.data(), rows.data() + (n - 1) * columns, columns);
            EXPECT_EQ(dot_pair(rows.data(), rows.data() + (n - 1) * columns, columns), pair);
#if defined(__x86_64__)
            if (avx2::supported()) {
                avx2::dot_rows(rows.data(), n, columns, query.data(), got.data());
                EXPECT_EQ(got, expected);
                avx2::dot_some_rows(rows.data(), which.data(), n, columns, query.data(),
                                    some.data());
                EXPECT_EQ(some, expected_some);
                EXPECT_EQ(avx2::dot_pair(rows.data(), rows.data() + (n - 1) * columns, columns),
                          pair);
            }
#endif
        }
    }
}

}  // namespace rpt
