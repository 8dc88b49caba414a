// A memory for a model that others trained and that nobody fitted one for.
#pragma once

#include <string>

#include "base/cancel.h"

namespace rpt::calibration {

// Writes a memory file (docs/format/memory.md) for the model at `model_path` to `out_path`, whole
// or not at all. The model reads the calibration text in pieces of a window. Pointers are made of
// the states after all layers but two: their mean is taken away, and they are turned to their 128
// principal directions, the same for keys and queries. `state_scale` is the root mean square of
// each channel after half of the layers. The gate has the numbers of kUntrainedGate. `control` is
// told tokens. Opens the model with the first engine that takes it. Throws what
// weights::open_model_alone() and engine::open_engine() throw; kUnsupported for a model with a
// memory of its own and for one of a single layer; kIo, kNoSpace.
void write_untrained_memory(const std::string& model_path, const std::string& out_path,
                            const CallControl& control = {});

}  // namespace rpt::calibration
