// A small seeded generator: the same seed gives the same numbers on every machine.
#pragma once

#include <array>
#include <cstdint>

namespace rpt::reader {

// xoshiro256** (Blackman and Vigna 2018), its state filled by SplitMix64. A value.
class RandomSource {
  public:
    explicit RandomSource(uint64_t seed);
    uint64_t next();
    // In [0, 1), 53 bits.
    double uniform() { return double(next() >> 11) * 0x1.0p-53; }

  private:
    std::array<uint64_t, 4> state_;
};

}  // namespace rpt::reader
