// The loops over many numbers, against the standard library.
#include "core/reader/copy_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "tests/fakes/fake_engine.h"

namespace rpt::reader {

TEST(CopyWeights, places_are_weighed) {
    for (const size_t n : {0u, 1u, 7u, 8u, 64u, 301u}) {
        for (const float temperature : {0.5f, 20.0f, 40.0f}) {
            std::vector<float> scores = fakes::noise(n, n), weights(n);
            std::vector<int32_t> slots(n);
            for (size_t i = 0; i < n; ++i) slots[i] = int32_t(fakes::mix(n, i) % 5) - 1;
            if (n > 7) scores[3] = 1.0625f;  // a key's rounding
            const std::vector<float> before = scores;
            const WeighedPlaces weighed =
                weigh_places(scores.data(), slots.data(), n, temperature, 0.25f, weights.data());
            uint64_t near = 0;
            float best = kNoPlace;
            for (size_t i = 0; i < n; ++i) {
                if (slots[i] < 0) {
                    EXPECT_EQ(scores[i], kNoPlace);
                    continue;
                }
                EXPECT_EQ(scores[i], before[i]);
                near += before[i] > 0.25f;
                best = std::max(best, before[i]);
                const double exact =
                    std::exp(double(temperature) * (std::min(double(before[i]), 1.0) - 1));
                EXPECT_NEAR(double(weights[i]) / exact, 1, 3e-6) << before[i];
            }
            EXPECT_EQ(weighed.near, near);
            EXPECT_EQ(weighed.best, best);
        }
    }
}

TEST(CopyWeights, entropy_of_masses) {
    for (const size_t n : {1u, 2u, 255u, 256u, 257u, 5000u}) {
        std::vector<double> masses;
        for (size_t i = 0; i < n; ++i)
            masses.push_back(i % 7 == 3 ? 0 : std::exp(-double(fakes::mix(n, i) % 60)));
        const double total = std::accumulate(masses.begin(), masses.end(), 0.0);
        double entropy = 0;
        for (const double mass : masses)
            if (mass > 0) entropy -= mass / total * std::log(mass / total);
        EXPECT_NEAR(masses_entropy(masses, total), entropy, 2e-6 * (1 + entropy)) << n;
    }
}

TEST(CopyWeights, facts_of_logits) {
    const LogitFacts even = facts_of(std::vector<float>(8, 3.0f));
    EXPECT_NEAR(even.log_sum, 3 + std::log(8.0), 1e-6);
    EXPECT_NEAR(even.entropy, std::log(8.0), 1e-6);
    const LogitFacts sure = facts_of(std::vector<float>{-200, 100, -300});
    EXPECT_NEAR(sure.log_sum, 100, 1e-6);
    EXPECT_NEAR(sure.entropy, 0, 1e-6);
    const std::vector<float> noise = fakes::noise(9, 1003);
    double sum = 0, weighed = 0;
    for (const float logit : noise) {
        sum += std::exp(double(logit));
        weighed += std::exp(double(logit)) * double(logit);
    }
    EXPECT_NEAR(facts_of(noise).log_sum, std::log(sum), 1e-6);
    EXPECT_NEAR(facts_of(noise).entropy, std::log(sum) - weighed / sum, 1e-6);
}

TEST(CopyWeights, logits_of_a_mixture) {
    std::vector<float> logits = fakes::noise(4, 1003);
    for (float& logit : logits) logit *= 8;
    const std::vector<float> before = logits;
    const double log_sum = facts_of(logits).log_sum;
    std::vector<double> added(logits.size());
    double rest = 1;
    for (size_t v = 0; v < added.size(); v += 3) rest -= added[v] = 0.4 / double(v + 2) / 8;
    ASSERT_GT(rest, 0);
    mix_into_logits(logits, added, rest, log_sum);
    for (size_t v = 0; v < added.size(); ++v) {
        const double p = rest * std::exp(double(before[v]) - log_sum) + added[v];
        EXPECT_NEAR(double(logits[v]), std::log(p) + log_sum, 4e-6) << v;
    }
    // Nothing is left of the model's own: still a number.
    mix_into_logits(logits, added, 0, log_sum);
    for (const float logit : logits) EXPECT_TRUE(std::isfinite(logit));
}

}  // namespace rpt::reader
