// A GGUF file as a model: names, configuration and tokenizer of a family.
#pragma once

#include <memory>
#include <string>

#include "core/weights/package.h"

namespace rpt::weights {

// Throws what GgufFile, match_tensors() and the tokenizer throw; kUnsupported, naming what is
// supported, for other architectures, mixtures of experts, other scalings of rotary angles and
// short windows.
std::shared_ptr<const Package> open_gguf_model(const std::string& path,
                                               const CallControl& control = {});

}  // namespace rpt::weights
