#include "lab/eval/paired_bootstrap.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "lab/train/counter_random.h"

namespace rpt::eval {
namespace {

// Streams of the draws of trainings; those of documents are the numbers of the resamples.
constexpr uint64_t kTrainingsOfA = uint64_t{1} << 62;
constexpr uint64_t kTrainingsOfB = uint64_t{1} << 63;

// Mean over the trainings that `pick(s)` names.
template <typename Pick>
std::vector<double> mean_of_trainings(std::span<const std::vector<double>> trainings, Pick pick) {
    std::vector<double> mean(trainings[0].size(), 0.0);
    for (size_t s = 0; s < trainings.size(); ++s) {
        const std::vector<double>& one = trainings[pick(s)];
        for (size_t d = 0; d < mean.size(); ++d) mean[d] += one[d];
    }
    for (double& nats : mean) nats /= static_cast<double>(trainings.size());
    return mean;
}

}  // namespace

Difference paired_bootstrap(std::span<const double> a, std::span<const double> b,
                            std::span<const int64_t> tokens, int64_t resamples, uint64_t seed) {
    const std::vector<std::vector<double>> one_a = {{a.begin(), a.end()}};
    const std::vector<std::vector<double>> one_b = {{b.begin(), b.end()}};
    return paired_bootstrap(one_a, one_b, tokens, resamples, seed);
}

Difference paired_bootstrap(std::span<const std::vector<double>> a,
                            std::span<const std::vector<double>> b, std::span<const int64_t> tokens,
                            int64_t resamples, uint64_t seed) {
    const size_t n = tokens.size();
    RPT_CHECK(n > 0 && !a.empty() && !b.empty() && resamples > 0);
    for (const auto& side : {a, b}) {
        for (const auto& training : side) RPT_CHECK(training.size() == n);
    }
    const auto same = [](size_t s) { return s; };
    const std::vector<double> all_a = mean_of_trainings(a, same),
                              all_b = mean_of_trainings(b, same);
    const auto mean_of = [&](const std::vector<double>& left, const std::vector<double>& right,
                             auto&& pick) {
        double nats = 0, count = 0;
        for (size_t i = 0; i < n; ++i) {
            const size_t d = pick(i);
            nats += left[d] - right[d];
            count += static_cast<double>(tokens[d]);
        }
        return nats / std::max(1.0, count);
    };
    Difference result;
    result.mean = mean_of(all_a, all_b, same);
    std::vector<double> means;
    for (int64_t r = 0; r < resamples; ++r) {
        const auto stream = static_cast<uint64_t>(r);
        const auto pick = [&](size_t i) { return train::draw_below(seed, stream, i, n); };
        if (a.size() == 1 && b.size() == 1) {
            means.push_back(mean_of(all_a, all_b, pick));
            continue;
        }
        const auto drawn = [&](std::span<const std::vector<double>> side, uint64_t purpose) {
            return mean_of_trainings(side, [&](size_t s) {
                return train::draw_below(seed, purpose + stream, s, side.size());
            });
        };
        means.push_back(mean_of(drawn(a, kTrainingsOfA), drawn(b, kTrainingsOfB), pick));
    }
    std::sort(means.begin(), means.end());
    const auto quantile = [&](double q) {
        return means[static_cast<size_t>(std::lround(q * static_cast<double>(means.size() - 1)))];
    };
    result.low = quantile(0.025);
    result.high = quantile(0.975);
    result.share_below =
        static_cast<double>(std::lower_bound(means.begin(), means.end(), 0.0) - means.begin()) /
        static_cast<double>(means.size());
    return result;
}

}  // namespace rpt::eval
