#include "core/reader/random_source.h"

#include <bit>

namespace rpt::reader {

RandomSource::RandomSource(uint64_t seed) {
    for (uint64_t& word : state_) {
        seed += 0x9E3779B97F4A7C15u;
        uint64_t mixed = seed;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
        word = mixed ^ (mixed >> 31);
    }
}

uint64_t RandomSource::next() {
    const uint64_t out = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return out;
}

}  // namespace rpt::reader
