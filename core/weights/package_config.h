// What a package says of its model.
#pragma once

#include "core/model/config.h"
#include "core/weights/package.h"

namespace rpt::weights {

// Metadata: K for the package's readers, where another number than in training serves them better.
// What is stored does not depend on it, so it stands beside the config and not in the fingerprint.
inline constexpr const char* kReadNeighboursKey = "read_neighbours";

// Throws kCorrupt for a configuration that cannot be.
model::ModelConfig config_of(const Package& package);

}  // namespace rpt::weights
