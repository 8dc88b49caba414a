#include "core/reader/own_past.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/fakes/fake_engine.h"

namespace rpt::reader {

namespace {

constexpr size_t kDim = 20;  // no multiple of the lanes

engine::EncodedChunk chunk_of(uint64_t index, std::vector<float> key) {
    engine::EncodedChunk chunk;
    chunk.index = index;
    chunk.n_tokens = 2;
    chunk.states = fakes::noise(index + 1000, 2 * kDim);
    chunk.key = std::move(key);
    return chunk;
}

}  // namespace

TEST(OwnPastTest, search_equals_plain_scan) {
    OwnPast past(kDim);
    std::vector<std::vector<float>> keys;
    for (uint64_t i = 0; i < 50; ++i) {
        keys.push_back(fakes::noise(i % 40, kDim));  // ten ties
        past.append(chunk_of(i, keys.back()), {i, i + 1});
    }
    for (uint64_t q = 0; q < 20; ++q) {
        const std::vector<float> query = fakes::noise(q + 500, kDim);
        const int64_t last = int64_t(q) * 3 - 5;
        std::vector<std::pair<double, uint64_t>> plain;
        for (int64_t i = 0; i <= last && i < 50; ++i) {
            double sum = 0;
            for (size_t k = 0; k < kDim; ++k) sum += double(query[k]) * double(keys[size_t(i)][k]);
            plain.emplace_back(-sum / std::sqrt(double(kDim)), uint64_t(i));
        }
        std::sort(plain.begin(), plain.end());
        const auto found = past.search(query, last, 7);
        ASSERT_EQ(found.size(), std::min<size_t>(7, plain.size()));
        for (size_t i = 0; i < found.size(); ++i) {
            EXPECT_EQ(found[i].chunk, plain[i].second);
            EXPECT_NEAR(found[i].score, -plain[i].first, 1e-4);
        }
    }
}

TEST(OwnPastTest, numbers_of_a_query_count_by_their_idf_in_what_is_searched) {
    OwnPast past(kDim, true);
    std::vector<std::vector<float>> keys;
    const auto append = [&](uint64_t noise) {
        keys.push_back(fakes::noise(noise, kDim));
        past.append(chunk_of(keys.size() - 1, keys.back()), {});
    };
    const std::vector<float> query = fakes::noise(77, kDim);
    const auto expect_weighed = [&](int64_t last) {
        const std::vector<OwnPast::Scored> found = past.search(query, last, keys.size());
        ASSERT_EQ(int64_t(found.size()), last + 1);
        for (const auto& [chunk, score] : found) {
            double sum = 0;
            for (size_t i = 0; i < kDim; ++i) {
                double mean = 0;
                for (int64_t c = 0; c <= last; ++c) mean += double(keys[size_t(c)][i]);
                mean /= double(last + 1);
                sum += double(query[i]) * double(keys[chunk][i]) / (1 + std::max(0.0, mean));
            }
            EXPECT_NEAR(score, sum / std::sqrt(double(kDim)), 1e-5);
        }
    };
    for (uint64_t i = 0; i < 6; ++i) append(i);
    for (const int64_t last : {0, 2, 5, 3}) expect_weighed(last);  // also backwards
    past.truncate(2);
    keys.resize(2);
    for (uint64_t i = 20; i < 24; ++i) append(i);
    expect_weighed(5);
}

TEST(OwnPastTest, states_come_back_and_truncate_forgets) {
    OwnPast past(kDim);
    for (uint64_t i = 0; i < 4; ++i) past.append(chunk_of(i, fakes::noise(i, kDim)), {i, i + 1});
    EXPECT_EQ(past.states(2), fakes::noise(1002, 2 * kDim));  // the noise is exact in fp16
    past.truncate(2);
    EXPECT_EQ(past.size(), 2u);
    EXPECT_EQ(past.search(fakes::noise(3, kDim), 10, 10).size(), 2u);
    past.append(chunk_of(2, fakes::noise(9, kDim)), {5, 6});
    EXPECT_EQ(past.bytes(2), (ByteSpan{5, 6}));
}

TEST(OwnPastTest, search_leaves_out_scores_that_are_no_numbers) {
    OwnPast past(kDim);
    past.append(chunk_of(0, std::vector<float>(kDim, NAN)), {0, 1});
    past.append(chunk_of(1, fakes::noise(1, kDim)), {1, 2});
    const auto found = past.search(fakes::noise(1, kDim), 1, 2);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].chunk, 1u);
}

}  // namespace rpt::reader
