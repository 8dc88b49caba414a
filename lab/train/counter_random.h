// Random numbers that depend on where they are used and on nothing else, so that a resumed run
// draws the same ones.
#pragma once

#include <cstdint>

namespace rpt::train {

// The finaliser of SplitMix64: a bijection of 64 bits that scatters well.
inline uint64_t scatter(uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

// 64 bits for the `index`-th draw of `stream` under `seed`.
inline uint64_t draw_bits(uint64_t seed, uint64_t stream, uint64_t index) {
    return scatter(scatter(scatter(seed) ^ stream) ^ index);
}

// Uniform in [0, 1).
inline double draw_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
    return static_cast<double>(draw_bits(seed, stream, index) >> 11) * 0x1p-53;
}

// Uniform in [0, n), n > 0; the bias of the product is below 2^-40 for any n that occurs here.
inline uint64_t draw_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n) {
    return static_cast<uint64_t>(draw_uniform(seed, stream, index) * static_cast<double>(n));
}

}  // namespace rpt::train
