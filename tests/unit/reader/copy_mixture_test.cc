// The mixture of what is copied, against its slow twin over all of the vocabulary.
#include "core/reader/copy_mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/half.h"
#include "storage/codec/pointer_codec.h"
#include "tests/fakes/fake_engine.h"

namespace rpt::reader {
namespace {

constexpr uint32_t kWidth = 24;
constexpr int32_t kVocab = 50, kBos = 0;

std::vector<float> unit_rows(uint64_t seed, size_t n) {
    std::vector<float> rows = fakes::noise(seed, n * kWidth);
    for (size_t t = 0; t < n; ++t) {
        float sum = 0;
        for (size_t i = 0; i < kWidth; ++i) sum += rows[t * kWidth + i] * rows[t * kWidth + i];
        for (size_t i = 0; i < kWidth; ++i) rows[t * kWidth + i] /= std::sqrt(sum);
    }
    return rows;
}

std::vector<int32_t> tokens_of(uint64_t seed, size_t n) {
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < n; ++i) tokens.push_back(int32_t(fakes::mix(seed, i) % kVocab));
    return tokens;
}

double dot(const float* a, const float* b) {
    double sum = 0;
    for (size_t i = 0; i < kWidth; ++i) sum += double(a[i]) * double(b[i]);
    return sum;
}

CopyNumbers numbers_of(uint64_t seed) {
    std::vector<float> all{12, 0.3f, -1};
    for (const float x : fakes::noise(seed, 10)) all.push_back(x);
    all.insert(all.end(), {1, 2, 0.5f, 3, 1});
    return CopyNumbers::read(all);
}

// Chunks of a space: odd sizes, begin tokens, ends that nothing follows.
std::shared_ptr<const storage::PointerSnapshot> snapshot_of(uint64_t seed, size_t chunks) {
    auto snapshot = std::make_shared<storage::PointerSnapshot>();
    snapshot->width = kWidth;
    std::vector<storage::PointerRows> all;
    for (size_t c = 0; c < chunks; ++c) {
        const size_t n = 1 + fakes::mix(seed, c) % 9;
        storage::PointerRows rows;
        storage::unpack_pointers(storage::encode_pointers(unit_rows(seed + c, n), kWidth), n,
                                 kWidth, rows);
        rows.chunk = 10 + c;
        rows.tokens = tokens_of(seed + c, n);
        if (c % 3 == 0) rows.tokens[0] = kBos;
        all.push_back(std::move(rows));
    }
    // Pages of three chunks.
    for (size_t first = 0; first < chunks; first += 3) {
        std::vector<storage::PointerSlice> slices;
        for (size_t c = first; c < std::min(first + 3, chunks); ++c) slices.push_back(all[c]);
        snapshot->add(std::make_shared<const storage::PointerPage>(slices));
    }
    for (size_t c = 1; c < chunks; c += 2)
        snapshot->parts[c].next = int32_t(fakes::mix(seed, 100 + c) % kVocab);
    return snapshot;
}

plain::Source source_of(const storage::PointerSnapshot& snapshot, const CopyNumbers& numbers,
                        const float* query) {
    plain::Source source{numbers, {}};
    for (const storage::PointerSnapshot::Part& part : snapshot.parts) {
        const std::vector<float> keys = storage::expand_pointers(part.rows(), kWidth);
        const std::span<const int32_t> tokens = part.rows().tokens;
        for (size_t t = 0; t < tokens.size(); ++t) {
            const int32_t next = t + 1 < tokens.size() ? tokens[t + 1] : part.next;
            if (tokens[t] != kBos && next > kBos)
                source.places.emplace_back(dot(query, keys.data() + t * kWidth), next);
        }
    }
    return source;
}

plain::Source source_of(std::span<const float> keys, std::span<const int32_t> ids, size_t end,
                        const CopyNumbers& numbers, const float* query) {
    plain::Source source{numbers, {}};
    for (size_t i = 1; i < end; ++i) {
        std::vector<float> key(kWidth);
        for (size_t k = 0; k < kWidth; ++k) key[k] = from_half(to_half(keys[i * kWidth + k]));
        if (ids[i + 1] != kBos) source.places.emplace_back(dot(query, key.data()), ids[i + 1]);
    }
    return source;
}

}  // namespace

TEST(CopyMixture, beliefs_equal_the_slow_twin) {
    for (const size_t chunks : {0u, 1u, 2u, 7u, 40u}) {
        for (const bool fitted : {false, true}) {
            const CopyNumbers numbers = fitted ? numbers_of(3) : CopyNumbers{};
            const SpacePlaces places(snapshot_of(5, chunks), kBos);
            const std::vector<float> rows = unit_rows(77, 11);
            std::vector<CopyQuery> queries;
            for (size_t q = 0; q < 11; ++q)
                queries.emplace_back(std::span(rows).subspan(q * kWidth, kWidth));
            size_t told = 0;
            scan_places(places, numbers, queries, [&](size_t q, CopyBelief& belief) {
                EXPECT_EQ(q, told++);
                const std::vector<float> logits = fakes::noise(q, kVocab);
                const plain::Source source =
                    source_of(places.snapshot(), numbers, rows.data() + q * kWidth);
                std::vector<double> shares;
                const std::vector<double> expected = plain::mix(logits, {{source}}, &shares);
                EXPECT_EQ(belief.evidence.places, source.places.size());
                const LogitFacts facts = facts_of(logits);
                const double share = copy_share(numbers, belief.evidence, facts.entropy);
                ASSERT_EQ(shares.size(), 1u);
                if (source.places.empty()) {
                    EXPECT_EQ(share, 0);
                    return;
                }
                EXPECT_NEAR(share, shares[0], 2e-5);
                double sum = 0;
                for (int32_t v = 0; v < kVocab; ++v) {
                    const int32_t slot = places.followers().find(v);
                    const double copy =
                        slot == FollowerSlots::kNone ? 0 : belief.mass[size_t(slot)];
                    sum += copy;
                    const double p = std::exp(double(logits[size_t(v)]) - facts.log_sum);
                    EXPECT_NEAR((1 - share) * p + share * copy, expected[size_t(v)], 2e-5);
                }
                EXPECT_NEAR(sum, 1, 1e-9);
            });
            EXPECT_EQ(told, queries.size());
        }
    }
}

TEST(CopyMixture, own_past_equals_the_slow_twin) {
    const size_t n = 37;
    std::vector<int32_t> ids = tokens_of(8, n + 1);
    ids[0] = kBos;
    const std::vector<float> keys = unit_rows(9, n), query = unit_rows(10, 1);
    OwnPointers own(kWidth);
    own.append(std::span(keys).first(5 * kWidth));
    own.append(unit_rows(11, 3));
    own.truncate(5);
    own.append(std::span(keys).subspan(5 * kWidth));
    ASSERT_EQ(own.size(), n);
    const CopyNumbers numbers = numbers_of(4);
    for (const size_t end : {0u, 1u, 2u, 16u, 37u}) {
        const OwnPlaces places(own, ids, end, 4);
        const std::vector<CopyQuery> queries{CopyQuery(query)};
        const plain::Source source = source_of(keys, ids, end, numbers, query.data());
        scan_places(places, numbers, queries, [&](size_t, CopyBelief& belief) {
            EXPECT_EQ(belief.evidence.places, source.places.size());
            if (source.places.empty()) return;
            const std::vector<float> logits = fakes::noise(3, kVocab);
            std::vector<double> shares;
            plain::mix(logits, {{source}}, &shares);
            EXPECT_NEAR(copy_share(numbers, belief.evidence, facts_of(logits).entropy), shares[0],
                        1e-5);
            // What the chunks hold adds up to the whole.
            for (const int32_t token : places.followers().tokens()) {
                const int32_t slot = places.followers().find(token);
                double traced = 0;
                uint64_t last = 0;
                trace_places(places, *belief.read, slot, belief.total,
                             [&](uint64_t chunk, double mass) {
                                 EXPECT_LE(chunk, (end - 1) / 4);
                                 EXPECT_TRUE(traced == 0 || chunk > last);
                                 last = chunk;
                                 traced += mass;
                             });
                EXPECT_NEAR(traced, belief.mass[size_t(slot)], 1e-6);
            }
        });
    }
}

TEST(CopyGate, share_is_as_documented) {
    CopyEvidence evidence;
    EXPECT_EQ(copy_share({}, evidence, 1), 0);  // no place
    evidence = {100, 3, 4.5, 0.8, 0.25, 1.5};
    EXPECT_NEAR(copy_share({}, evidence, 1), 1 / (1 + std::exp(4.6 - 5.5 * 0.8)), 1e-12);
    const std::vector<float> all{20,   0.6f, -2, 0.5f,  -0.25f, 1, 0.125f, 0.75f, 1,
                                 0.5f, -1,   2,  0.25f, 2,      1, 4,      0.5f,  1};
    const CopyNumbers numbers = CopyNumbers::read(all);
    const double x = -2 + 0.5 * (std::log(0.25 / 0.75) - 1) / 2 - 0.25 * (1.5 - 0.5) / 1 +
                     (4.5 - std::log(100.0) + 1) / 4 + 0.125 * (2.25 - 2) / 0.5 +
                     0.75 * (std::log(4.0) - 0.25) / 1;
    EXPECT_NEAR(copy_share(numbers, evidence, 2.25), 1 / (1 + std::exp(-x)), 1e-6);
    evidence.best_mass = 1;  // its logit ends at that of 1 - 1e-6
    EXPECT_LE(copy_share(numbers, evidence, 2.25), 1);
}

TEST(CopyGate, numbers_that_make_no_sense_are_refused) {
    std::vector<float> good{20, 0.6f, -2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
    ASSERT_EQ(good.size(), CopyNumbers::kCount);
    const auto status_of = [](std::span<const float> numbers) {
        try {
            CopySettings::read(numbers);
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find("memory.copy"), std::string::npos);
            return error.status();
        }
        return Status::kOk;
    };
    std::vector<float> both = good;
    both.insert(both.end(), good.begin(), good.end());
    EXPECT_EQ(status_of(both), Status::kOk);
    EXPECT_EQ(status_of({}), Status::kOk);
    EXPECT_EQ(status_of(good), Status::kArgument);
    for (const auto& [at, number] : {std::pair<size_t, float>{0, 0.0f},
                                     {0, 41.0f},
                                     {14, 0.0f},
                                     {35, -1.0f},
                                     {20, std::numeric_limits<float>::quiet_NaN()}}) {
        std::vector<float> bad = both;
        bad[at] = number;
        EXPECT_EQ(status_of(bad), Status::kArgument) << at;
    }
}

}  // namespace rpt::reader
