// Does a store hold what its model makes of its tokens?
#pragma once

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "storage/store.h"

namespace rpt::reader {

// Encodes every segment again and compares keys and states with what is stored, within what the
// store's codecs and another processor's rounding may change. As long as reading all of it anew.
void check_against_model(const engine::Engine& engine, storage::Store& store,
                         const storage::FindingSink& found, const CallControl& control = {});

}  // namespace rpt::reader
