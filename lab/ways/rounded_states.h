// An engine whose chunks have the states that a store would give back.
#pragma once

#include <memory>

#include "core/engine/engine.h"

namespace rpt::ways {

// As `engine`, but the states of every chunk are rounded as a store keeps them by default: four
// bits a number, a scale for every 32 (docs/format/states.md). Threads as for `engine`.
std::shared_ptr<const engine::Engine> with_rounded_states(
    std::shared_ptr<const engine::Engine> engine);

}  // namespace rpt::ways
