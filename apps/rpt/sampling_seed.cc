#include "apps/rpt/sampling_seed.h"

#include <algorithm>
#include <random>

namespace rpt::cli {

uint64_t draw_seed() {
    std::random_device source;
    const uint64_t drawn = uint64_t{source()} << 32 | source();
    return std::max<uint64_t>(1, drawn & kMaxSeed);  // 0 leaves the choice to the library
}

}  // namespace rpt::cli
