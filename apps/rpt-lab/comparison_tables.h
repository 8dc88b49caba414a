// Systems on the same documents, as `rpt-lab compare` writes them.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "lab/eval/system_comparison.h"

namespace rpt::lab {

// One object a system: nats, perplexity and, but for `against` itself (which must be one of
// `systems`), the difference to it, where there is chunk data also by gold and by position.
nlohmann::ordered_json comparison_json(const std::vector<eval::System>& systems,
                                       const eval::System& against,
                                       const eval::ComparisonOptions& options);

}  // namespace rpt::lab
