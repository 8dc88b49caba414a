// A model divided into halves elsewhere than its files say.
#pragma once

#include <cstdint>
#include <memory>

#include "core/weights/package.h"

namespace rpt::ways {

// As `package`, but the lower half has `n_lower` of its layers. Scales of stored states stay those
// of the old place. kArgument where there are no halves then.
std::shared_ptr<const weights::Package> split_at(std::shared_ptr<const weights::Package> package,
                                                 int64_t n_lower);

}  // namespace rpt::ways
