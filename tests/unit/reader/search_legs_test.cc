// One order of several legs, and states compared token by token.
#include "core/reader/search_legs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/reader/state_mass.h"

namespace rpt::reader {
namespace {

using storage::Hit;

// Two legs that count alike.
constexpr uint32_t kTwo = 1u << kLegGrams | 1u << kLegStates;

TEST(search_legs, a_chunk_that_two_legs_know_comes_first) {
    LegHits hits;
    hits[kLegGrams] = {{7, 9.0f}, {5, 8.0f}};
    hits[kLegStates] = {{5, 3.0f}, {6, 2.0f}};
    const std::vector<FusedHit> fused = fuse(hits, kTwo);
    ASSERT_EQ(fused.size(), 3u);
    EXPECT_EQ(fused[0].chunk, 5u);
    EXPECT_EQ(fused[0].legs[kLegGrams].rank, 2u);
    EXPECT_EQ(fused[0].legs[kLegStates].rank, 1u);
    EXPECT_EQ(fused[0].legs[kLegStates].score, 3.0f);
    EXPECT_EQ(fused[0].legs[kLegKeys].rank, 0u);
    EXPECT_EQ(fused[1].chunk, 7u);
    EXPECT_EQ(fused[2].chunk, 6u);
}

TEST(search_legs, first_in_every_leg_scores_one_and_ties_go_to_the_lower_chunk) {
    LegHits hits;
    hits[kLegGrams] = {{4, 1.0f}};
    hits[kLegStates] = {{4, 1.0f}};
    EXPECT_FLOAT_EQ(fuse(hits, kTwo)[0].score, 1);
    hits[kLegGrams] = {{9, 1.0f}, {4, 0.5f}};
    hits[kLegStates] = {{4, 1.0f}, {9, 0.5f}};
    const std::vector<FusedHit> fused = fuse(hits, kTwo);
    EXPECT_EQ(fused[0].score, fused[1].score);
    EXPECT_EQ(fused[0].chunk, 4u);
    EXPECT_LT(fused[0].score, 1);
    EXPECT_TRUE(fuse({}, kTwo).empty());
}

TEST(search_legs, hits_of_legs_that_were_not_asked_do_not_count) {
    LegHits hits;
    hits[kLegGrams] = {{4, 1.0f}};
    hits[kLegKeys] = {{8, 1.0f}};
    const std::vector<FusedHit> fused = fuse(hits, 1u << kLegGrams);
    ASSERT_EQ(fused.size(), 1u);
    EXPECT_EQ(fused[0].chunk, 4u);
    EXPECT_FLOAT_EQ(fused[0].score, 1);
}

// The definition of rank_by_states, row by row.
std::vector<double> masses_slow(const std::vector<std::vector<float>>& states,
                                const std::vector<float>& question, size_t dim) {
    const auto row = [&](const std::vector<float>& rows, size_t i) {
        return std::vector<double>(rows.begin() + ptrdiff_t(i * dim),
                                   rows.begin() + ptrdiff_t((i + 1) * dim));
    };
    const auto cosine = [&](const std::vector<double>& a, const std::vector<double>& b) {
        double ab = 0, aa = 0, bb = 0;
        for (size_t d = 0; d < dim; ++d) {
            ab += a[d] * b[d];
            aa += a[d] * a[d];
            bb += b[d] * b[d];
        }
        return ab / std::sqrt(aa * bb);
    };
    const std::vector<double> begin = row(question, 0);
    std::vector<std::pair<size_t, std::vector<double>>> places;
    for (size_t c = 0; c < states.size(); ++c)
        for (size_t i = 0; i < states[c].size() / dim; ++i)
            if (cosine(row(states[c], i), begin) <= 0.95) places.emplace_back(c, row(states[c], i));
    std::vector<double> mean(dim);
    for (const auto& [c, x] : places)
        for (size_t d = 0; d < dim; ++d) mean[d] += x[d] / double(places.size());
    const auto centred = [&](std::vector<double> x) {
        for (size_t d = 0; d < dim; ++d) x[d] -= mean[d];
        return x;
    };
    std::vector<double> mass(states.size());
    const size_t n = question.size() / dim;
    for (size_t t = 1; t < n; ++t) {
        double total = 0;
        std::vector<double> weights;
        for (const auto& [c, x] : places) {
            weights.push_back(std::exp(20 * cosine(centred(row(question, t)), centred(x))));
            total += weights.back();
        }
        for (size_t j = 0; j < places.size(); ++j)
            mass[places[j].first] += weights[j] / total / double(n - 1);
    }
    return mass;
}

TEST(state_mass, equals_its_definition) {
    constexpr size_t kDim = 19;
    uint32_t seed = 3;
    const auto draw = [&] {
        seed = seed * 1664525u + 1013904223u;
        return float(seed >> 8) * 0x1p-24f - 0.4f;
    };
    const auto rows = [&](size_t n) {
        std::vector<float> values(n * kDim);
        for (float& v : values) v = draw();
        return values;
    };
    std::vector<float> question = rows(6);
    for (size_t d = 0; d < kDim; ++d) question[d] = d == 3 ? 90.0f : 0.1f;  // the begin token
    std::vector<std::vector<float>> states{rows(5), rows(1), rows(8), rows(3)};
    // one chunk begins a document, and holds the question itself
    states[2].assign(question.begin(), question.end());
    states[2][1] += 0.5f;
    const std::vector<uint64_t> chunks{11, 12, 13, 14};
    std::vector<const std::vector<float>*> borrowed;
    for (const auto& one : states) borrowed.push_back(&one);
    const std::vector<double> slow = masses_slow(states, question, kDim);
    const std::vector<Hit> hits = rank_by_states(chunks, borrowed, question, kDim, {});
    ASSERT_EQ(hits.size(), 4u);
    EXPECT_EQ(hits[0].chunk_id, 13u);
    double sum = 0;
    for (size_t i = 0; i < hits.size(); ++i) {
        EXPECT_NEAR(hits[i].score, slow[hits[i].chunk_id - 11], 1e-5);
        sum += double(hits[i].score);
        if (i > 0) {
            EXPECT_LE(hits[i].score, hits[i - 1].score);
        }
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    // what is gone is left out, and the others share what it had
    borrowed[2] = nullptr;
    EXPECT_EQ(rank_by_states(chunks, borrowed, question, kDim, {}).size(), 3u);
    EXPECT_TRUE(
        rank_by_states(chunks, borrowed, std::span(question).first(kDim), kDim, {}).empty());
    EXPECT_TRUE(rank_by_states({}, {}, question, kDim, {}).empty());
}

}  // namespace
}  // namespace rpt::reader
