// Seeds of sampling, as the command line gives and tells them.
#pragma once

#include <cstdint>

namespace rpt::cli {

// A reader of JSON may know doubles only, and must be able to give the seed back.
inline constexpr uint64_t kMaxSeed = (uint64_t{1} << 53) - 1;
// 1 to kMaxSeed.
uint64_t draw_seed();

}  // namespace rpt::cli
