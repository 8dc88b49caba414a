// Pointer keys as bytes.
#include <gtest/gtest.h>

#include <limits>

#include "storage/codec/pointer_codec.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

std::vector<float> decoded(const std::string& blob, size_t n, uint32_t width) {
    PointerRows rows;
    return unpack_pointers(blob, n, width, rows) ? expand_pointers(rows, width)
                                                 : std::vector<float>();
}

TEST(PointerCodec, decodes_as_its_slow_twin) {
    Numbers numbers(3);
    for (const uint32_t width : {1u, 2u, 3u, 7u, 16u, 31u, 64u, 128u, 129u}) {
        for (const size_t n : {1u, 2u, 5u, 64u}) {
            const std::string blob = encode_pointers(unit_rows(numbers, n, width), width);
            EXPECT_EQ(blob.size(), pointer_blob_bytes(n, width));
            const std::vector<float> values = decoded(blob, n, width);
            ASSERT_EQ(values.size(), n * width);
            EXPECT_EQ(values, plain::decode_pointers(blob, n, width)) << n << " x " << width;
        }
    }
    EXPECT_EQ(pointer_blob_bytes(64, 128), 1u + 64 * 66);
}

TEST(PointerCodec, a_row_keeps_its_direction) {
    Numbers numbers(4);
    double worst = 1, sum = 0;
    constexpr size_t kRows = 400;
    constexpr uint32_t kWidth = 128;
    const std::vector<float> rows = unit_rows(numbers, kRows, kWidth);
    const std::vector<float> values = decoded(encode_pointers(rows, kWidth), kRows, kWidth);
    for (size_t t = 0; t < kRows; ++t) {
        double product = 0, square = 0;
        for (size_t i = 0; i < kWidth; ++i) {
            product += double(rows[t * kWidth + i]) * double(values[t * kWidth + i]);
            square += double(values[t * kWidth + i]) * double(values[t * kWidth + i]);
        }
        worst = std::min(worst, product / std::sqrt(square));
        sum += product / std::sqrt(square);
    }
    EXPECT_GT(worst, 0.988);
    EXPECT_GT(sum / kRows, 0.993);
}

TEST(PointerCodec, odd_rows_are_kept) {
    EXPECT_TRUE(encode_pointers({}, 7).empty());
    PointerRows rows;
    EXPECT_TRUE(unpack_pointers({}, 0, 7, rows));
    const std::vector<float> zeros(5, 0.0f);
    EXPECT_EQ(decoded(encode_pointers(zeros, 5), 1, 5), zeros);
    const std::vector<float> one{0, 0, -1, 0};
    EXPECT_EQ(decoded(encode_pointers(one, 4), 1, 4), one);
}

TEST(PointerCodec, numbers_out_of_range_are_refused) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e6f}) {
        std::string text;
        EXPECT_EQ(status_of(
                      [&] {
                          encode_pointers(std::vector<float>{0, 0, bad, 0}, 2);
                      },
                      &text),
                  Status::kArgument);
        EXPECT_NE(text.find("number 0 of token 1"), std::string::npos) << text;
    }
}

TEST(PointerCodec, damaged_bytes_are_told) {
    Numbers numbers(5);
    const std::string blob = encode_pointers(unit_rows(numbers, 4, 9), 9);
    PointerRows rows;
    for (size_t size = 0; size < blob.size(); ++size)
        EXPECT_FALSE(unpack_pointers(blob.substr(0, size), 4, 9, rows)) << size;
    EXPECT_FALSE(unpack_pointers(blob + "x", 4, 9, rows));
    std::string infinite = blob;
    infinite[1] = 0;
    infinite[2] = 0x7c;
    EXPECT_FALSE(unpack_pointers(infinite, 4, 9, rows));
    std::string strange = blob;
    strange[0] = 2;
    EXPECT_EQ(status_of([&] { unpack_pointers(strange, 4, 9, rows); }), Status::kVersion);
}

}  // namespace
}  // namespace rpt::storage
