// Is one way of reading better than another on these documents, or could it be the choice of
// documents, or of seeds?
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rpt::eval {

struct Difference {
    double mean = 0;  // nats a token: sum(a) - sum(b) over the number of tokens
    double low = 0;   // 95 % interval over resampled documents (and seeds)
    double high = 0;
    double share_below = 0;  // resamples in which a is below b
};

// `a`, `b`: nats of each document under both; `tokens` of each. Documents are drawn with
// replacement, both sides of a pair together. The same seed gives the same interval.
Difference paired_bootstrap(std::span<const double> a, std::span<const double> b,
                            std::span<const int64_t> tokens, int64_t resamples, uint64_t seed);

// The same for systems trained several times: `a[s][d]` is document d under a's s-th training. A
// document counts with its mean over trainings; each resample also draws each side's trainings with
// replacement. With one training a side this is the function above.
Difference paired_bootstrap(std::span<const std::vector<double>> a,
                            std::span<const std::vector<double>> b, std::span<const int64_t> tokens,
                            int64_t resamples, uint64_t seed);

}  // namespace rpt::eval
