// What a page of pointer keys holds for a first look at its rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "storage/codec/pointer_codec.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

std::vector<PointerRows> some_chunks(uint32_t width, const std::vector<size_t>& sizes) {
    Numbers numbers(width);
    std::vector<PointerRows> chunks(sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i) {
        EXPECT_TRUE(unpack_pointers(encode_pointers(unit_rows(numbers, sizes[i], width), width),
                                    sizes[i], width, chunks[i]));
        chunks[i].chunk = 3 * i + 7;
        for (size_t t = 0; t < sizes[i]; ++t) chunks[i].tokens.push_back(int32_t(100 * i + t));
    }
    return chunks;
}

PointerPage page_of(const std::vector<PointerRows>& chunks) {
    return PointerPage(std::vector<PointerSlice>(chunks.begin(), chunks.end()));
}

TEST(PointerPage, holds_the_chunks) {
    const std::vector<PointerRows> chunks = some_chunks(9, {3, 0, 64, 1, 70});
    const PointerPage page = page_of(chunks);
    ASSERT_EQ(page.chunks(), chunks.size());
    EXPECT_EQ(page.rows(), 138u);
    EXPECT_EQ(page.blocks(), 3u);
    for (size_t i = 0; i < chunks.size(); ++i) {
        EXPECT_EQ(page.chunk(i), chunks[i].chunk);
        EXPECT_TRUE(std::ranges::equal(page.slice(i).tokens, chunks[i].tokens));
        EXPECT_TRUE(std::ranges::equal(page.slice(i).scales, chunks[i].scales));
        EXPECT_TRUE(std::ranges::equal(page.slice(i).nibbles, chunks[i].nibbles));
    }
    EXPECT_EQ(page_of({}).rows(), 0u);
    EXPECT_TRUE(page_of({}).signs().empty());
}

TEST(PointerPage, signs_are_those_of_the_numbers) {
    for (const uint32_t width : {1u, 7u, 8u, 9u, 31u, 128u}) {
        const PointerPage page = page_of(some_chunks(width, {5, 64, 2}));
        const size_t bytes = sign_bytes(width);
        ASSERT_EQ(page.signs().size(), 2 * bytes * 64);
        std::vector<float> values;
        for (size_t i = 0; i < page.chunks(); ++i)
            for (const float value : expand_pointers(page.slice(i), width)) values.push_back(value);
        size_t above = 0;
        for (size_t row = 0; row < 128; ++row)
            for (uint32_t j = 0; j < width; ++j) {
                const float value = row < page.rows() ? values[row * width + j] : -1;
                const uint8_t byte = page.signs()[(row / 64 * bytes + j / 8) * 64 + row % 64];
                if (value != 0) {
                    EXPECT_EQ((byte >> j % 8 & 1) != 0, value > 0)
                        << width << " " << row << " " << j;
                }
                above += value > 0;
            }
        EXPECT_GT(above, 20 * width);
    }
}

TEST(PointerPage, sample_depends_on_chunks_alone) {
    constexpr uint32_t kWidth = 16;
    const std::vector<PointerRows> chunks = some_chunks(kWidth, std::vector<size_t>(80, 64));
    const PointerPage whole = page_of(chunks);
    const size_t n = whole.sample().rows.size();
    EXPECT_GT(n, whole.rows() / PointerPage::kSampleOneIn / 2);
    EXPECT_LT(n, whole.rows() / PointerPage::kSampleOneIn * 2);
    ASSERT_EQ(whole.sample().scales.size(), n);
    ASSERT_EQ(whole.sample().nibbles.size(), n * 8);
    for (size_t i = 0; i < n; ++i) {
        const uint32_t row = whole.sample().rows[i];
        if (i > 0) {
            EXPECT_GT(row, whole.sample().rows[i - 1]);
        }
        EXPECT_EQ(whole.sample().scales[i], whole.scales()[row]);
        EXPECT_TRUE(std::equal(whole.nibbles() + row * 8, whole.nibbles() + row * 8 + 8,
                               whole.sample().nibbles.begin() + ptrdiff_t(i * 8)));
    }
    // Other neighbours, another place in the page: the same rows, found by their tokens.
    const auto sampled = [](const PointerPage& page) {
        std::set<int32_t> tokens;
        for (const uint32_t row : page.sample().rows) {
            size_t i = 0;
            while (page.begin(i + 1) <= row) ++i;
            tokens.insert(page.slice(i).tokens[row - page.begin(i)]);
        }
        return tokens;
    };
    std::set<int32_t> parts = sampled(page_of({chunks.begin() + 1, chunks.begin() + 33}));
    parts.merge(sampled(page_of({chunks[0]})));
    parts.merge(sampled(page_of({chunks.begin() + 33, chunks.end()})));
    EXPECT_EQ(parts, sampled(whole));
}

}  // namespace
}  // namespace rpt::storage
