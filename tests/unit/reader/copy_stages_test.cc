// Copying from a large space in two stages, against all places one by one. Keys stand in clusters,
// as those of text do: a token's context comes again with its followers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/reader/copy_mixture.h"
#include "storage/codec/pointer_codec.h"
#include "tests/fakes/fake_engine.h"

namespace rpt::reader {
namespace {

constexpr uint32_t kWidth = 128;
constexpr int32_t kBos = 0;
constexpr size_t kClusters = 300, kChunks = 400, kChunkRows = 60;

// Near the centre of a cluster: the larger `apart`, the farther.
std::vector<float> key_near(size_t cluster, uint64_t seed, float apart) {
    std::vector<float> key = fakes::noise(fakes::mix(1, cluster), kWidth);
    const std::vector<float> other = fakes::noise(fakes::mix(2, seed), kWidth);
    float square = 0;
    for (size_t i = 0; i < kWidth; ++i) {
        key[i] += apart * other[i];
        square += key[i] * key[i];
    }
    for (float& number : key) number /= std::sqrt(square);
    return key;
}

// Some clusters are much larger than others.
size_t cluster_of(uint64_t seed) {
    const double u = double(fakes::mix(3, seed) % 100000) / 100000;
    return size_t(u * u * u * double(kClusters));
}

storage::PointerRows chunk_rows(uint64_t number) {
    std::vector<float> keys;
    storage::PointerRows rows;
    for (size_t t = 0; t < kChunkRows; ++t) {
        const uint64_t seed = number * 1000 + t;
        const std::vector<float> key = key_near(cluster_of(seed), seed, 0.75f);
        keys.insert(keys.end(), key.begin(), key.end());
        // What follows a place of a cluster is mostly one of a few tokens. It is the next row's
        // token.
        const size_t before = t == 0 ? 0 : cluster_of(seed - 1);
        rows.tokens.push_back(int32_t(1 + fakes::mix(before, fakes::mix(4, seed) % 4) % 900));
    }
    storage::unpack_pointers(storage::encode_pointers(keys, kWidth), kChunkRows, kWidth, rows);
    return rows;
}

// Chunks in the order given, so many to a page.
std::shared_ptr<const storage::PointerSnapshot> snapshot_of(const std::vector<uint64_t>& order,
                                                            size_t to_a_page) {
    auto snapshot = std::make_shared<storage::PointerSnapshot>();
    snapshot->width = kWidth;
    for (size_t first = 0; first < order.size(); first += to_a_page) {
        std::vector<storage::PointerRows> chunks;
        for (size_t i = first; i < std::min(order.size(), first + to_a_page); ++i) {
            chunks.push_back(chunk_rows(order[i]));
            chunks.back().chunk = i;
        }
        snapshot->add(std::make_shared<const storage::PointerPage>(
            std::vector<storage::PointerSlice>(chunks.begin(), chunks.end())));
    }
    return snapshot;
}

std::vector<uint64_t> in_order() {
    std::vector<uint64_t> order(kChunks);
    for (size_t i = 0; i < kChunks; ++i) order[i] = i;
    return order;
}

std::shared_ptr<const storage::PointerSnapshot> whole() {
    static const auto snapshot = snapshot_of(in_order(), 256);
    return snapshot;
}

std::vector<CopyQuery> some_queries(size_t n) {
    std::vector<CopyQuery> queries;
    for (size_t q = 0; q < n; ++q)
        queries.emplace_back(key_near(cluster_of(77 * q), 1000000 + q, q % 3 == 2 ? 1.5f : 0.75f));
    return queries;
}

struct Belief {
    CopyEvidence evidence;
    std::map<int32_t, double> mass;  // by token
    double read = 0;                 // what the places that count by themselves weigh
    double total = 0;
    size_t n_read = 0;
    std::vector<double> numbers() const {
        return {double(evidence.places), double(evidence.near), evidence.log_sum,
                evidence.best_cosine,    evidence.best_mass,    evidence.entropy};
    }
};

std::vector<Belief> beliefs(const CopyPlaces& places, std::span<const CopyQuery> queries) {
    std::vector<Belief> all;
    scan_places(places, {}, queries, [&](size_t, CopyBelief& belief) {
        Belief& one = all.emplace_back();
        one.evidence = belief.evidence;
        one.total = belief.total;
        one.n_read = belief.read->weights.size();
        for (const float weight : belief.read->weights) one.read += double(weight);
        for (size_t slot = 0; slot < belief.mass.size(); ++slot)
            if (belief.mass[slot] > 0)
                one.mass[places.followers().tokens()[slot]] = belief.mass[slot];
    });
    return all;
}

double apart(const Belief& a, const Belief& b) {
    double sum = 0;
    std::map<int32_t, double> difference = a.mass;
    for (const auto& [token, mass] : b.mass) difference[token] -= mass;
    for (const auto& [token, mass] : difference) sum += std::abs(mass);
    return sum / 2;
}

constexpr ReadingLimits kStages{0, 1500};  // of 24,000 places

}  // namespace

TEST(CopyStages, hold_the_mass_of_all_places) {
    const SpacePlaces exact(whole(), kBos), staged(whole(), kBos, kStages);
    ASSERT_TRUE(exact.pages().empty());
    ASSERT_EQ(staged.pages().size(), 2u);
    const std::vector<CopyQuery> queries = some_queries(30);
    const std::vector<Belief> all = beliefs(exact, queries), some = beliefs(staged, queries);
    double recall = 0;
    for (size_t q = 0; q < queries.size(); ++q) {
        EXPECT_LE(some[q].n_read, kStages.least_best);
        EXPECT_GT(some[q].n_read, kStages.least_best / 2);
        EXPECT_EQ(some[q].evidence.places, all[q].evidence.places);
        recall += some[q].read / all[q].total / double(queries.size());
        EXPECT_LT(apart(all[q], some[q]), q % 3 == 2 ? 0.2 : 0.08) << q;
        EXPECT_NEAR(some[q].evidence.log_sum, all[q].evidence.log_sum, 0.1) << q;
        EXPECT_NEAR(some[q].evidence.entropy, all[q].evidence.entropy, 0.25) << q;
        EXPECT_NEAR(std::log1p(double(some[q].evidence.near)),
                    std::log1p(double(all[q].evidence.near)), 0.25)
            << q;
        if (q % 3 != 2) {
            EXPECT_EQ(some[q].evidence.best_cosine, all[q].evidence.best_cosine) << q;
        }
    }
    EXPECT_GT(recall, 0.9);
}

TEST(CopyStages, each_query_counts_by_itself) {
    const SpacePlaces staged(whole(), kBos, kStages);
    const std::vector<CopyQuery> queries = some_queries(11);
    const std::vector<Belief> together = beliefs(staged, queries);
    for (size_t q = 0; q < queries.size(); ++q) {
        const Belief alone = beliefs(staged, std::span(queries).subspan(q, 1)).front();
        EXPECT_EQ(alone.numbers(), together[q].numbers());
        EXPECT_EQ(alone.mass, together[q].mass);
    }
}

TEST(CopyStages, order_of_chunks_does_not_matter) {
    std::vector<uint64_t> order = in_order();
    std::ranges::sort(order, {}, [](uint64_t chunk) { return fakes::mix(9, chunk); });
    const SpacePlaces one(whole(), kBos, kStages), other(snapshot_of(order, 37), kBos, kStages);
    const std::vector<CopyQuery> queries = some_queries(9);
    // What follows a chunk's last row is nothing in both.
    const std::vector<Belief> a = beliefs(one, queries), b = beliefs(other, queries);
    for (size_t q = 0; q < queries.size(); ++q) {
        EXPECT_EQ(a[q].n_read, b[q].n_read);
        EXPECT_LT(apart(a[q], b[q]), 1e-12);
        for (size_t k = 0; k < a[q].numbers().size(); ++k)
            EXPECT_NEAR(a[q].numbers()[k], b[q].numbers()[k], 1e-5) << q << " " << k;
    }
}

TEST(CopyStages, up_to_the_limit_every_place_is_read) {
    const auto size = size_t(whole()->tokens);
    EXPECT_TRUE(SpacePlaces(whole(), kBos, {size, 100}).pages().empty());
    EXPECT_FALSE(SpacePlaces(whole(), kBos, {size - 1, 100}).pages().empty());
}

TEST(CopyStages, equal_rows_are_all_read_or_stand_for_one_another) {
    // A form letter: half of the space is one chunk, over and over.
    std::vector<uint64_t> order = in_order();
    for (size_t i = 0; i < kChunks; i += 2) order[i] = 5;
    const auto snapshot = snapshot_of(order, 64);
    const SpacePlaces exact(snapshot, kBos), staged(snapshot, kBos, kStages);
    std::vector<CopyQuery> queries;
    for (size_t t = 0; t < 20; ++t)
        queries.emplace_back(key_near(cluster_of(5000 + t), 5000 + t, 0.75f));
    const std::vector<Belief> all = beliefs(exact, queries), some = beliefs(staged, queries);
    for (size_t q = 0; q < queries.size(); ++q) {
        EXPECT_EQ(some[q].evidence.best_cosine, all[q].evidence.best_cosine);
        EXPECT_NEAR(some[q].evidence.log_sum, all[q].evidence.log_sum, 0.1);
        EXPECT_LT(apart(all[q], some[q]), 0.08) << q;
    }
}

}  // namespace rpt::reader
