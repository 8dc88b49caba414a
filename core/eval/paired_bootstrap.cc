#include "core/eval/paired_bootstrap.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "core/train/counter_random.h"

namespace rpt::eval {

Difference paired_bootstrap(std::span<const double> a, std::span<const double> b,
                            std::span<const int64_t> tokens, int64_t resamples, uint64_t seed) {
    RPT_CHECK(a.size() == b.size() && a.size() == tokens.size() && !a.empty() && resamples > 0);
    const size_t n = a.size();
    const auto mean_of = [&](auto&& pick) {
        double nats = 0, count = 0;
        for (size_t i = 0; i < n; ++i) {
            const size_t d = pick(i);
            nats += a[d] - b[d];
            count += static_cast<double>(tokens[d]);
        }
        return nats / std::max(1.0, count);
    };
    Difference result;
    result.mean = mean_of([](size_t i) { return i; });
    std::vector<double> means;
    for (int64_t r = 0; r < resamples; ++r) {
        const auto stream = static_cast<uint64_t>(r);
        means.push_back(mean_of([&](size_t i) { return train::draw_below(seed, stream, i, n); }));
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
