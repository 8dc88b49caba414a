// Random numbers of one synthetic document, in order: they depend on (seed, document) alone.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "lab/train/counter_random.h"

namespace rpt::proofs {

class RandomDraws {
  public:
    RandomDraws(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

    double uniform() { return train::draw_uniform(seed_, stream_, index_++); }
    // In [0, n), n > 0.
    int64_t below(int64_t n) {
        return static_cast<int64_t>(
            train::draw_below(seed_, stream_, index_++, static_cast<uint64_t>(n)));
    }
    // `k` different numbers of [0, n) in random order, k <= n.
    std::vector<int64_t> different(int64_t k, int64_t n) {
        std::vector<int64_t> all(static_cast<size_t>(n));
        for (int64_t i = 0; i < n; ++i) all[static_cast<size_t>(i)] = i;
        for (int64_t i = 0; i < k; ++i)
            std::swap(all[static_cast<size_t>(i)], all[static_cast<size_t>(i + below(n - i))]);
        all.resize(static_cast<size_t>(k));
        return all;
    }
    // In [0, n), about as often as 1 / (rank + 1): the inverse of the logarithm that approximates
    // the sum of 1 / rank.
    int64_t zipf(int64_t n) {
        const double x = std::pow(static_cast<double>(n + 1), uniform());
        return std::min<int64_t>(n - 1, static_cast<int64_t>(x) - 1);
    }

  private:
    uint64_t seed_, stream_;
    uint64_t index_ = 0;
};

}  // namespace rpt::proofs
