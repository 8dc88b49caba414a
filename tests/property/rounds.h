// How often a random test is repeated.
#pragma once

namespace rpt {

// A fourth of them under the address sanitizer, where a round takes about ten times as long. The
// ordinary build runs all.
constexpr int rounds(int wanted) {
#if defined(__SANITIZE_ADDRESS__)
    return wanted / 4 > 0 ? wanted / 4 : 1;
#else
    return wanted;
#endif
}

}  // namespace rpt
